//! The API as programs and the page's scripts use it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use opencv::core::{Rect, Vector};
use opencv::imgcodecs;
use serde_json::Value;
use tungstenite::Message;

use super::client::{Server, TOKEN, frame, next_json};
use super::support::drawn_face::picture_with_face;
use super::support::emulated_cameras::{Bus, Mode};
use super::support::own_model::own_model;
use super::support::program::{assert_refused, binary, interrupt, mien, video_with_face, wait_until};
use super::support::sessions::record_of;

const WIDTH: i32 = 320;
const HEIGHT: i32 = 240;

/// A picture with a face that has moved `to` pixels to the right.
pub fn face_jpeg(to: i32) -> Vec<u8> {
    let mut bytes = Vector::new();
    let picture = picture_with_face(WIDTH, HEIGHT, Rect::new(90 + to, 70, 110, 110));
    imgcodecs::imencode_def(".jpg", &picture, &mut bytes).unwrap();
    bytes.into()
}

/// Sends frames, each after the answer to the one before, until an answer has a face. Returns that answer.
pub fn until_face(socket: &mut tungstenite::WebSocket<std::net::TcpStream>) -> Value {
    for id in 0..30 {
        socket.send(frame(id, &face_jpeg(0))).unwrap();
        let answer = next_json(socket).expect("the session ended");
        assert_eq!((&answer["type"], &answer["id"]), (&"scene".into(), &id.into()), "{answer}");
        assert_eq!(answer["t"], f64::from(id));
        if !answer["faces"].as_array().unwrap().is_empty() {
            return answer;
        }
    }
    panic!("a face isn't found in thirty frames");
}

#[test]
fn a_posted_picture_gets_the_numbers_that_the_table_has_of_it() {
    let server = Server::start(&[]);
    let (status, report) = server.json("POST", "/api/v1/analyze", &face_jpeg(0));
    assert_eq!((status, &report["picture_width"], &report["picture_height"]), (200, &WIDTH.into(), &HEIGHT.into()));
    let [face] = report["faces"].as_array().unwrap().as_slice() else { panic!("one face: {report}") };

    let picture = server.folder().join("face.jpg");
    std::fs::write(&picture, face_jpeg(0)).unwrap();
    let output = mien().args(["analyze", "--jsonl", "-"]).arg(&picture).output().unwrap();
    let row: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (face, mut row) = (face.as_object().unwrap().clone(), row.as_object().unwrap().clone());
    for column in ["file", "frame", "time_s"] {
        row.shift_remove(column).unwrap();
    }
    let names = |row: &serde_json::Map<String, Value>| row.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&face), names(&row), "the same names in the same order");
    for (name, value) in &row {
        match (value.as_f64(), face[name].as_f64()) {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1.5e-4, "{name}: {a} and {b}"),
            _ => assert_eq!(value, &face[name], "{name}"),
        }
    }
}

