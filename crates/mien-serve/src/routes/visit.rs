//! A visitor's camera: frames come in, faces go out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use mien_core::smooth::LONGEST_SMOOTHING_SECS;

use super::socket::{self, End, Pulse};
use super::status_of;
use crate::access::Bucket;
use crate::app::App;
use crate::engine::{Answer, Following, Submitted, Visitor};
use crate::limits::{FRAMES_PER_SECOND, IDLE, MAX_COMMAND_BYTES};
use crate::protocol::{FrameHeader, ServerMessage, VisitorCommand};

pub(super) const VISIT: &str = "/api/v1/visit";

/// A visitor's camera: frames come in, their faces go out. A WebSocket.
///
/// A binary message from the visitor is a frame: a number (32 bits) and a time (64 bits, floating point), both little-endian, then a JPEG, PNG
/// or WebP. A text message from the visitor is a `VisitorCommand`. Each text message from the server is a `ServerMessage`: the faces in a
/// frame, with its number and time, or a problem. If a frame comes before the last one was processed, it replaces the one that waits. Before
/// the server ends a session, it says why.
#[utoipa::path(get, path = VISIT, responses(
    (status = 101, description = "A WebSocket, each text message from the server a `ServerMessage`"),
    (status = 400, description = "Not the handshake of a WebSocket"),
    (status = 426, description = "The connection can't become a WebSocket"),
))]
pub async fn visit(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    socket::limited(upgrade).on_upgrade(async move |mut socket| {
        let end = match app.enter() {
            Some(_place) => serve(&mut socket, &app).await,
            None => End::Full,
        };
        socket::close(socket, end).await;
    })
}

async fn serve(socket: &mut WebSocket, app: &App) -> End {
    let mut visitor = app.engine.visitor(Following::Camera, app.smoothing);
    let mut closing = app.closing();
    let mut pulse = Pulse::new();
    let mut rate = Bucket::new(FRAMES_PER_SECOND, FRAMES_PER_SECOND, Instant::now());
    let mut last_frame = tokio::time::Instant::now();
    loop {
        tokio::select! {
            message = socket.recv() => {
                pulse.heard();
                let asks = matches!(message, Some(Ok(Message::Binary(_) | Message::Text(_))));
                if asks && !rate.take(Instant::now()) {
                    return End::TooMuch;
                }
                let understood = match message {
                    Some(Ok(Message::Binary(message))) => {
                        last_frame = tokio::time::Instant::now();
                        take_frame(message, &visitor)
                    }
                    Some(Ok(Message::Text(words))) => obey(&words, &visitor),
                    // The library answers pings by itself.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Some(()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                };
                if understood.is_none() {
                    return End::Nonsense;
                }
            }
            answer = visitor.answer() => {
                let Some(answer) = answer else { return End::Closing };
                let message = match &answer {
                    Answer::Scene { id, t, scene } => ServerMessage::scene(*id, *t, scene),
                    Answer::Problem { id, failure } => {
                        let (status, message) = (status_of(failure).as_u16(), failure.to_string());
                        ServerMessage::Problem { id: Some(*id), status, message }
                    }
                };
                if !socket::send(socket, Message::text(message.json())).await {
                    return End::Gone;
                }
                if answer.is_fatal() {
                    return End::Failed;
                }
            }
            is_there = pulse.wait() => {
                if !is_there || !socket::send(socket, Message::Ping(Bytes::new())).await {
                    return End::Gone;
                }
            }
            () = tokio::time::sleep_until(last_frame + IDLE) => return End::Idle,
            () = closing.wait() => return End::Closing,
        }
    }
}

/// Passes a frame on; `None` if the message isn't one.
fn take_frame(message: Bytes, visitor: &Visitor) -> Option<()> {
    let FrameHeader { id, t } = FrameHeader::read(&message)?;
    visitor.offer(Submitted { id, t, arrived_at: Instant::now(), message, offset: FrameHeader::BYTES });
    Some(())
}

/// Applies a visitor's settings; `None` if they are invalid.
fn obey(words: &str, visitor: &Visitor) -> Option<()> {
    if words.len() > MAX_COMMAND_BYTES {
        return None;
    }
    let VisitorCommand { smoothing } = serde_json::from_str(words).ok()?;
    if !(0.0..=LONGEST_SMOOTHING_SECS).contains(&smoothing) {
        return None;
    }
    visitor.set_smoothing(Some(Duration::from_secs_f32(smoothing)).filter(|time| !time.is_zero()));
    Some(())
}
