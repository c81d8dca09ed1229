//! The examples do what they say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::api::face_jpeg;
use super::client::Server;
use super::support::program::video_with_face;

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

#[test]
fn the_client_in_python_prints_emotions_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    video_with_face(&video, 60);
    let server = Server::start(&["--video", video.to_str().unwrap()]);
    let mut command = Command::new("python3");
    command.arg(example("client.py")).arg(server.link("")).stdout(Stdio::piped());
    let mut client = command.spawn().unwrap();
    let lines = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.take(200).find(|line| line.contains("face 1: ")).expect("no line has a face");
    assert!(line.contains(" s  ") && line.contains('%'), "{line}");
    client.kill().unwrap();
    client.wait().unwrap();
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

/// Stands for pylsl: writes down what would be streamed.
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

#[test]
fn the_bridge_to_lsl_streams_the_first_face_of_each_frame() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pylsl.py"), STAND_IN).unwrap();
    let mut command = Command::new("python3");
    command.arg(example("lsl_bridge.py")).env("PYTHONPATH", folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut bridge = command.spawn().unwrap();
    let names = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
    let mut lines = bridge.stdin.take().unwrap();
    for (frame, face) in [(0, 1), (0, 2), (1, 2)] {
        let shares: String = names.iter().map(|name| format!(",\"smoothed_{name}\":0.25")).collect();
        writeln!(lines, "{{\"frame\":{frame},\"face\":{face}{shares}}}").unwrap();
    }
    drop(lines);
    let output = bridge.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let samples: Vec<_> = told.lines().filter(|line| line.starts_with("sample")).collect();
    assert_eq!(samples, ["sample 8 0.25 1.0", "sample 8 0.25 2.0"], "{told}");
    assert!(told.starts_with("stream Mien Emotion 8\n") && told.contains("channel label happy"), "{told}");
}