#[test]
fn pictures_that_are_none_or_too_large_are_answered_with_a_reason() {
    let server = Server::start(&[]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([30_000_u32.to_be_bytes(), 30_000_u32.to_be_bytes()].concat());
    png.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
    for (body, expected, word) in [
        (b"text".to_vec(), 422, "JPEG"),
        (png, 413, "megapixels"),
        (vec![0; 3 << 20], 413, "bytes"),
        (vec![], 422, "JPEG"),
    ] {
        let (status, answer) = server.json("POST", "/api/v1/analyze", &body);
        assert_eq!(status, expected);
        assert!(answer["error"].as_str().unwrap().contains(word), "{answer}");
    }
}

#[test]
fn each_visitor_has_a_count_of_their_own_and_the_network_serves_both() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.program_socket("/api/v1/visit"), server.program_socket("/api/v1/visit"));
    for socket in [&mut one, &mut other] {
        let answer = until_face(socket);
        let face = &answer["faces"][0];
        assert_eq!(face["face"], 1);
        assert!(face["x"].as_f64().unwrap() > 50.0 && face["smoothed_happy"].is_number(), "{face}");
    }
    one.send(Message::text(r#"{"smoothing": 0}"#)).unwrap();
    one.send(frame(99, &face_jpeg(1))).unwrap();
    let face = next_json(&mut one).unwrap()["faces"][0].clone();
    assert_eq!(face["raw_neutral"], face["smoothed_neutral"]);
    let metrics = server.request("GET", "/metrics", &[("Authorization", &format!("Bearer {TOKEN}"))], b"").1;
    assert!(metrics.contains("mien_sessions 2\n") && !metrics.contains("mien_faces_total 0\n"), "{metrics}");
}

#[test]
fn a_damaged_frame_is_told_and_the_session_goes_on() {
    let server = Server::start(&[]);
    let mut socket = server.program_socket("/api/v1/visit");
    socket.send(frame(5, b"no picture")).unwrap();
    let problem = next_json(&mut socket).unwrap();
    assert_eq!((&problem["type"], &problem["id"], &problem["status"]), (&"problem".into(), &5.into(), &422.into()));
    until_face(&mut socket);
}

#[test]
fn the_servers_video_comes_as_scenes_events_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    video_with_face(&video, 60);
    let server = Server::start(&["--video", video.to_str().unwrap()]);

    let mut socket = server.program_socket("/api/v1/live");
    let scene = std::iter::from_fn(|| next_json(&mut socket)).take(200).find(|scene| scene["faces"][0]["face"] == 1);
    let scene = scene.expect("no scene has the face");
    assert_eq!((&scene["file"], &scene["picture_width"]), (&"clip.mp4".into(), &320.into()));
    let names: BTreeSet<_> = scene.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(["frame", "time_s", "age_ms", "faces"].iter().all(|name| names.contains(name)), "{names:?}");

    let head = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n", server.address)
    };
    let mut events = server.connect();
    events.write_all(head("/api/v1/live").as_bytes()).unwrap();
    let mut lines = BufReader::new(events).lines().map(Result::unwrap);
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&data).unwrap()["file"], "clip.mp4");

    // With the token in the address, as programs do that can't set headers.
    let mut stream = server.connect();
    let request = format!("GET /stream.mjpg?token={TOKEN} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = vec![0; 60_000];
    stream.read_exact(&mut bytes).unwrap();
    let jpegs = bytes.windows(3).filter(|window| window == b"\xff\xd8\xff").count();
    assert!(jpegs >= 2 && String::from_utf8_lossy(&bytes).contains("boundary=mien-frame"), "{jpegs} pictures");

    let mut watch = server.program_socket("/api/v1/watch");
    let bytes = loop {
        if let Message::Binary(bytes) = watch.read().unwrap() {
            break bytes;
        }
    };
    let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
    let (json, jpeg) = rest.split_at(u32::from_le_bytes(*length) as usize);
    assert_eq!(serde_json::from_slice::<Value>(json).unwrap()["file"], "clip.mp4");
    let picture = imgcodecs::imdecode(&Vector::<u8>::from_slice(jpeg), imgcodecs::IMREAD_COLOR).unwrap();
    assert_eq!(opencv::core::MatTraitConst::cols(&picture), 320);
}

#[test]
fn a_server_without_a_source_says_so() {
    let server = Server::start(&[]);
    for path in ["/api/v1/live", "/stream.mjpg"] {
        let (status, answer) = server.json("GET", path, b"");
        assert_eq!(status, 404);
        assert!(answer["error"].as_str().unwrap().contains("--camera"), "{answer}");
    }
}

/// The code of the close frame that ends a session.
fn close_code(socket: &mut tungstenite::WebSocket<std::net::TcpStream>) -> u16 {
    loop {
        match socket.read().expect("the session ended without a word") {
            Message::Close(Some(close)) => return close.code.into(),
            Message::Close(None) => panic!("no reason"),
            _ => {}
        }
    }
}

