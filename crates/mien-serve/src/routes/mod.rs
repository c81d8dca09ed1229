//! The server's routes.

mod api;
mod feed;
mod live;
mod openapi;
mod page;
mod socket;
mod visit;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;

use crate::access;
use crate::app::App;
use crate::engine::Failure;
use crate::protocol::ErrorReport;

/// All routes, behind the access guard.
pub fn router(app: Arc<App>) -> Router {
    let guard = middleware::from_fn_with_state(Arc::clone(&app), access::guard);
    Router::new()
        .route(api::ABOUT, get(api::about))
        .route(api::SESSION, post(api::open_session))
        .route(api::ANALYZE, post(api::analyze))
        .route(api::MODELS, get(api::models))
        .route(api::HEALTH, get(api::health))
        .route(api::METRICS, get(api::metrics))
        .route(api::OPENAPI, get(openapi::document))
        .route(visit::VISIT, get(visit::visit))
        .route(live::WATCH, get(live::watch))
        .route(live::OVERLAY, get(live::overlay))
        .route(live::LIVE, get(live::live))
        .route(live::STREAM, get(live::stream))
        .fallback(page::file)
        .method_not_allowed_fallback(|| async { error(StatusCode::METHOD_NOT_ALLOWED, "not by this method") })
        .layer(CatchPanicLayer::custom(|_panic: Box<dyn std::any::Any + Send>| {
            error(StatusCode::INTERNAL_SERVER_ERROR, "the server failed on this request; please report it")
        }))
        .layer(guard)
        .layer(middleware::from_fn(with_safe_headers))
        .with_state(app)
}

/// Whether a path is one of the page's own files.
pub fn is_page(path: &str) -> bool {
    page::is_part(path)
}

/// Whether a path is open without a token: the page itself, the health check, and the exchange of the token for a cookie.
pub fn is_public(path: &str) -> bool {
    is_page(path) || [api::HEALTH, api::SESSION].contains(&path)
}

/// Returns an error response.
pub fn error(status: StatusCode, words: impl Into<String>) -> Response {
    (status, Json(ErrorReport { error: words.into() })).into_response()
}

/// Returns an error response that asks to retry after `seconds`.
pub fn try_again(status: StatusCode, seconds: u16, words: impl Into<String>) -> Response {
    let mut response = error(status, words);
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// The HTTP status of a failure.
fn status_of(failure: &Failure) -> StatusCode {
    match failure {
        Failure::NotPicture(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Failure::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Failure::Failed(_) | Failure::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The content security policy: pages can load their own scripts, styles, pictures and connections, and nothing else.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const SAFE_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

async fn with_safe_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SAFE_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
