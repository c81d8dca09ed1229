//! Routes with one request and one response.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{error, status_of, try_again};
use crate::app::{About, App, ModelReport};
use crate::engine::{Answer, Following, Submitted};
use crate::limits::{ANALYSIS_WITHIN, BODY_WITHIN, MAX_MESSAGE_BYTES};
use crate::protocol::{ErrorReport, PictureBytes, PictureReport, faces};

pub(super) const ABOUT: &str = "/api/v1/about";
pub(super) const SESSION: &str = "/api/v1/session";
pub(super) const ANALYZE: &str = "/api/v1/analyze";
pub(super) const MODELS: &str = "/api/v1/models";
pub(super) const HEALTH: &str = "/healthz";
pub(super) const METRICS: &str = "/metrics";
pub(super) const OPENAPI: &str = "/api/v1/openapi.json";

/// Largest token with its JSON, in bytes.
const MAX_TOKEN_BYTES: usize = 4096;

/// What the server is and does.
#[utoipa::path(get, path = ABOUT, responses(
    (status = 200, description = "The server", body = About),
))]
pub async fn about(State(app): State<Arc<App>>) -> Json<About> {
    let is_source_recorded = app.broadcast.as_ref().is_some_and(|broadcast| broadcast.is_recorded());
    Json(About { is_source_recorded, ..app.about.clone() })
}

/// The token of the link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// The word after `#token=`.
    token: String,
}

/// Exchanges the token for a cookie, as the page does.
#[utoipa::path(post, path = SESSION, request_body = TokenBody, responses(
    (status = 204, description = "The cookie is set"),
    (status = 401, description = "A wrong token", body = ErrorReport),
    (status = 408, description = "The body took too long", body = ErrorReport),
    (status = 413, description = "Far more than a token", body = ErrorReport),
    (status = 422, description = "Not JSON with a token", body = ErrorReport),
), security(()))]
pub async fn open_session(State(app): State<Arc<App>>, body: Body) -> Response {
    let bytes = match read(body, MAX_TOKEN_BYTES).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let Ok(TokenBody { token }) = serde_json::from_slice(&bytes) else {
        return error(StatusCode::UNPROCESSABLE_ENTITY, "send JSON: {\"token\": \"…\"}");
    };
    let cookie = HeaderValue::from_str(&app.gate.set_cookie(&token)).ok();
    match cookie.filter(|_| app.gate.opens(&token)) {
        Some(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        None => {
            app.metrics.denied();
            error(StatusCode::UNAUTHORIZED, "this isn't the token of this server; open the link that it printed")
        }
    }
}

/// The faces in a picture.
#[utoipa::path(post, path = ANALYZE, request_body(
    content((PictureBytes = "image/jpeg"), (PictureBytes = "image/png"), (PictureBytes = "image/webp")),
    description = "A JPEG, PNG or WebP of at most 2 MiB and 4 megapixels"
), responses(
    (status = 200, description = "Its faces", body = PictureReport),
    (status = 408, description = "The picture took too long to arrive", body = ErrorReport),
    (status = 413, description = "Too many bytes or pixels", body = ErrorReport),
    (status = 422, description = "Not a picture that can be decoded", body = ErrorReport),
    (status = 503, description = "Too much to do; try again", body = ErrorReport),
))]
pub async fn analyze(State(app): State<Arc<App>>, body: Body) -> Response {
    let busy = || try_again(StatusCode::SERVICE_UNAVAILABLE, 1, "the server has too much to do; try again in a second");
    // Before the body is read, so that waiting pictures take no memory.
    let Ok(_permit) = app.analyses.try_acquire() else { return busy() };
    let message = match read(body, MAX_MESSAGE_BYTES).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal,
    };
    let mut visitor = app.engine.visitor(Following::Picture, None);
    visitor.offer(Submitted { id: 0, t: 0.0, arrived_at: Instant::now(), message, offset: 0 });
    match timeout(ANALYSIS_WITHIN, visitor.answer()).await {
        Ok(Some(Answer::Scene { scene, .. })) => Json(PictureReport {
            picture_width: scene.frame.width(),
            picture_height: scene.frame.height(),
            model: app.about.model.clone(),
            faces: faces(&scene),
        })
        .into_response(),
        Ok(Some(Answer::Problem { failure, .. })) => error(status_of(&failure), failure.to_string()),
        Ok(None) | Err(_) => busy(),
    }
}

/// Reads a body of at most `most` bytes that arrives in time.
async fn read(body: Body, most: usize) -> Result<Bytes, Response> {
    let too_large = || error(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {most} bytes are taken"));
    // Don't wait for a body that declares itself too long.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    match timeout(BODY_WITHIN, axum::body::to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // If the sender has gone away instead, nobody sees this.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(error(
            StatusCode::REQUEST_TIMEOUT,
            format!("it has to arrive within {} s", Duration::as_secs(&BODY_WITHIN)),
        )),
    }
}

/// The models that are part of the program.
#[utoipa::path(get, path = MODELS, responses(
    (status = 200, description = "The models, the default first", body = Vec<ModelReport>),
))]
pub async fn models(State(app): State<Arc<App>>) -> Json<Vec<ModelReport>> {
    Json(app.models.clone())
}

/// That the server is up.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the server is up.
#[utoipa::path(get, path = HEALTH, responses(
    (status = 200, description = "It is", body = Health),
), security(()))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The server's counters.
#[utoipa::path(get, path = METRICS, responses(
    (status = 200, description = "In Prometheus' text format", body = String, content_type = "text/plain"),
))]
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text(app.session_count()))
        .into_response()
}
