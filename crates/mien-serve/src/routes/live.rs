//! The server's own source: for the page, for programs, and as moving pictures.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::error;
use super::socket::{self, End, Pulse};
use crate::app::{App, Closing};
use crate::broadcast::{self, Broadcast, Shown};
use crate::protocol::{ErrorReport, PictureBytes, SceneReport};

pub(super) const WATCH: &str = "/api/v1/watch";
pub(super) const LIVE: &str = "/api/v1/live";
pub(super) const STREAM: &str = "/stream.mjpg";

/// Between the pictures of a stream.
const BOUNDARY: &str = "mien-frame";

fn no_source() -> Response {
    error(StatusCode::NOT_FOUND, "this server has no source of its own; start it with --camera, --video or --recording")
}

fn full() -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "the server is full; try again later")
}

/// Scenes with their pictures, for the page.
pub async fn watch(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    let Some(broadcast) = app.broadcast.clone() else { return no_source() };
    upgraded(app, broadcast, upgrade, With::Pictures)
}

/// Scenes of the server's source, one JSON object a frame.
///
/// A WebSocket if the request asks for an upgrade, else Server-Sent Events. Whoever is slow misses frames.
#[utoipa::path(get, path = LIVE, responses(
    (status = 101, description = "A WebSocket, each text message a scene"),
    (status = 200, description = "Server-Sent Events, the data of each a scene",
     content((SceneReport = "text/event-stream"))),
    (status = 401, description = "No token, or a wrong one", body = ErrorReport),
    (status = 403, description = "From the page of another site", body = ErrorReport),
    (status = 404, description = "The server has no source of its own", body = ErrorReport),
    (status = 429, description = "Too many requests", body = ErrorReport),
    (status = 503, description = "The server is full", body = ErrorReport),
))]
pub async fn live(State(app): State<Arc<App>>, headers: HeaderMap, request: Request) -> Response {
    let Some(broadcast) = app.broadcast.clone() else { return no_source() };
    if headers.contains_key(header::UPGRADE) {
        let (mut parts, _body) = request.into_parts();
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => upgraded(app, broadcast, upgrade, With::ScenesAlone),
            Err(rejection) => error(rejection.status(), rejection.body_text()),
        };
    }
    let Some(place) = app.enter() else { return full() };
    let events =
        streamed(&app, &broadcast, place, |shown| Bytes::from(["data: ", shown.json.as_str(), "\n\n"].concat()));
    ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
}

/// The server's source with boxes and labels drawn in, as moving JPEG pictures.
#[utoipa::path(get, path = STREAM, responses(
    (status = 200, description = "A JPEG a frame", content((PictureBytes = "multipart/x-mixed-replace"))),
    (status = 401, description = "No token, or a wrong one", body = ErrorReport),
    (status = 404, description = "The server has no source of its own", body = ErrorReport),
    (status = 429, description = "Too many requests", body = ErrorReport),
    (status = 503, description = "The server is full", body = ErrorReport),
))]
pub async fn stream(State(app): State<Arc<App>>) -> Response {
    let Some(broadcast) = app.broadcast.clone() else { return no_source() };
    let Some(place) = app.enter() else { return full() };
    let pictures = streamed(&app, &broadcast, place, |shown| {
        let jpeg = shown.annotated();
        let head = format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        Bytes::from([head.as_bytes(), &jpeg, b"\r\n"].concat())
    });
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    ([(header::CONTENT_TYPE, kind)], pictures).into_response()
}

/// What is left of a stream.
struct Rest {
    scenes: watch::Receiver<Option<Arc<Shown>>>,
    closing: Closing,
    _place: OwnedSemaphorePermit,
}

/// A body with a part for each scene, for as long as somebody reads it. Parts are made when the last one was taken, of the
/// newest scene, so a slow reader misses scenes and fills no memory.
fn streamed(
    app: &App,
    broadcast: &Broadcast,
    place: OwnedSemaphorePermit,
    part: impl Fn(&Shown) -> Bytes + Copy + Send + 'static,
) -> Body {
    let rest = Rest { scenes: broadcast.scenes(), closing: app.closing(), _place: place };
    Body::from_stream(stream::unfold(rest, move |mut rest| async move {
        let shown = tokio::select! {
            shown = broadcast::next(&mut rest.scenes) => shown?,
            () = rest.closing.wait() => return None,
        };
        let part = tokio::task::spawn_blocking(move || part(&shown)).await.ok()?;
        Some((Ok::<_, Infallible>(part), rest))
    }))
}

/// What goes over a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum With {
    Pictures,
    ScenesAlone,
}

fn upgraded(app: Arc<App>, broadcast: Arc<Broadcast>, upgrade: WebSocketUpgrade, with: With) -> Response {
    socket::limited(upgrade).on_upgrade(async move |mut socket| {
        let end = match app.enter() {
            Some(_place) => serve(&mut socket, &app, &broadcast, with).await,
            None => End::Full,
        };
        socket::close(socket, end).await;
    })
}

async fn serve(socket: &mut WebSocket, app: &App, broadcast: &Broadcast, with: With) -> End {
    let (mut scenes, mut states) = (broadcast.scenes(), broadcast.states());
    states.mark_changed();
    let (mut closing, mut pulse) = (app.closing(), Pulse::new());
    loop {
        let message = tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    pulse.heard();
                    continue;
                }
                // There is nothing to say here.
                Some(Ok(Message::Text(_) | Message::Binary(_))) => return End::Nonsense,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
            },
            shown = broadcast::next(&mut scenes) => {
                let Some(shown) = shown else { return End::Closing };
                if with == With::ScenesAlone {
                    Message::Text(shown.json.clone())
                } else {
                    match tokio::task::spawn_blocking(move || shown.scene_and_picture()).await {
                        Ok(bytes) => Message::Binary(bytes),
                        Err(_panic) => return End::Failed,
                    }
                }
            }
            changed = states.changed(), if with == With::Pictures => {
                if changed.is_err() {
                    return End::Closing;
                }
                Message::text(states.borrow_and_update().json())
            }
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
