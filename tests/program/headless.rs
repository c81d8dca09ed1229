//! Mien without a display: videos processed into files, cameras watched without a window.
#![cfg(feature = "vision")]

use std::fs;
use std::path::Path;

use mien::source::{FrameSource as _, VideoSource};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::program::{
    self, HEIGHT, WIDTH, assert_refused, mien, video_of_noise, video_with_face, video_without_face,
};

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn rows(table: &Path) -> Vec<csv::StringRecord> {
    csv::Reader::from_path(table).unwrap().records().map(Result::unwrap).collect()
}

fn frames(video: &Path) -> Vec<mien::frame::Frame> {
    let mut source = VideoSource::open(video).unwrap();
    assert_eq!((source.info().width, source.info().height), (WIDTH as usize, HEIGHT as usize));
    assert!((source.info().fps - 25.0).abs() < 0.01);
    std::iter::from_fn(|| source.read().unwrap()).collect()
}

#[test]
fn without_a_display_a_video_becomes_an_annotated_video_and_a_table() {
    let home = tempfile::tempdir().unwrap();
    video_with_face(&home.path().join("talk.mp4"), 30);
    let says_where = contains("mien-results/talk-emotions.mp4").and(contains("mien-results/talk-emotions.csv"));
    mien()
        .current_dir(home.path())
        .args(["replay", "talk.mp4"])
        .assert()
        .success()
        .stdout(says_where.and(contains("of 30 frames")).and(contains("fps")))
        .stderr(contains("No window").and(contains("24 of 30 frames")));

    let results = home.path().join("mien-results");
    assert_eq!(files(&results), ["talk-emotions.csv", "talk-emotions.mp4"]);
    assert_eq!(frames(&results.join("talk-emotions.mp4")).len(), 30);
    let rows = rows(&results.join("talk-emotions.csv"));
    assert!(rows.len() >= 26, "{} rows", rows.len());
    for row in &rows {
        let value = |column: usize| row[column].parse::<f64>().unwrap();
        assert!((value(2) - value(1) / 25.0).abs() < 1e-3, "time and frame: {row:?}");
        let (center_x, center_y) = (value(4) + value(6) / 2.0, value(5) + value(7) / 2.0);
        assert!((130.0..200.0).contains(&center_x) && (100.0..150.0).contains(&center_y), "{row:?}");
        for probabilities in [11..18, 18..25] {
            assert!((probabilities.map(value).sum::<f64>() - 1.0).abs() < 1e-3, "{row:?}");
        }
    }
}

#[test]
fn a_window_that_cannot_be_opened_is_answered_with_what_works_without_one() {
    for arguments in [&["live"][..], &[]] {
        assert_refused(mien().args(arguments), &["no window can be opened", "--headless", "mien replay"]);
    }
    // A display that is named but doesn't exist.
    assert_refused(mien().arg("live").env("DISPLAY", ":64999"), &["DISPLAY", "--headless"]);
}

#[test]
fn results_that_are_there_already_are_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("talk.mp4");
    video_with_face(&video, 5);
    fs::write(home.path().join("talk-emotions.csv"), "precious").unwrap();
    let run = || mien().arg("replay").arg(&video).arg("--output").arg(home.path()).assert().success();
    run().stdout(contains("talk-emotions-2.mp4").and(contains("talk-emotions-2.csv")));
    run().stdout(contains("talk-emotions-3.mp4"));
    assert_eq!(fs::read_to_string(home.path().join("talk-emotions.csv")).unwrap(), "precious");
    assert_eq!(files(home.path()).len(), 6);
}

