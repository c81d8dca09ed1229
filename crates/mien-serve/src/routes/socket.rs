//! What all WebSockets have in common: limits, time-outs and closing.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use tokio::time::{Instant, timeout};

use crate::limits::{MAX_MESSAGE_BYTES, PATIENCE, PING_INTERVAL};
use crate::protocol::ServerMessage;

/// Largest buffer for answers that don't fit into the system's, in bytes.
const WRITE_BUFFER: usize = 8 << 20;

/// Applies our limits instead of the library's, which are 64 MiB.
pub(super) fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
}

/// Why a session ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The other side is gone.
    Gone,
    /// The server shuts down.
    Closing,
    /// The server has no session left.
    Full,
    /// Nothing came for too long.
    Idle,
    /// The visitor sent messages at too high a rate.
    TooMuch,
    /// The visitor sent a message that isn't understood.
    Nonsense,
    /// The server failed.
    Failed,
}

impl End {
    fn frame(self) -> Option<(u16, u16, &'static str)> {
        Some(match self {
            Self::Gone => return None,
            Self::Closing => (close_code::AWAY, 503, "the server ends"),
            Self::Full => (close_code::AGAIN, 503, "the server is full"),
            Self::Idle => (close_code::NORMAL, 408, "nothing came for a long time"),
            Self::TooMuch => (close_code::POLICY, 429, "too many frames"),
            Self::Nonsense => (close_code::UNSUPPORTED, 422, "a message that the server doesn't know"),
            Self::Failed => (close_code::ERROR, 500, "the server failed on this session"),
        })
    }
}

/// Sends a message; false if that fails or takes too long.
pub(super) async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// Sends the reason as a message and in a close frame.
pub(super) async fn close(mut socket: WebSocket, end: End) {
    let Some((code, status, words)) = end.frame() else { return };
    let problem = ServerMessage::Problem { id: None, status, message: words.to_owned() };
    let goodbye = async {
        socket.send(Message::text(problem.json())).await?;
        socket.send(Message::Close(Some(CloseFrame { code, reason: words.into() }))).await?;
        // Wait for the other side's close frame: if the connection ended before, ours might be lost.
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<_, axum::Error>(())
    };
    // There is nobody left to report a failure to.
    timeout(GOODBYE, goodbye).await.ok();
}

/// How long the closing handshake may take.
const GOODBYE: Duration = Duration::from_millis(1000);

/// Watches whether the other side is still there.
pub(super) struct Pulse {
    heard: Instant,
    asked: Instant,
}

impl Pulse {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { heard: now, asked: now }
    }

    /// Notes that something came.
    pub fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits until the next ping is due; false if nothing was heard for too long.
    pub async fn wait(&mut self) -> bool {
        tokio::time::sleep_until(self.asked + PING_INTERVAL).await;
        self.asked = Instant::now();
        self.heard.elapsed() < PATIENCE
    }
}