#[test]
fn ctrl_c_ends_every_session_with_a_close_frame_and_waits_for_nobody_who_does_not_answer() {
    let server = Server::start(&[]);
    let (mut socket, mut silent) = (server.program_socket("/api/v1/visit"), server.program_socket("/api/v1/visit"));
    until_face(&mut socket);
    interrupt(server.process());
    assert_eq!(close_code(&mut socket), 1001);
    // It answers the close frame, as browsers do.
    while socket.read().is_ok() {}
    // The other client doesn't read, so it hasn't answered by the time the server has ended.
    assert_eq!(server.wait(), Some(0));
    assert_eq!(close_code(&mut silent), 1001);
}

#[test]
fn when_the_servers_camera_is_unplugged_programs_are_told_that_nobody_is_there_and_the_page_why() {
    let bus = Bus::new();
    let picture = picture_with_face(640, 480, Rect::new(220, 140, 200, 200));
    bus.plug(0, "Test camera", &[Mode::jpeg(640, 480, 30, &[picture])]);
    let server = Server::start_by(bus.command(binary()), "127.0.0.1:0", &["--camera", "0"]);
    let (mut live, mut watch) = (server.program_socket("/api/v1/live"), server.program_socket("/api/v1/watch"));
    let mut overlay = server.program_socket("/api/v1/overlay");
    let mut scenes = std::iter::from_fn(|| next_json(&mut live));
    let is_empty = |scene: &Value| scene["faces"].as_array().unwrap().is_empty();
    assert!(scenes.any(|scene| !is_empty(&scene)), "nobody was seen");
    bus.unplug(0);
    let last = scenes.find(is_empty).expect("the session ended");
    assert_eq!((&last["file"], &last["picture_width"]), (&"camera 0".into(), &640.into()), "{last}");
    for socket in [&mut watch, &mut overlay] {
        let told = std::iter::from_fn(|| next_json(socket)).find(|told| told["state"] == "lost").unwrap();
        assert!(told["type"] == "source" && told["message"].as_str().unwrap().contains("tries again"), "{told}");
    }
}

#[test]
fn where_the_servers_camera_cannot_be_opened_the_page_says_so_and_the_operator_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut command = Bus::new().command(binary());
    command.stderr(std::fs::File::create(&told).unwrap());
    let server = Server::start_by(command, "127.0.0.1:0", &["--camera", "0"]);
    let mut watch = server.program_socket("/api/v1/watch");
    let report = std::iter::from_fn(|| next_json(&mut watch)).find(|report| report["state"] == "lost").unwrap();
    let message = report["message"].as_str().unwrap();
    assert!(message.contains("can't be opened") && !message.contains("no camera found"), "{message}");
    wait_until("the reason", || std::fs::read_to_string(&told).unwrap().contains("no camera found"));
}

#[test]
fn the_document_describes_every_path_of_the_api() {
    let server = Server::start(&[]);
    let (status, document) = server.json("GET", "/api/v1/openapi.json", b"");
    assert_eq!(status, 200);
    for path in ["/api/v1/analyze", "/api/v1/live", "/api/v1/models", "/healthz", "/metrics", "/stream.mjpg"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    for path in ["/api/v1/visit", "/api/v1/watch", "/api/v1/overlay"] {
        assert!(document["paths"][path]["get"]["responses"]["101"].is_object(), "{path}");
    }
    let schemas = &document["components"]["schemas"];
    for name in ["SceneReport", "ServerMessage", "SourceReport", "SourceState", "VisitorCommand"] {
        assert!(schemas[name].is_object(), "{name}");
    }
    let (_, models) = server.json("GET", "/api/v1/models", b"");
    let in_use: Vec<_> = models.as_array().unwrap().iter().filter(|model| model["is_in_use"] == true).collect();
    assert!(in_use.len() == 1 && in_use[0]["name"] == "mien-joint", "{models}");
}

#[test]
fn the_document_has_each_status_with_which_a_request_is_refused() {
    let server = Server::start(&[]);
    let (_, document) = server.json("GET", "/api/v1/openapi.json", b"");
    let bearer = format!("Bearer {TOKEN}");
    let token = ("Authorization", bearer.as_str());
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 12, "{paths:?}");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let request = |headers: &[(&str, &str)]| server.request(&method.to_uppercase(), path, headers, b"").0;
            let (elsewhere, foreign) = (&[("Host", "evil.example"), token], &[("Origin", "null"), token]);
            assert_eq!([request(elsewhere), request(foreign)], [421, 403], "{path}");
            // Without the token, and without what the route needs: a body, a handshake or a source.
            for status in [421, 403, 429, 500, request(&[]), request(&[token])] {
                assert!(operation["responses"][status.to_string()].is_object(), "{method} {path}: {status}");
            }
        }
    }
}

