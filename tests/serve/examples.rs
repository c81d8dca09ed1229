//! The examples do what they say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::api::face_jpeg;
use super::client::Server;
use super::support::own_model::own_model;
use super::support::program::video_with_face;

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// What client.py prints for a frame with a face, from a server with these additional options.
fn told_by_client(options: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    video_with_face(&video, 60);
    let server = Server::start(&[&["--video", video.to_str().unwrap()], options].concat());
    let mut command = Command::new("python3");
    command.arg(example("client.py")).arg(server.link("")).stdout(Stdio::piped());
    let mut client = command.spawn().unwrap();
    let lines = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.take(200).find(|line| line.contains("face 1: "));
    client.kill().ok();
    client.wait().unwrap();
    line.expect("no line has a face")
}

#[test]
fn the_client_in_python_prints_emotions_as_they_come() {
    let line = told_by_client(&[]);
    assert!(line.contains(" s  ") && line.contains('%'), "{line}");
}

#[test]
fn the_client_in_python_prints_own_classes_whose_fields_have_other_names() {
    let home = tempfile::tempdir().unwrap();
    let model = own_model(home.path(), &["wide awake", "very tired"]);
    let line = told_by_client(&["--model", model.to_str().unwrap()]);
    assert!(line.contains("(wide awake ") || line.contains("(very tired "), "{line}");
}

#[test]
fn the_client_in_python_says_why_it_gets_nothing() {
    let told = |link: &str| {
        let output = Command::new("python3").arg(example("client.py")).arg(link).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && !words.contains("Traceback"), "{words}");
        words
    };
    let server = Server::start(&[]);
    let words = told(&format!("http://{}/#token=wrong", server.address));
    assert!(words.contains("token") && !words.contains('{'), "{words}");
    // Nothing to show: no camera, video or recording.
    assert!(!told(&server.link("")).trim().is_empty());
    drop(server);
    // Nobody listens at port 1.
    assert!(told("http://127.0.0.1:1/#token=wrong").contains("can't reach the server"));
    assert!(told("127.0.0.1").contains("not the link"));
}

#[test]
fn a_picture_is_sent_with_curl() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: this test needs the program curl");
        return;
    }
    let server = Server::start(&[]);
    let picture = server.folder().join("face.jpg");
    std::fs::write(&picture, face_jpeg(0)).unwrap();
    let output = Command::new("sh").arg(example("analyze.sh")).arg(server.link("")).arg(&picture).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["faces"][0]["face"], 1, "{report}");
}

/// A stand-in for pylsl that prints what would be streamed.
const STAND_IN: &str = "
IRREGULAR_RATE, cf_float32 = 0.0, 1
class Node:
    def append_child(self, name): return Node()
    def append_child_value(self, name, value): print('channel', name, value)
class StreamInfo:
    def __init__(self, name, kind, channels, rate, form, source): print('stream', name, kind, channels)
    def desc(self): return Node()
class StreamOutlet:
    def __init__(self, info): pass
    def push_sample(self, sample): print('sample', len(sample), sample[3], sample[7])
";

/// Runs the bridge on faces 1 and 2 of one frame and face 2 of the next, with these classes.
fn bridged(names: &[&str], arguments: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pylsl.py"), STAND_IN).unwrap();
    let mut command = Command::new("python3");
    command.arg(example("lsl_bridge.py")).args(arguments).env("PYTHONPATH", folder.path());
    let mut bridge = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = bridge.stdin.take().unwrap();
    for (frame, face) in [(0, 1), (0, 2), (1, 2)] {
        let shares: String = names.iter().map(|name| format!(",\"smoothed_{name}\":0.25")).collect();
        // A bridge that has ended reads no more.
        writeln!(lines, "{{\"frame\":{frame},\"face\":{face}{shares}}}").ok();
    }
    drop(lines);
    bridge.wait_with_output().unwrap()
}

#[test]
fn the_bridge_to_lsl_streams_the_first_face_of_each_frame() {
    let output = bridged(&["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"], &[]);
    let told = String::from_utf8(output.stdout).unwrap();
    let samples: Vec<_> = told.lines().filter(|line| line.starts_with("sample")).collect();
    assert_eq!(samples, ["sample 8 0.25 1.0", "sample 8 0.25 2.0"], "{told}");
    assert!(told.starts_with("stream Mien Emotion 8\n") && told.contains("channel label happy"), "{told}");
}

#[test]
fn the_bridge_to_lsl_takes_own_classes_that_it_is_told() {
    let names: Vec<String> = (1..=7).map(|class| format!("class_{class}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let told = String::from_utf8(bridged(&names, &["--classes", &names.join(",")]).stdout).unwrap();
    assert!(told.starts_with("stream Mien Class 8\n") && told.contains("channel label class_7"), "{told}");
    assert!(told.contains("sample 8 0.25 1.0"), "{told}");
    let error = String::from_utf8(bridged(&names, &[]).stderr).unwrap();
    assert!(error.contains("no smoothed_angry") && error.contains("--classes"), "{error}");
}
