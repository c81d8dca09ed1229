//! What is stored: nothing, unless the operator asks for recordings; then what the cameras send.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencv::core::Rect;
use serde_json::Value;
use tungstenite::Message;

use super::api::{face_jpeg, until_face};
use super::client::{Server, frame, next_json};
use super::support::emulated_cameras::{Bus, Mode};
use super::support::program::{binary, interrupt, wait_until};

/// All files in and below a folder, in order.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

/// The recordings in a folder, in the order of their names, with what they say of themselves.
fn recordings_in(folder: &Path) -> Vec<(PathBuf, Value)> {
    let described = files_in(folder).into_iter().filter(|path| path.ends_with("session.json"));
    let read = |path: PathBuf| {
        let metadata = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        (path.parent().unwrap().to_owned(), metadata)
    };
    described.map(read).collect()
}

fn rows(table: &Path) -> usize {
    csv::Reader::from_path(table).unwrap().records().map(Result::unwrap).count()
}

/// Sends pictures of a face until it is found, then two of another shape, and posts one. Returns how many were sent before those two.
fn visit(server: &Server) -> u64 {
    let mut socket = server.program_socket("/api/v1/visit");
    let seen_at = until_face(&mut socket)["id"].as_u64().unwrap();
    for id in [1000, 1001] {
        socket.send(frame(id, &turned())).unwrap();
        assert_eq!(next_json(&mut socket).unwrap()["picture_width"], 240);
    }
    socket.send(Message::Close(None)).unwrap();
    while socket.read().is_ok() {}
    assert_eq!(server.json("POST", "/api/v1/analyze", &face_jpeg(0)).0, 200);
    seen_at + 1
}

/// What a phone sends after it was rotated.
fn turned() -> Vec<u8> {
    let picture = super::support::drawn_face::picture_with_face(240, 320, Rect::new(65, 90, 110, 110));
    let mut bytes = opencv::core::Vector::new();
    opencv::imgcodecs::imencode_def(".jpg", &picture, &mut bytes).unwrap();
    bytes.into()
}

#[test]
fn nothing_that_a_visitor_sends_is_stored_unless_that_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let at_home = || {
        let mut command = Command::new(binary());
        command.current_dir(&home).env("HOME", home.path()).env("TMPDIR", home.path());
        for folder in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env_remove(folder);
        }
        command
    };
    let server = Server::start_by(at_home(), "127.0.0.1:0", &[]);
    let (_, about) = server.json("GET", "/api/v1/about", b"");
    assert_eq!((&about["are_visitors_recorded"], &about["is_source_recorded"]), (&false.into(), &false.into()));
    visit(&server);
    interrupt(server.process());
    assert_eq!(server.wait(), Some(0));
    assert_eq!(files_in(home.path()), Vec::<PathBuf>::new());

    let server = Server::start_by(at_home(), "127.0.0.1:0", &["--record", "kept"]);
    let (_, about) = server.json("GET", "/api/v1/about", b"");
    assert_eq!((&about["are_visitors_recorded"], &about["is_source_recorded"]), (&true.into(), &false.into()));
    let sent = visit(&server);
    interrupt(server.process());
    assert_eq!(server.wait(), Some(0));
    let recordings = recordings_in(home.path());
    // Each has the pictures of its shape except the one that started the recording; the posted picture is in neither.
    let [(upright, first), (turned, second)] = recordings.as_slice() else { panic!("{recordings:?}") };
    assert!(upright.starts_with(home.path().join("kept")) && upright.to_string_lossy().contains("visitor 1"));
    assert_eq!((&first["counts"]["frames"], &first["width"]), (&(sent - 1).into(), &320.into()), "{first}");
    assert_eq!((&second["counts"]["frames"], &second["width"]), (&1.into(), &240.into()), "{second}");
    assert!(first["ended"].is_string() && rows(&upright.join("faces.csv")) >= 1);
    assert_eq!(rows(&upright.join("frames.csv")) as u64, sent - 1);
    assert_eq!(rows(&turned.join("analysed.csv")), 1);
}