/// The TLS client is Python's standard library; set-up installs Python.
#[test]
fn with_tls_the_link_is_https_and_a_code_for_phones_is_drawn() {
    let server = Server::start_at("0.0.0.0:0", &["--tls", "self-signed"]);
    assert!(
        server.greeting.contains("https://localhost:") && server.greeting.contains("will warn"),
        "{}",
        server.greeting
    );
    // A machine without a network has no address for a phone.
    assert!(server.greeting.contains('█') || !server.greeting.contains("or https://"), "{}", server.greeting);
    let script = format!(
        "import ssl, urllib.request as r\n\
         c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE\n\
         print(r.urlopen('https://localhost:{}/healthz', context=c).read().decode())",
        server.address.port()
    );
    let output = std::process::Command::new("python3").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), r#"{"status":"ok"}"#, "{output:?}");
}

#[test]
fn a_model_of_own_classes_answers_with_its_own_fields_and_describes_them() {
    let home = tempfile::tempdir().unwrap();
    let model = own_model(home.path(), &["wide awake", "tired", "happy"]);
    let server = Server::start(&["--model", model.to_str().unwrap()]);
    let (status, report) = server.json("POST", "/api/v1/analyze", &face_jpeg(0));
    assert_eq!(status, 200, "{report}");
    let [face] = report["faces"].as_array().unwrap().as_slice() else { panic!("one face: {report}") };
    let fields: Vec<_> =
        face.as_object().unwrap().keys().filter(|name| name.contains("raw_") || name.contains("smoothed_")).collect();
    let columns = ["wide_awake", "tired", "happy"];
    let wanted: Vec<_> =
        ["raw", "smoothed"].iter().flat_map(|kind| columns.map(|column| format!("{kind}_{column}"))).collect();
    assert!(fields.iter().copied().eq(&wanted), "{fields:?}");
    let sum: f64 = columns.iter().map(|column| face[format!("smoothed_{column}")].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-3, "{face}");
    assert!(["wide awake", "tired", "happy"].contains(&face["label"].as_str().unwrap()), "{face}");

    let (_, about) = server.json("GET", "/api/v1/about", b"");
    let classes = about["classes"].as_array().unwrap();
    assert_eq!((&classes[0]["label"], &classes[0]["column"]), (&"wide awake".into(), &"wide_awake".into()));
    assert_eq!(classes[2]["color"], "#f0e442", "happy as ever");
    let (_, document) = server.json("GET", "/api/v1/openapi.json", b"");
    let document = document.to_string();
    assert!(document.contains("smoothed_wide_awake") && !document.contains("raw_angry"), "{document}");
    let (status, script) = server.request("GET", "/app/classes.js", &[], b"");
    assert!(status == 200 && script.contains("\"wide_awake\"") && script.contains("\"Classes\""), "{script}");

    // Frames of a visitor go through the same stages.
    let mut socket = server.program_socket("/api/v1/visit");
    assert!(until_face(&mut socket)["faces"][0]["smoothed_tired"].is_number());
}

#[test]
fn a_recording_of_other_classes_than_the_model_s_is_not_served() {
    let home = tempfile::tempdir().unwrap();
    let classes = mien::classes::Classes::new(["tired", "awake"].map(str::to_owned).into()).unwrap();
    let folder = record_of(&home.path().join("talk"), 5, &classes);
    let mut command = mien();
    command.args(["serve", "--bind", "127.0.0.1:0", "--no-token", "--recording"]).arg(&folder);
    assert_refused(&mut command, &["uses the classes tired, awake", "the model angry", "--model"]);
}
