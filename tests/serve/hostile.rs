//! Strangers and misbehaving clients: none of them is served, nothing breaks, and an honest visitor notices nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tungstenite::Message;

use super::api::{face_jpeg, until_face};
use super::client::{Server, TOKEN, frame, next_json};
use super::support::program::{assert_refused, mien};

/// How much the server's memory may grow, in bytes: buffers for connections that were open at the same time.
const GROWTH: u64 = 40 << 20;

/// Sends requests that the server has to refuse, and checks the status of each answer. Returns how many were sent.
fn refused(server: &Server) -> usize {
    let host = server.address.to_string();
    let port = server.address.port();
    let bearer = format!("Bearer {TOKEN}");
    let cookie = format!("mien-{port}={TOKEN}");
    let own = format!("http://{host}");
    let wrong_port = format!("127.0.0.1:{}", port.wrapping_add(1));
    let named_like = format!("{host}.evil.example");
    let mut asked = 0;
    let mut expect = |what: &str, got: u16, expected: &[u16]| {
        asked += 1;
        assert!(expected.contains(&got), "{what}: {got}, not {expected:?}");
    };

    // Without the token, or with a wrong one.
    let live = ["/api/v1/live", "/api/v1/overlay", "/api/v1/watch", "/stream.mjpg"];
    for path in ["/api/v1/about", "/api/v1/models", "/metrics"].into_iter().chain(live) {
        expect(path, server.request("GET", path, &[], b"").0, &[401]);
        expect(path, server.request("GET", &format!("{path}?token={}", TOKEN.to_uppercase()), &[], b"").0, &[401]);
    }
    expect("a picture", server.request("POST", "/api/v1/analyze", &[], &face_jpeg(0)).0, &[401]);
    let long = format!("Bearer {}", "0".repeat(4000));
    for word in ["Bearer ", "Bearer 0123456789abcdef0123456789abcdee", "Basic MDEyMw==", long.as_str()] {
        expect(word, server.request("GET", "/api/v1/about", &[("Authorization", word)], b"").0, &[401]);
    }
    for cookies in ["mien=x", &format!("mien-{port}="), &format!("other={TOKEN}"), &format!("mien-{port}={TOKEN}x")] {
        expect(cookies, server.request("GET", "/api/v1/about", &[("Cookie", cookies)], b"").0, &[401]);
    }
    for body in ["{}", "{\"token\": 7}", "not JSON", &"[".repeat(4000)] {
        expect(body, server.request("POST", "/api/v1/session", &[], body.as_bytes()).0, &[422]);
    }
    expect("a wrong word", server.request("POST", "/api/v1/session", &[], b"{\"token\": \"wrong\"}").0, &[401]);
    expect("a long word", server.request("POST", "/api/v1/session", &[], &[b'a'; 9000]).0, &[413]);

    // With another host name (DNS rebinding), or from another site's page.
    for name in ["evil.example", "", "localhost", wrong_port.as_str(), named_like.as_str(), "127.0.0.1"] {
        let headers = [("Host", name), ("Authorization", bearer.as_str())];
        expect(name, server.request("GET", "/api/v1/about", &headers, b"").0, &[421, 400]);
    }
    let no_host = format!("GET /api/v1/about HTTP/1.1\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n");
    expect("no host", server.raw(no_host.as_bytes()).0, &[421, 400]);
    let two_hosts = [("Host", host.as_str()), ("Host", "evil.example"), ("Authorization", &bearer)];
    expect("two hosts", server.request("GET", "/api/v1/about", &two_hosts, b"").0, &[421, 400]);
    for origin in ["http://evil.example", "null", "https://evil.example", "http://localhost", "file://", &named_like] {
        let headers = [("Origin", origin), ("Cookie", cookie.as_str())];
        expect(origin, server.request("GET", "/api/v1/about", &headers, b"").0, &[403]);
        expect(origin, server.request("POST", "/api/v1/analyze", &headers, &face_jpeg(0)).0, &[403]);
        let socket = server.socket("/api/v1/visit", &[("origin", origin), ("cookie", &cookie)]);
        let status = match socket {
            Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
            other => panic!("{origin}: {:?}", other.map(|_| "let in")),
        };
        expect(origin, status, &[403]);
    }
    // A cookie without an origin.
    expect("no origin", server.request("POST", "/api/v1/analyze", &[("Cookie", &cookie)], &face_jpeg(0)).0, &[403]);
    // The same request from the server's own page is accepted, so the refusals above mean something.
    let own_page = [("Cookie", cookie.as_str()), ("Origin", own.as_str())];
    expect("the own page", server.request("GET", "/api/v1/about", &own_page, b"").0, &[200]);

    // Paths out of the page's folder, or requests as if to a proxy.
    for path in [
        "/../../etc/passwd",
        "/app/../../Cargo.toml",
        "/app/%2e%2e/%2e%2e/etc/passwd",
        "/app/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/app/page.js/..",
        "/%00",
        "/app\\..\\x",
    ] {
        expect(path, server.request("GET", path, &[("Authorization", &bearer)], b"").0, &[404, 400]);
        expect(path, server.request("GET", path, &[], b"").0, &[401, 400]);
    }
    let proxied = [("Authorization", bearer.as_str())];
    expect("a proxy", server.request("GET", "http://evil.example/api/v1/about", &proxied, b"").0, &[421, 400]);
    expect("CONNECT", server.request("CONNECT", "evil.example:443", &proxied, b"").0, &[421, 400, 404, 405]);

    // Not HTTP, or not a picture.
    expect("noise", server.raw(&[0xff; 300]).0, &[0, 400]);
    expect("HTTP/2", server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").0, &[0, 400, 505]);
    expect("a long head", server.raw(&[b"GET /".as_slice(), &[b'a'; 1 << 20]].concat()).0, &[0, 414, 431, 400]);
    let claims = |length: &str| {
        let head = format!("POST /api/v1/analyze HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\n");
        server.raw(format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\nx").as_bytes()).0
    };
    expect("a length of 100 MB", claims("100000000"), &[413]);
    expect("a length that is none", claims("-1"), &[400]);
    for method in ["DELETE", "PUT", "PATCH", "TRACE"] {
        expect(method, server.request(method, "/api/v1/analyze", &proxied, b"").0, &[405]);
    }
    let mut damaged = face_jpeg(0);
    damaged.truncate(400);
    expect("a damaged JPEG", server.json("POST", "/api/v1/analyze", &damaged).0, &[422]);
    asked
}

/// Opens sessions that send what no page sends. Each has to end, or to be told that it sends too much. Returns the number of sessions.
fn broken_sessions(server: &Server) -> usize {
    let huge = vec![7; 100 << 20];
    let messages = [
        Message::binary(huge),
        Message::binary(vec![1, 2, 3]),
        Message::text("not JSON"),
        Message::text(r#"{"smoothing": 1e9}"#),
        Message::text(r#"{"smoothing": -1}"#),
        Message::text(r#"{"path": "/etc/passwd"}"#),
        Message::text("x".repeat(100_000)),
    ];
    for message in &messages {
        let mut socket = server.program_socket("/api/v1/visit");
        socket.send(message.clone()).ok();
        let deadline = Instant::now() + Duration::from_secs(30);
        while socket.read().is_ok() {
            assert!(Instant::now() < deadline, "the session goes on");
        }
    }
    // Far more frames than a camera sends.
    let mut socket = server.program_socket("/api/v1/visit");
    let jpeg = face_jpeg(0);
    (0..2000).take_while(|id| socket.send(frame(*id, &jpeg)).is_ok()).for_each(drop);
    let mut answers = std::iter::from_fn(|| next_json(&mut socket));
    assert!(answers.any(|answer| answer["status"] == 429), "nobody said that it is too much");
    messages.len() + 1
}

/// A visitor who keeps sending a frame and waiting for its answer. Counts the answers and returns the longest wait.
fn honest_visitor(server: &Server, answers: &AtomicU32, stop: &AtomicBool) -> Duration {
    let mut socket = server.program_socket("/api/v1/visit");
    until_face(&mut socket);
    let (jpeg, mut slowest, mut id) = (face_jpeg(0), Duration::ZERO, 1000);
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        socket.send(frame(id, &jpeg)).unwrap();
        let answer = next_json(&mut socket).expect("an honest visitor was sent away");
        assert_eq!((&answer["id"], answer["faces"].as_array().unwrap().len()), (&id.into(), 1), "{answer}");
        slowest = slowest.max(sent.elapsed());
        answers.fetch_add(1, Ordering::Relaxed);
        id += 1;
        std::thread::sleep(Duration::from_millis(30));
    }
    slowest
}

/// Whether the server ends a connection by itself, with status 408 or without an answer. A read timeout doesn't count.
fn is_sent_away(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 64];
    match stream.read(&mut answer) {
        Ok(0) => true,
        Ok(length) => answer[..length].starts_with(b"HTTP/1.1 408 "),
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Ends the honest visitor's session when dropped.
struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn strangers_are_refused_and_an_honest_visitor_notices_nothing() {
    let server = Server::start(&[]);
    let (answers, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let honest = scope.spawn(|| honest_visitor(&server, &answers, &stop));
        // The scope waits for the honest visitor, even if the test fails.
        let _leaving = Leaving(&stop);
        let has_answers = |n: u32| answers.load(Ordering::Relaxed) >= n || honest.is_finished();
        super::support::program::wait_until("the first answers", || has_answers(5));
        let before = server.memory();

        let asked = refused(&server) + broken_sessions(&server);
        assert!(asked >= 60, "{asked}");

        // A thousand connections that send nothing, and a few that send one letter at a time. The honest visitor and a new one get through.
        let silent: Vec<TcpStream> = (0..1000).filter_map(|_| TcpStream::connect(server.address).ok()).collect();
        let mut slow: Vec<TcpStream> = (0..5).map(|_| server.connect()).collect();
        for letter in b"GET / HT" {
            slow.iter_mut().for_each(|stream| drop(stream.write_all(&[*letter])));
            std::thread::sleep(Duration::from_millis(100));
        }
        let (status, _) = server.json("GET", "/api/v1/about", b"");
        assert_eq!(status, 200, "with {} silent connections", silent.len());
        let seen = answers.load(Ordering::Relaxed);
        super::support::program::wait_until("more answers", || has_answers(seen + 10));
        // Connections that don't finish their request head are closed.
        for stream in &mut slow {
            assert!(is_sent_away(stream), "a slow head is waited for");
        }
        drop(silent);

        stop.store(true, Ordering::Relaxed);
        let slowest = honest.join().unwrap();
        eprintln!("{asked} refused; the honest visitor waited {slowest:?} at most, {seen} answers");
        let after = server.memory();
        assert!(after < before + GROWTH, "memory went from {before} to {after} bytes");
    });
}

#[test]
fn a_full_server_says_so_and_takes_the_next_when_one_leaves() {
    let server = Server::start(&[]);
    let mut sockets: Vec<_> = (0..32).map(|_| server.program_socket("/api/v1/visit")).collect();
    until_face(&mut sockets[31]);
    let mut one_more = server.program_socket("/api/v1/visit");
    let problem = next_json(&mut one_more).unwrap();
    assert_eq!((&problem["type"], &problem["status"]), (&"problem".into(), &503.into()));
    sockets[0].close(None).unwrap();
    while sockets[0].read().is_ok() {}
    super::support::program::wait_until("a free place", || {
        let mut socket = server.program_socket("/api/v1/visit");
        socket.send(frame(1, &face_jpeg(0))).ok();
        next_json(&mut socket).is_some_and(|answer| answer["type"] == "scene")
    });
}

#[test]
fn a_reader_who_takes_nothing_costs_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("clip.mp4");
    super::support::program::video_with_face(&video, 60);
    let server = Server::start(&["--video", video.to_str().unwrap()]);
    let mut slow: Vec<_> = (0..8).map(|_| server.connect()).collect();
    let request = format!("GET /stream.mjpg?token={TOKEN} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    for stream in &mut slow {
        stream.write_all(request.as_bytes()).unwrap();
    }
    std::thread::sleep(Duration::from_secs(2));
    let before = server.memory();
    std::thread::sleep(Duration::from_secs(6));
    let after = server.memory();
    assert!(after < before + (20 << 20), "memory went from {before} to {after} bytes");
}

#[test]
fn a_server_that_others_can_reach_needs_tls_and_a_token() {
    for arguments in [
        &["serve", "--bind", "0.0.0.0:0"] as &[&str],
        &["serve", "--bind", "0.0.0.0:0", "--tls", "self-signed", "--no-token"],
        &["serve", "--bind", "[::]:0", "--no-token"],
    ] {
        assert_refused(mien().args(arguments), &["--tls self-signed", "--i-know-this-is-open"]);
    }
}

#[cfg(unix)]
#[test]
fn a_token_that_others_can_read_is_warned_of_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    // Ends at the missing model, after it has read the token, or made one.
    let told = || {
        let output = mien().args(["serve", "--model", "missing.safetensors", "--token-file"]).arg(&token).output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    assert!(!told().contains("warning: "));
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = told();
    let command = format!("chmod 600 '{}'", token.display());
    assert!(told.matches("warning: ").count() == 1 && told.contains(&command), "{told}");
}