#[test]
fn the_summary_for_programs_counts_what_the_table_lists() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("talk.mp4");
    video_with_face(&video, 20);
    let run = mien().arg("replay").arg(&video).arg("--json").current_dir(home.path()).assert().success();
    let json: Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let table = home.path().join(json["table"].as_str().unwrap());
    assert_eq!(json["frames"], 20);
    assert_eq!(json["faces"], rows(&table).len());
    assert_eq!(json["people"], 1);
    let shares: f64 = json["emotions"].as_object().unwrap().values().map(|share| share.as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    assert!(json["time_to_first_label_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_video_without_a_face_gives_an_empty_table_and_a_whole_video() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("wall.mp4");
    video_without_face(&video, 10);
    mien().arg("replay").arg(&video).arg("--output").arg(home.path()).assert().success().stdout(contains("in 0 of 10"));
    assert_eq!(rows(&home.path().join("wall-emotions.csv")).len(), 0);
    assert_eq!(frames(&home.path().join("wall-emotions.mp4")).len(), 10);
}

#[test]
fn a_video_that_is_cut_gives_what_it_holds_and_an_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("cut.avi");
    video_with_face(&video, 60);
    let whole = fs::read(&video).unwrap();
    fs::write(&video, &whole[..whole.len() / 2]).unwrap();
    mien()
        .arg("replay")
        .arg(&video)
        .arg("--output")
        .arg(home.path())
        .assert()
        .code(1)
        .stderr(contains("error: cut.avi is truncated or damaged"));
    let kept = frames(&home.path().join("cut-emotions.mp4")).len();
    assert!((10..50).contains(&kept), "{kept}");
}

#[test]
fn what_cannot_be_worked_off_is_refused_in_one_line_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("talk.mp4");
    video_with_face(&video, 5);
    let text = home.path().join("text.mp4");
    fs::write(&text, "Once upon a time").unwrap();
    let before = files(home.path());

    let replay = |file: &Path| {
        let mut command = mien();
        command.current_dir(home.path()).arg("replay").arg("--headless").arg(file);
        command
    };
    assert_refused(&mut replay(Path::new("no-such.mp4")), &["no-such.mp4"]);
    assert_refused(&mut replay(&text), &["text.mp4"]);
    assert_refused(replay(&video).arg("--output").arg(text.join("folder")), &["text.mp4/folder"]);
    assert_refused(replay(&video).args(["--output", "/proc/nowhere"]), &["/proc/nowhere"]);
    assert_refused(replay(&video).args(["--model", "no-such-model", "--output", "."]), &["no-such-model"]);
    if !tch::Cuda::is_available() {
        assert_refused(replay(&video).args(["--device", "cuda:7", "--output", "."]), &["CUDA"]);
    }
    assert_eq!(files(home.path()), before);
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (talk, noise) = (home.path().join("talk.mp4"), home.path().join("noise.mp4"));
    video_with_face(&talk, 60);
    video_of_noise(&noise, 10);
    let results = home.path().join("results");
    fs::create_dir(&results).unwrap();
    // A limit on the size of files, in KiB: too small for the table of one video, and for the annotated copy of the other.
    for (video, kibibytes) in [(talk, "4"), (noise, "64")] {
        let script = format!("trap '' XFSZ; ulimit -f {kibibytes}; exec \"$@\"");
        let mut command = assert_cmd::Command::new("bash");
        command.args(["-c", &script, "bash"]).arg(program::binary()).args(["replay", "--json"]).arg(&video);
        let output = command.arg("--output").arg(&results).assert().code(1);
        let stderr = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        let last = stderr.lines().last().unwrap();
        let is_told = last.contains("cannot write") || last.contains("came out incomplete");
        assert!(last.starts_with("error: ") && last.contains("results") && is_told, "{stderr}");
        assert_eq!(files(&results), Vec::<String>::new(), "{stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_no_half_result() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("long.mp4");
    video_with_face(&video, 3000);
    let results = home.path().join("results");
    let mut command = std::process::Command::new(program::binary());
    command.args(["replay", "--headless"]).arg(&video).arg("--output").arg(&results);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    program::wait_until("the files", || results.is_dir() && files(&results).len() == 2);
    program::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("no results were written"), "{stderr}");
    assert_eq!(files(&results), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
mod cameras {
    use opencv::core::{Mat, Rect};

    use super::*;
    use crate::support::drawn_face::picture_with_face;
    use crate::support::emulated_cameras::{Bus, Mode};
    use crate::support::own_model::own_model;

    /// A camera that looks at one person.
    fn bus() -> Bus {
        let pictures: Vec<Mat> =
            (0..10).map(|i| picture_with_face(640, 480, Rect::new(200 + 2 * i, 120, 220, 220))).collect();
        let bus = Bus::new();
        bus.plug(0, "Test Webcam", &[Mode::jpeg(640, 480, 30, &pictures)]);
        bus
    }

    fn watch(bus: &Bus, arguments: &[&str]) -> std::process::Command {
        let mut command = bus.command(program::binary());
        command.args(["live", "--headless"]).args(arguments);
        command
    }

    #[test]
    fn a_camera_is_watched_for_a_while_and_its_figures_printed() {
        let bus = bus();
        let home = tempfile::tempdir().unwrap();
        let table = home.path().join("faces.csv");
        let output = watch(&bus, &["--duration", "3", "--json", "--csv"]).arg(&table).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains("640×480"), "{stderr}");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let frames = json["frames"].as_u64().unwrap();
        assert!(frames >= 3, "{json:#}");
        assert!(json["captured"].as_u64().unwrap() >= frames + json["dropped"].as_u64().unwrap(), "{json:#}");
        let age = |name: &str| json["age_ms"][name].as_f64().unwrap();
        assert!(age("p50") > 0.0 && age("p50") <= age("p95") && age("p95") <= age("max"), "{json:#}");
        assert!(json["cpu_cores"].as_f64().unwrap() > 0.0);
        assert_eq!(json["faces"], rows(&table).len());
        assert_eq!(json["people"], 1, "{json:#}");
    }

    #[test]
    fn a_camera_is_watched_and_recorded_with_a_model_of_own_classes() {
        let bus = bus();
        let home = tempfile::tempdir().unwrap();
        let model = own_model(home.path(), &["wide awake", "tired", "happy"]);
        let recordings = home.path().join("recordings");
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let address = receiver.local_addr().unwrap();
        // Receives all the time: the system keeps a few hundred packets and drops the rest.
        let listening = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            let packets = std::iter::from_fn(|| receiver.recv(&mut bytes).ok().map(|length| bytes[..length].to_vec()));
            packets.take_while(|packet| packet != b"over").collect::<Vec<_>>()
        });
        let mut command = watch(&bus, &["--duration", "3", "--jsonl", "-", "--osc"]);
        command.arg(address.to_string()).arg("--record").arg(&recordings);
        let output = command.arg("--model").arg(&model).output().unwrap();
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"over", address).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<Value> = String::from_utf8(output.stdout.clone())
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(!lines.is_empty() && lines.iter().all(|row| row["smoothed_wide_awake"].is_number()), "{lines:?}");
        let packets = listening.join().unwrap();
        assert!(packets.iter().any(|packet| String::from_utf8_lossy(packet).contains("/mien/face/1/wide_awake")));
        // The last message is that nobody is seen any more.
        assert_eq!(packets.last().unwrap(), b"/mien/faces\0,i\0\0\0\0\0\0");

        let [recording] = files(&recordings).try_into().unwrap();
        let folder = recordings.join(recording);
        let metadata: Value = serde_json::from_slice(&fs::read(folder.join("session.json")).unwrap()).unwrap();
        assert_eq!(metadata["classes"], serde_json::json!(["wide awake", "tired", "happy"]));
        mien().current_dir(home.path()).arg("replay").arg(&folder).assert().success().stdout(contains("Wide awake"));
    }

    /// A small file system.
    struct SmallDisk(tempfile::TempDir);

    impl SmallDisk {
        /// Mounts one of this size; `None`, with a message, if this user may not.
        fn mount(size: &str) -> Option<Self> {
            let at = tempfile::tempdir().unwrap();
            let mut mount = std::process::Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at.path());
            if mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success()) {
                return Some(Self(at));
            }
            eprintln!("skipped: this user may not mount a small file system");
            None
        }

        fn path(&self) -> &Path {
            self.0.path()
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            std::process::Command::new("umount").arg(self.path()).status().ok();
        }
    }

    #[test]
    fn a_recording_that_a_full_disk_ends_asks_to_try_again() {
        let Some(disk) = SmallDisk::mount("2m") else { return };
        let output = watch(&bus(), &["--duration", "30", "--record"]).arg(disk.path()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(75), "{stderr}");
        assert!(stderr.contains("the disk is full"), "{stderr}");
    }

    #[test]
    fn tables_that_a_full_disk_ends_are_kept_up_to_their_last_whole_frame() {
        let Some(disk) = SmallDisk::mount("64k") else { return };
        let [csv, jsonl] = ["day.csv", "day.jsonl"].map(|name| disk.path().join(name));
        let bus = bus();
        let mut command = watch(&bus, &["--duration", "120"]);
        let output = command.arg("--csv").arg(&csv).arg("--jsonl").arg(&jsonl).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(75), "{stderr}");
        let kept = format!("what was seen up to then is in {} and {}", csv.display(), jsonl.display());
        let last = stderr.lines().last().unwrap();
        assert!(last.starts_with("error: cannot write ") && last.ends_with(&kept), "{stderr}");
        assert_eq!(files(disk.path()), ["day.csv", "day.jsonl"]);
        // A truncated row would have too few columns.
        assert!(rows(&csv).len() > 3);
        let lines = fs::read_to_string(&jsonl).unwrap();
        let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(objects.len() > 3 && lines.ends_with('\n'));
    }

    #[test]
    fn a_table_whose_name_was_taken_meanwhile_is_kept_beside_that_file() {
        let bus = bus();
        let home = tempfile::tempdir().unwrap();
        let table = home.path().join("day.csv");
        let mut command = watch(&bus, &["--duration", "3", "--csv"]);
        command.arg(&table).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        program::wait_until("the table", || !files(home.path()).is_empty());
        fs::write(&table, "precious").unwrap();
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("day.csv exists already") && stderr.trim_end().ends_with("day-2.csv"), "{stderr}");
        assert!(stdout.contains("Dropped") && stdout.contains("day-2.csv"), "{stdout}");
        assert_eq!(files(home.path()), ["day-2.csv", "day.csv"]);
        assert_eq!(fs::read_to_string(&table).unwrap(), "precious");
        assert!(!rows(&home.path().join("day-2.csv")).is_empty());
    }

    #[test]
    fn ctrl_c_ends_the_watch_with_the_figures_so_far() {
        let bus = bus();
        let home = tempfile::tempdir().unwrap();
        let table = home.path().join("faces.csv");
        let mut command = watch(&bus, &["--csv"]);
        command.arg(&table).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        program::interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Dropped"));
        assert_eq!(files(home.path()), ["faces.csv"]);
    }

    #[test]
    fn a_camera_that_cannot_be_opened_is_an_error() {
        let bus = bus();
        let answer = |command: &mut std::process::Command, code: i32| {
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(code));
            String::from_utf8(output.stderr).unwrap()
        };
        let wrong = answer(&mut watch(&bus, &["--camera", "7"]), 1);
        assert!(wrong.contains("no camera 7") && wrong.contains("Test Webcam"), "{wrong}");
        let other_program = bus.occupy(0);
        let busy = answer(&mut watch(&bus, &[]), 75);
        assert!(busy.contains("other program"), "{busy}");
        drop(other_program);
        let none = answer(&mut watch(&Bus::new(), &[]), 1);
        assert!(none.contains("no camera found"), "{none}");
    }
}
