//! Live results for other programs without a server, and network cameras.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::client::PATIENCE;
use super::support::emulated_cameras::{Bus, Mode};
use super::support::ffmpeg::{ffmpeg, has_ffmpeg};
use super::support::program::{binary, interrupt, mien, video_with_face, wait_until};

/// A program that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn analyze_writes_lines_to_the_standard_output_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    video_with_face(&video, 20);
    let output = mien().current_dir(&folder).args(["analyze", "--jsonl", "-", "clip.mp4"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 10 && rows.iter().all(|row| row["file"] == "clip.mp4" && row["face"] == 1), "{rows:?}");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["clip.mp4"]);
}

#[test]
fn a_damaged_file_among_streamed_ones_is_told_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    video_with_face(&folder.path().join("clip.mp4"), 20);
    std::fs::write(folder.path().join("bad.mp4"), "no video").unwrap();
    let output = mien().current_dir(&folder).args(["analyze", "--jsonl", "-", "bad.mp4", "clip.mp4"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.lines().all(|line| line.starts_with("{\"file\":\"clip.mp4\"")) && out.lines().count() > 10, "{out}");
    assert!(err.contains("bad.mp4") && err.contains("1 of the inputs"), "{err}");
}

#[test]
fn a_dash_without_lines_is_refused() {
    for arguments in [
        &["analyze", "-", "clip.mp4"] as &[&str],
        &["analyze", "--jsonl", "-"],
        &["analyze", "--jsonl", "--video", "-", "a.mp4"],
    ] {
        let output = mien().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// A camera that looks at a face, and a receiver of Open Sound Control with its address.
fn camera_and_receiver() -> (Bus, UdpSocket, String) {
    let bus = Bus::new();
    let picture = super::support::drawn_face::picture_with_face(640, 480, opencv::core::Rect::new(220, 140, 200, 200));
    bus.plug(0, "Test camera", &[Mode::jpeg(640, 480, 30, &[picture])]);
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let osc = receiver.local_addr().unwrap().to_string();
    (bus, receiver, osc)
}

/// A camera's results as lines and as OSC, both while it runs.
#[test]
fn a_watched_camera_gives_lines_and_osc_as_they_come() {
    let (bus, receiver, osc) = camera_and_receiver();
    let mut command = bus.command(binary());
    command.args(["live", "--headless", "--camera", "0", "--jsonl", "-", "--osc", &osc]);
    let mut child = Ended(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let rows: Vec<Value> = lines.by_ref().take(3).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert!(rows.iter().all(|row| row["file"] == "Test camera" && row["face"] == 1), "{rows:?}");
    let label = rows[0]["label"].as_str().unwrap().to_owned();

    let mut bytes = [0; 4096];
    let sent = std::iter::from_fn(|| receiver.recv(&mut bytes).ok().map(|length| bytes[..length].to_vec()));
    let bundle = sent.take(200).find(|packet| packet.starts_with(b"#bundle")).expect("no face came");
    let holds = |word: &str| bundle.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(holds("/mien/face/1/happy") && holds("/mien/face/1/label") && holds(&label));
    // When the reader closes the pipe, the program ends without an error.
    drop(lines);
    let status = child.0.wait().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_reader_who_stands_still_loses_lines_and_holds_up_neither_osc_nor_the_table_nor_the_end() {
    let (bus, receiver, osc) = camera_and_receiver();
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("faces.csv");
    // The pipe is full from the beginning, so that not even the first line fits.
    let (reader, pipe) = std::io::pipe().unwrap();
    let mut filler = pipe.try_clone().unwrap();
    let filling = std::thread::spawn(move || while filler.write_all(&[b'\n'; 4096]).is_ok() {});
    let mut command = bus.command(binary());
    command.args(["live", "--headless", "--camera", "0", "--jsonl", "-", "--osc", &osc, "--csv"]).arg(&table);
    let child = command.stdout(pipe).stderr(Stdio::piped()).spawn().unwrap();
    let child = RefCell::new(Ended(child));
    let mut bytes = [0; 4096];
    let packets = std::iter::from_fn(|| receiver.recv(&mut bytes).ok().map(|length| bytes[..length].to_vec()));
    let faces = packets.filter(|packet| packet.starts_with(b"#bundle")).take(40).count();
    assert_eq!(faces, 40);

    interrupt(&child.borrow().0);
    wait_until("the end", || child.borrow_mut().0.try_wait().unwrap().is_some());
    let mut child = child.into_inner();
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
    let told = std::io::read_to_string(child.0.stderr.take().unwrap()).unwrap();
    assert!(told.contains("left out because their reader was too slow"), "{told}");
    let rows = std::fs::read_to_string(table).unwrap().lines().count();
    assert!(rows > 5, "{rows} lines in the table");
    drop(reader);
    filling.join().unwrap();
}

/// A camera that sends pictures over HTTP, as cheap ones do, with a password in its address.
#[test]
fn a_camera_in_the_network_is_watched_and_found_again_and_its_password_is_told_to_nobody() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.avi");
    video_with_face(&clip, 50);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Serves one client and plays the clip once. Then the "camera" is gone until it is started again.
    let serve = || {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-re", "-i"]).arg(&clip).args(["-c", "copy", "-f", "mpjpeg", "-listen", "1"]);
        Ended(command.arg(format!("http://127.0.0.1:{port}/video")).stderr(Stdio::null()).spawn().unwrap())
    };
    let camera = serve();
    std::thread::sleep(Duration::from_millis(500));
    let table = folder.path().join("faces.csv");
    let mut command = Command::new(binary());
    let address = format!("http://admin:hunter2@127.0.0.1:{port}/video?pwd=hunter2");
    command.args(["live", "--headless", "--camera", &address, "--jsonl", "-", "--csv"]).arg(&table);
    command.env("MIEN_LOG", "debug").env_remove("DISPLAY");
    let mut child = Ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let complaints = child.0.stderr.take().unwrap();
    let told = std::thread::spawn(move || std::io::read_to_string(complaints).unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().expect("no face came");
    let name = format!("\"file\":\"http://127.0.0.1:{port}/video\"");
    assert!(first.contains(&name), "{first}");
    // The camera disappears and comes back.
    drop(camera);
    let _camera = serve();
    let frame = |line: &str| serde_json::from_str::<Value>(line).unwrap()["frame"].as_u64().unwrap();
    let last = frame(&first);
    let time_of = |line: String| serde_json::from_str::<Value>(&line).unwrap()["time_s"].as_f64().unwrap();
    let (mut before, mut gap) = (time_of(first), 0.0_f64);
    for line in lines.by_ref() {
        assert!(frame(&line) > last);
        let time = time_of(line);
        gap = gap.max(time - before);
        before = time;
        if gap > 0.9 {
            break;
        }
    }
    assert!(gap > 0.9, "the camera never came back");
    interrupt(&child.0);
    drop(lines);
    child.0.wait().unwrap();
    let told = told.join().unwrap();
    assert!(told.contains("was lost") && !told.contains("hunter2"), "{told}");
    assert!(!std::fs::read_to_string(table).unwrap().contains("hunter2"));
}

#[test]
fn a_camera_in_the_network_that_does_not_answer_is_named_without_its_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for scheme in ["rtsp", "http"] {
        let address = format!("{scheme}://admin:hunter2@127.0.0.1:{port}/live");
        let output =
            mien().args(["live", "--headless", "--camera", &address]).env("MIEN_LOG", "debug").output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(told.contains(&format!("{scheme}://127.0.0.1:{port}/live")) && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_mistyped_address_of_a_camera_is_a_wrong_option_and_its_password_stays_hidden() {
    for command in [&["live", "--headless"] as &[&str], &["serve"]] {
        let address = "rstp://admin:hunter2@127.0.0.1:1/live";
        let output = mien().args(command).args(["--camera", address]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("rtsp://, http:// or https://") && !told.contains("hunter2"), "{told}");
    }
}

/// A file that is named like a protocol, or that lists other files, opens nothing else.
#[test]
fn files_named_like_protocols_or_playlists_open_nothing_else() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret.mp4");
    video_with_face(&secret, 20);
    let named = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let playlist = format!("#EXTM3U\n#EXTINF:1,\n{}\n", secret.display());
    let list = format!("ffconcat version 1.0\nfile '{}'\n", secret.display());
    // Playlists by their content, whatever their names.
    for path in [
        named("list.m3u8", playlist.as_bytes()),
        named("list.mp4", playlist.as_bytes()),
        named("list.ffconcat", list.as_bytes()),
    ] {
        let output = mien().args(["analyze", "--jsonl", "-"]).arg(&path).output().unwrap();
        assert!(output.stdout.is_empty() && output.status.code() == Some(3), "{}", path.display());
    }
    // A file whose name FFmpeg would take for a protocol is a file like any other, here a real video.
    let odd = folder.path().join("concat:secret.mp4|secret.mp4");
    ffmpeg(
        &["-i", secret.to_str().unwrap(), "-frames:v", "8", "-c:v", "copy", "-f", "mp4"],
        &folder.path().join("short.mp4"),
    );
    std::fs::rename(folder.path().join("short.mp4"), &odd).unwrap();
    let output =
        mien().current_dir(&folder).args(["analyze", "--jsonl", "-", "concat:secret.mp4|secret.mp4"]).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && (1..=8).contains(&out.lines().count()), "{out} {:?}", output.status);
}
