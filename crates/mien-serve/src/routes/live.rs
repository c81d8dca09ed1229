//! The server's own source: for the page, for programs, and as an MJPEG stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::feed::{Feed, Piece, Reader};
use super::socket::{self, End, Pulse};
use super::{error, try_again};
use crate::access::Connection;
use crate::app::App;
use crate::broadcast::Broadcast;
use crate::limits::PATIENCE;
use crate::protocol::{ErrorReport, PictureBytes, SceneReport};

pub(super) const WATCH: &str = "/api/v1/watch";
pub(super) const OVERLAY: &str = "/api/v1/overlay";
pub(super) const LIVE: &str = "/api/v1/live";
pub(super) const STREAM: &str = "/stream.mjpg";

/// The boundary between the pictures of a stream.
const BOUNDARY: &str = "mien-frame";

fn no_source() -> Response {
    error(StatusCode::NOT_FOUND, "this server has no source of its own; start it with --camera, --video or --recording")
}

/// A session becomes free only when somebody leaves, so the wait is longer than for a busy server.
fn full() -> Response {
    try_again(StatusCode::SERVICE_UNAVAILABLE, 10, "the server is full; try again later")
}

/// The connection of a request.
fn connection_of(request: &Request) -> Option<Connection> {
    request.extensions().get().cloned()
}

/// Scenes of the server's source with their pictures, and how the source is doing, for the page. A WebSocket.
///
/// A binary message is a frame: the length of its `SceneReport` in bytes (32 bits, little-endian), the `SceneReport` as JSON, and the
/// picture as JPEG. A text message is a `ServerMessage`: how the source is doing, or why the session ends. Clients send nothing.
#[utoipa::path(get, path = WATCH, responses(
    (status = 101, description = "A WebSocket, each binary message a frame, each text message a `ServerMessage`"),
    (status = 400, description = "Not the handshake of a WebSocket"),
    (status = 404, description = "The server has no source of its own", body = ErrorReport),
    (status = 426, description = "The connection can't become a WebSocket"),
))]
pub async fn watch(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    let Some(broadcast) = app.broadcast.clone() else { return no_source() };
    upgraded(app, broadcast, upgrade, Reader::Page)
}

/// Scenes of the server's source without pictures, and how the source is doing, for the overlay. A WebSocket.
///
/// Each text message is a `SceneReport`, or a `ServerMessage`, which has a field `type`: how the source is doing, or why the session ends.
/// Clients send nothing.
#[utoipa::path(get, path = OVERLAY, responses(
    (status = 101, description = "A WebSocket, each text message a `SceneReport` or a `ServerMessage`"),
    (status = 400, description = "Not the handshake of a WebSocket"),
    (status = 404, description = "The server has no source of its own", body = ErrorReport),
    (status = 426, description = "The connection can't become a WebSocket"),
))]
pub async fn overlay(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    let Some(broadcast) = app.broadcast.clone() else { return no_source() };
    upgraded(app, broadcast, upgrade, Reader::Overlay)
}

/// Scenes of the server's source, one JSON object per frame.
///
/// A WebSocket if the request asks for an upgrade, otherwise Server-Sent Events, with a comment after 15 seconds without a frame. Slow
/// readers miss frames. When the camera is lost, or the source has ended with an error, the last frame is repeated once without faces. Before
/// a WebSocket is closed, a `ServerMessage` says why.
#[utoipa::path(get, path = LIVE, responses(
    (status = 101, description = "A WebSocket, each text message a scene"),
    (status = 200, description = "Server-Sent Events, the data of each a scene",
     content((SceneReport = "text/event-stream"))),
    (status = 400, description = "An upgrade, but not the handshake of a WebSocket", body = ErrorReport),
    (status = 404, description = "The server has no source of its own", body = ErrorReport),
    (status = 426, description = "The connection can't become a WebSocket", body = ErrorReport),
    (status = 503, description = "The server is full", body = ErrorReport),
))]
pub async fn live(State(app): State<Arc<App>>, headers: HeaderMap, request: Request) -> Response {
    let Some(broadcast) = app.broadcast.clone() else { return no_source() };
    if headers.contains_key(header::UPGRADE) {
        let (mut parts, _body) = request.into_parts();
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => upgraded(app, broadcast, upgrade, Reader::Program),
            Err(rejection) => error(rejection.status(), rejection.body_text()),
        };
    }
    let Some(place) = app.enter() else { return full() };
    let events = streamed(&app, &broadcast, place, connection_of(&request), Reader::Program);
    ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
}

/// The server's source with boxes and labels, as a stream of JPEG pictures.
#[utoipa::path(get, path = STREAM, responses(
    (status = 200, description = "A JPEG a frame", content((PictureBytes = "multipart/x-mixed-replace"))),
    (status = 404, description = "The server has no source of its own", body = ErrorReport),
    (status = 503, description = "The server is full", body = ErrorReport),
))]
pub async fn stream(State(app): State<Arc<App>>, request: Request) -> Response {
    let Some(broadcast) = app.broadcast.clone() else { return no_source() };
    let Some(place) = app.enter() else { return full() };
    let pictures = streamed(&app, &broadcast, place, connection_of(&request), Reader::Viewer);
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    ([(header::CONTENT_TYPE, kind)], pictures).into_response()
}

