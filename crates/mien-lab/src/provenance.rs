//! Where a result comes from: checksums of the data, the machine.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tch::Device;

/// SHA-256 of a file in hexadecimal.
///
/// # Errors
/// When the file can't be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// Describes the machine in one line: device with its hardware name if the system reports it, threads, operating system and architecture.
pub fn machine(device: Device) -> String {
    let name = mien_net::device::describe(device);
    let made = mien_net::device::hardware(device).map_or_else(String::new, |made| format!(" ({made})"));
    let threads = mien_net::device::describe_threads(tch::get_num_threads());
    format!("{name}{made}, {threads}, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}