#[test]
fn a_recording_of_a_visitor_who_stays_to_the_end_is_whole_and_can_be_blurred() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let server = Server::start(&["--record", kept.to_str().unwrap(), "--blur", "faces"]);
    let mut socket = server.program_socket("/api/v1/visit");
    until_face(&mut socket);
    interrupt(server.process());
    while socket.read().is_ok() {}
    assert_eq!(server.wait(), Some(0));
    let recordings = recordings_in(&kept);
    let [(recording, described)] = recordings.as_slice() else { panic!("{recordings:?}") };
    assert!(described["ended"].is_string() && described["blur"] == "faces", "{described}");
    let output = super::support::program::mien()
        .current_dir(&folder)
        .args(["replay", "--headless"])
        .arg(recording)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_recording_of_the_servers_camera_that_cannot_begin_is_told() {
    let bus = Bus::new();
    bus.plug(0, "Test camera", &[Mode::pattern(320, 240, 30)]);
    bus.unplug(0);
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("kept");
    let command = bus.command(binary());
    let server = Server::start_by(command, "127.0.0.1:0", &["--camera", "0", "--record", folder.to_str().unwrap()]);
    let is_recorded = || server.json("GET", "/api/v1/about", b"").1["is_source_recorded"].clone();
    assert_eq!(is_recorded(), true);
    // The folder goes before the camera comes.
    std::fs::remove_dir(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    bus.plug_in_again(0);
    wait_until("the end of the recording", || is_recorded() == false);
    interrupt(server.process());
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_server_that_cannot_record_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no folder");
    std::fs::write(&file, "").unwrap();
    let output =
        Command::new(binary()).args(["serve", "--bind", "127.0.0.1:0", "--record"]).arg(&file).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("can't record to") && told.contains("no folder"), "{told}");
}

#[test]
fn a_recording_of_the_servers_camera_that_cannot_be_completed_is_told_at_the_end() {
    let bus = Bus::new();
    bus.plug(0, "Test camera", &[Mode::pattern(320, 240, 30)]);
    let folder = tempfile::tempdir().unwrap();
    let (kept, told) = (folder.path().join("kept"), folder.path().join("told"));
    let mut command = bus.command(binary());
    command.stderr(fs::File::create(&told).unwrap());
    let server = Server::start_by(command, "127.0.0.1:0", &["--camera", "0", "--record", kept.to_str().unwrap()]);
    // The folder is there before the files in it.
    let recordings = || if kept.exists() { recordings_in(&kept) } else { Vec::new() };
    let has_frames = |recording: &Path| fs::metadata(recording.join("frames.csv")).is_ok_and(|file| file.len() > 100);
    wait_until("the camera's recording", || recordings().iter().any(|(recording, _)| has_frames(recording)));
    let (recording, _) = recordings().remove(0);
    // A folder with its name keeps the file from being written again at the end.
    fs::remove_file(recording.join("session.json")).unwrap();
    fs::create_dir(recording.join("session.json")).unwrap();
    interrupt(server.process());
    assert_eq!(server.wait(), Some(0));
    let told = fs::read_to_string(told).unwrap();
    let words = format!("warning: the recording in {} has ended: ", recording.display());
    assert!(told.contains(&words), "{told}");
}

#[test]
fn the_servers_camera_is_recorded_beside_its_visitors_and_everybody_is_told() {
    let bus = Bus::new();
    let picture = super::support::drawn_face::picture_with_face(640, 480, Rect::new(220, 140, 200, 200));
    bus.plug(0, "Test camera", &[Mode::jpeg(640, 480, 30, &[picture])]);
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().to_str().unwrap();
    let command = bus.command(binary());
    let server = Server::start_by(command, "127.0.0.1:0", &["--camera", "0", "--record", kept]);
    let (_, about) = server.json("GET", "/api/v1/about", b"");
    assert_eq!((&about["are_visitors_recorded"], &about["is_source_recorded"]), (&true.into(), &true.into()));
    wait_until("the camera's recording", || {
        recordings_in(folder.path()).iter().any(|(recording, _)| rows(&recording.join("frames.csv")) > 3)
    });
    visit(&server);
    interrupt(server.process());
    assert_eq!(server.wait(), Some(0));
    let recordings = recordings_in(folder.path());
    let devices: Vec<_> = recordings.iter().map(|(_, described)| described["device"].as_str().unwrap()).collect();
    assert!(devices.contains(&"Test camera") && devices.contains(&"visitor 1"), "{devices:?}");
    assert!(recordings.iter().all(|(_, described)| described["ended"].is_string()), "{recordings:?}");
}
