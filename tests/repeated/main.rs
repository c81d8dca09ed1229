//! The same files analysed again and again give the same bytes, whatever else the machine does.
//!
//! A separate binary: its load on every core would slow other tests down, and some of them have deadlines.
#![cfg(feature = "vision")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::program::{mien, video_with_face};

/// Stops the load when dropped.
struct Load<'a>(&'a AtomicBool);

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Keeps a core busy in bursts of uneven length, so that threads interleave differently each time.
fn be_busy(until: &AtomicBool, seed: u64) {
    let mut state = seed;
    while !until.load(Ordering::Relaxed) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let burst = Duration::from_millis(state >> 59);
        let start = Instant::now();
        while start.elapsed() < burst {
            std::hint::spin_loop();
        }
        std::thread::sleep(burst / 2);
    }
}

/// The tables, summaries and pages that a run wrote, by name. Records are left out: they contain paths and times.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let files =
        entries.filter(|path| path.is_file() && !name(path).starts_with('.') && !name(path).ends_with(".mien.json"));
    files.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

#[test]
fn ten_runs_beside_a_load_give_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    // Of lengths that leave the last batch incomplete.
    for (name, frames) in [("a.mp4", 45), ("b.mp4", 30)] {
        video_with_face(&home.path().join(name), frames);
    }
    let run = |number: u32| {
        let output = format!("run{number}");
        let jobs = if number.is_multiple_of(2) { "1" } else { "2" };
        let formats = ["--csv", "--jsonl", "--parquet", "--summary", "--jobs", jobs, "--output", &output];
        mien().current_dir(&home).args(["analyze", "a.mp4", "b.mp4"]).args(formats).assert().success();
        results(&home.path().join(output))
    };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _load = Load(&is_over);
        for seed in 0..std::thread::available_parallelism().map_or(2, usize::from) as u64 {
            let is_over = &is_over;
            scope.spawn(move || be_busy(is_over, seed));
        }
        let first = run(0);
        assert!(first.len() >= 10 && first["a.mp4.csv"].iter().filter(|byte| **byte == b'\n').count() > 40);
        for number in 1..10 {
            for (name, bytes) in run(number) {
                assert!(first.get(&name) == Some(&bytes), "{name} of run {number} differs");
            }
        }
    });
}
