//! What a panic leaves behind: a report in the user's state folder, and one line that says where it is.

use std::backtrace::Backtrace;
use std::io;
use std::panic::{self, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use directories::BaseDirs;

use crate::console::tell;
use crate::{logging, version};

/// Below the user's state folder, which is `~/.local/state` on Linux.
const FOLDER: &str = "mien/crashes";

/// Makes panics write a report from now on. Panics are bugs in the program: whatever a user can cause is reported as an error.
pub fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        let what = in_one_line(panic);
        match write_report(panic) {
            Ok(path) => {
                tell(&format!("error: Mien has crashed, which is a bug in Mien: {what}; {} says more", path.display()));
            }
            Err(error) => {
                tell(&format!(
                    "error: Mien has crashed, which is a bug in Mien: {what}; no report could be written: {error}"
                ));
            }
        }
    }));
}

fn in_one_line(panic: &PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("for an unknown reason");
    let message = message.lines().collect::<Vec<_>>().join(" ");
    panic.location().map_or_else(|| message.clone(), |place| format!("{message} ({place})"))
}

fn write_report(panic: &PanicHookInfo<'_>) -> io::Result<PathBuf> {
    /// Numbers the reports, because several threads may panic.
    static REPORTS: AtomicU32 = AtomicU32::new(0);

    let user = BaseDirs::new().ok_or_else(|| io::Error::other("there is no home folder"))?;
    let folder = user.state_dir().unwrap_or_else(|| user.data_local_dir()).join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let (process, number) = (std::process::id(), REPORTS.fetch_add(1, Ordering::Relaxed));
    let path = folder.join(format!("crash-{seconds}-{process}-{number}.txt"));
    std::fs::write(&path, report(panic))?;
    Ok(path)
}

fn report(panic: &PanicHookInfo<'_>) -> String {
    let arguments: Vec<_> = std::env::args_os().map(|word| without_password(&word.to_string_lossy())).collect();
    let folder = std::env::current_dir().map_or_else(|error| error.to_string(), |folder| shown(&folder));
    format!(
        "mien {}\n{} {}\n\ncommand: {}\nfolder: {folder}\nthread: {}\npanic: {}\n\nbacktrace:\n{}\nlast log lines:\n{}",
        version::long(),
        std::env::consts::OS,
        std::env::consts::ARCH,
        arguments.join(" "),
        std::thread::current().name().unwrap_or("without a name"),
        in_one_line(panic),
        Backtrace::force_capture(),
        logging::last_lines(),
    )
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Removes the password that a camera's address may contain from a command-line word. An option may precede the address:
/// `--camera=rtsp://…`.
pub(crate) fn without_password(word: &str) -> String {
    let Some(scheme_ends) = word.find("://") else { return word.to_owned() };
    let address_begins = word[..scheme_ends].rfind('=').map_or(0, |equals| equals + 1);
    let (option, address) = word.split_at(address_begins);
    // In other addresses, a password could be anywhere.
    let hidden = || format!("{}://…", &word[address_begins..scheme_ends]);
    format!("{option}{}", camera(address).unwrap_or_else(hidden))
}

/// A camera's address without its password; `None` if it is no camera's address.
#[cfg(feature = "vision")]
fn camera(address: &str) -> Option<String> {
    crate::source::NetworkCamera::named(address).map(|camera| camera.to_string())
}

/// There are no cameras without `vision`.
#[cfg(not(feature = "vision"))]
fn camera(_address: &str) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::without_password;

    #[test]
    fn words_of_the_command_line_lose_the_passwords_in_addresses() {
        #[cfg(feature = "vision")]
        for (word, shown) in [
            ("rtsp://admin:hunter2@10.0.0.7:554/stream1", "rtsp://10.0.0.7:554/stream1"),
            ("--camera=rtsp://admin:hunter2@10.0.0.7/a=b", "--camera=rtsp://10.0.0.7/a=b"),
            ("--camera=HTTP://10.0.0.7/video?pwd=hunter2", "--camera=HTTP://10.0.0.7/video"),
        ] {
            assert_eq!(without_password(word), shown);
        }
        assert_eq!(without_password("--camera=rtmp://admin:hunter2@10.0.0.7"), "--camera=rtmp://…");
        for word in ["live", "--camera=2", "--csv=C:/day.csv", ""] {
            assert_eq!(without_password(word), word);
        }
    }

    /// Run in a separate process by the test below.
    #[test]
    #[ignore = "panics on purpose"]
    fn a_panic_in_a_thread() {
        super::report_panics();
        crate::logging::start(None).unwrap();
        tracing::info!("opening the camera");
        let thread = std::thread::Builder::new().name("detection".to_owned());
        let panicked = thread.spawn(|| panic!("the mast\nis broken")).unwrap().join();
        assert!(panicked.is_err());
    }

    #[test]
    fn a_panic_leaves_a_report_and_says_so_in_one_line() {
        let home = tempfile::tempdir().unwrap();
        let mut program = Command::new(std::env::current_exe().unwrap());
        // The last argument is taken as the name of another test, which doesn't exist.
        let address = "rtsp://admin:hunter2@10.0.0.7/stream";
        program.args(["--exact", "crash::tests::a_panic_in_a_thread", "--ignored", "--nocapture", address]);
        program.env("HOME", home.path()).env("XDG_STATE_HOME", home.path()).env_remove("RUST_LOG");
        let output = program.output().unwrap();
        assert!(output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = told.lines().collect();
        let [line] = lines.as_slice() else { panic!("{told}") };
        assert!(line.contains("the mast is broken (src/crash.rs:"), "{line}");

        let reports: Vec<_> =
            std::fs::read_dir(home.path().join("mien/crashes")).unwrap().map(Result::unwrap).collect();
        let [report] = reports.as_slice() else { panic!("{reports:?}") };
        assert!(line.contains(&*report.path().to_string_lossy()), "{line}");
        let text = std::fs::read_to_string(report.path()).unwrap();
        let version = format!("mien {}", env!("CARGO_PKG_VERSION"));
        for word in [&version, "libtorch", "thread: detection", "opening the camera", "a_panic_in_a_thread"] {
            assert!(text.contains(word), "{word} is missing in\n{text}");
        }
        assert!(text.contains("rtsp://") && !text.contains("hunter2"), "{text}");
    }
}
