//! What all WebSockets have in common: limits, patience, and how they end.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use tokio::time::{Instant, timeout};

use crate::limits::{MAX_MESSAGE_BYTES, PATIENCE, PING_INTERVAL};
use crate::protocol::ServerMessage;

/// Answers that the system's own buffers don't hold wait in one buffer of this size at most.
const WRITE_BUFFER: usize = 8 << 20;

/// An upgrade with our limits instead of the library's, which are 64 MiB.
pub(super) fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
}

/// Why a session ended, as a close frame says it.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The other side has gone.
    Gone,
    /// The server ends.
    Closing,
    /// There are as many sessions as the server takes.
    Full,
    /// Nothing came for long.
    Idle,
    /// More came than a session may send.
    TooMuch,
    /// A message that means nothing.
    Nonsense,
    /// Something of ours failed.
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

/// Sends a message; false if it isn't taken in time.
pub(super) async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// Says in words and by a close frame why it ends.
pub(super) async fn close(mut socket: WebSocket, end: End) {
    let Some((code, status, words)) = end.frame() else { return };
    let problem = ServerMessage::Problem { id: None, status, message: words.to_owned() };
    let goodbye = async {
        socket.send(Message::text(problem.json())).await?;
        socket.send(Message::Close(Some(CloseFrame { code, reason: words.into() }))).await?;
        // The other side answers with its own; until then the connection stays, or the frame might be lost.
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<_, axum::Error>(())
    };
    // Nobody is left to be told that this failed.
    timeout(GOODBYE, goodbye).await.ok();
}

/// How long the other side may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(1000);

/// Whether somebody is still there.
pub(super) struct Pulse {
    heard: Instant,
    asked: Instant,
}

impl Pulse {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { heard: now, asked: now }
    }

    /// Something came.
    pub fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits until it is time to ask; false if nothing was heard for too long.
    pub async fn wait(&mut self) -> bool {
        tokio::time::sleep_until(self.asked + PING_INTERVAL).await;
        self.asked = Instant::now();
        self.heard.elapsed() < PATIENCE
    }
}
