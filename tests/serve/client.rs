//! A server that a test starts, and its clients.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

use super::support::program::binary;

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Timeout for an answer; only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running `mien serve`, which ends with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// What it printed.
    pub greeting: String,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one on any free port, with a token that the test knows.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    /// Starts one at the address `bind`.
    pub fn start_at(bind: &str, arguments: &[&str]) -> Self {
        Self::start_by(Command::new(binary()), bind, arguments)
    }

    /// Starts one with `command`, which may have emulated cameras.
    pub fn start_by(mut command: Command, bind: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        // As Mien itself makes the file; otherwise it warns.
        #[cfg(unix)]
        std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        command.args(["serve", "--bind", bind, "--token-file"]).arg(&token).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut greeting = String::new();
        for line in lines.by_ref() {
            greeting += &format!("{line}\n");
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let link = greeting.split_whitespace().find(|word| word.contains("://"));
        let host = link.and_then(|link| link.split('/').nth(2)).unwrap_or_else(|| panic!("no link in: {greeting}"));
        let address = host.replace("localhost", "127.0.0.1").parse().unwrap();
        Self { child, address, greeting, folder }
    }

    pub fn link(&self, path: &str) -> String {
        format!("http://{}/{path}#token={TOKEN}", self.address)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn process(&self) -> &Child {
        &self.child
    }

    /// Waits for its end and returns its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Resident memory in bytes.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes and returns the status and body of the answer. The status is 0 if the server closes without an answer.
    pub fn raw(&self, request: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        // A server that refuses a large body closes before all of it was sent.
        stream.write_all(request).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// Sends a request with these headers and body.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let has_host = headers.iter().any(|(name, _)| *name == "Host");
        let host = if has_host { String::new() } else { format!("Host: {}\r\n", self.address) };
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{host}{lines}Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Sends a request with the token, as a program does, and returns status and JSON.
    pub fn json(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let (status, body) = self.request(method, path, &[("Authorization", &format!("Bearer {TOKEN}"))], body);
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}")))
    }

    /// Opens a WebSocket with these headers in addition to the usual ones.
    pub fn socket(&self, path: &str, headers: &[(&'static str, &str)]) -> tungstenite::Result<WebSocket<TcpStream>> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        tungstenite::client(request, self.connect()).map(|(socket, _)| socket).map_err(|error| match error {
            tungstenite::HandshakeError::Failure(error) => error,
            tungstenite::HandshakeError::Interrupted(_) => panic!("the stream blocks"),
        })
    }

    /// Opens a WebSocket with the token, as a program does.
    pub fn program_socket(&self, path: &str) -> WebSocket<TcpStream> {
        self.socket(path, &[("authorization", &format!("Bearer {TOKEN}"))]).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A visitor's message: number, time and picture.
pub fn frame(id: u32, jpeg: &[u8]) -> Message {
    let mut message = id.to_le_bytes().to_vec();
    message.extend(f64::from(id).to_le_bytes());
    message.extend_from_slice(jpeg);
    Message::binary(message)
}

/// The next text message, as JSON; `None` at the end.
pub fn next_json(socket: &mut WebSocket<TcpStream>) -> Option<Value> {
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