/// A piece as it is sent; empty if nothing is. Encoding a picture takes some milliseconds, so this mustn't be called on the serving
/// threads.
fn written(piece: &Piece, reader: Reader) -> Bytes {
    match (piece, reader) {
        (Piece::Words(json), _) => Bytes::from(["data: ", json.as_str(), "\n\n"].concat()),
        (Piece::Picture(shown), _) => {
            let jpeg = shown.annotated();
            let head = format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            Bytes::from([head.as_bytes(), &jpeg, b"\r\n"].concat())
        }
        // A comment in Server-Sent Events.
        (Piece::Beat, Reader::Program) => Bytes::from_static(b":\n\n"),
        (Piece::Beat, Reader::Viewer | Reader::Page | Reader::Overlay) => Bytes::new(),
    }
}

/// A body with a part for each piece, until the reader leaves.
fn streamed(
    app: &App,
    broadcast: &Broadcast,
    place: OwnedSemaphorePermit,
    connection: Option<Connection>,
    reader: Reader,
) -> Body {
    let (parts, taken) = mpsc::channel(1);
    let (feed, mut closing) = (Feed::new(broadcast, reader), app.closing());
    // A separate task, because the body of a reader who takes nothing isn't polled.
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            stopped = hand_on(feed, reader, &parts, PATIENCE) => {
                if stopped == Stopped::Stuck && let Some(connection) = connection {
                    connection.close();
                }
            }
            () = closing.wait() => {}
        }
    });
    Body::from_stream(stream::unfold(taken, |mut taken| async move {
        let part = taken.recv().await?;
        Some((Ok::<_, Infallible>(part), taken))
    }))
}

/// Why a stream ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    /// The source or the reader has gone.
    Gone,
    /// The reader is connected, but takes nothing.
    Stuck,
}

/// Sends part after part. Each is made from the newest scene once the previous one was taken, so a slow reader misses scenes and uses no
/// memory. A reader who takes none for `patience` is given up, to make room for others.
async fn hand_on(mut feed: Feed, reader: Reader, parts: &mpsc::Sender<Bytes>, patience: Duration) -> Stopped {
    loop {
        let free = match timeout(patience, parts.reserve()).await {
            Ok(Ok(free)) => free,
            Ok(Err(_gone)) => return Stopped::Gone,
            Err(_elapsed) => return Stopped::Stuck,
        };
        let piece = tokio::select! {
            piece = feed.next() => piece,
            () = parts.closed() => None,
        };
        let Some(piece) = piece else { return Stopped::Gone };
        // The panic hook has already reported it.
        let Ok(part) = tokio::task::spawn_blocking(move || written(&piece, reader)).await else { return Stopped::Gone };
        if !part.is_empty() {
            free.send(part);
        }
    }
}

fn upgraded(app: Arc<App>, broadcast: Arc<Broadcast>, upgrade: WebSocketUpgrade, reader: Reader) -> Response {
    socket::limited(upgrade).on_upgrade(async move |mut socket| {
        let end = match app.enter() {
            Some(_place) => serve(&mut socket, &app, Feed::new(&broadcast, reader)).await,
            None => End::Full,
        };
        socket::close(socket, end).await;
    })
}

async fn serve(socket: &mut WebSocket, app: &App, mut feed: Feed) -> End {
    let (mut closing, mut pulse) = (app.closing(), Pulse::new());
    loop {
        let message = tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    pulse.heard();
                    continue;
                }
                // Watchers have nothing to send.
                Some(Ok(Message::Text(_) | Message::Binary(_))) => return End::Nonsense,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
            },
            piece = feed.next() => match piece {
                Some(Piece::Words(json)) => Message::Text(json),
                Some(Piece::Picture(shown)) => {
                    match tokio::task::spawn_blocking(move || shown.scene_and_picture()).await {
                        Ok(bytes) => Message::Binary(bytes),
                        Err(_panic) => return End::Failed,
                    }
                }
                // Here, pings are the sign of life.
                Some(Piece::Beat) => continue,
                None => return End::Closing,
            },
            is_there = pulse.wait() => {
                if !is_there {
                    return End::Gone;
                }
                Message::Ping(Bytes::new())
            }
            () = closing.wait() => return End::Closing,
        };
        if !socket::send(socket, message).await {
            return End::Gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::protocol::{SourceReport, SourceState};

    #[test]
    fn a_full_server_says_when_to_try_again() {
        assert_eq!(full().headers()[header::RETRY_AFTER], "10");
    }

    #[tokio::test]
    async fn a_reader_who_takes_nothing_is_given_up_as_is_one_who_has_gone() {
        let (_to_scenes, scenes) = watch::channel(None);
        let (_to_states, states) = watch::channel(SourceReport { state: SourceState::Lost, message: String::new() });
        let feed = || Feed::of(scenes.clone(), states.clone(), Reader::Program, Duration::ZERO);
        let (parts, mut taken) = mpsc::channel(1);
        let stopped = hand_on(feed(), Reader::Program, &parts, Duration::from_millis(1)).await;
        assert_eq!(stopped, Stopped::Stuck);
        // No scene came, so it is a sign of life that nobody took.
        assert_eq!(taken.recv().await.unwrap(), Bytes::from_static(b":\n\n"));
        drop(taken);
        assert_eq!(hand_on(feed(), Reader::Program, &parts, PATIENCE).await, Stopped::Gone);
    }
}
