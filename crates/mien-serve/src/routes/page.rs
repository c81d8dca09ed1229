//! The page's files, which are compiled in.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use mien_core::classes::Classes;
use serde_json::json;

use super::error;
use crate::app::App;
use crate::protocol::ClassReport;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file and its path in URLs.
struct File {
    path: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

macro_rules! files {
    ($($path:literal, $kind:expr, $file:literal;)*) => {
        [$(File { path: $path, kind: $kind, content: include_bytes!(concat!("../../page/", $file)) },)*]
    };
}

/// Paths are compared as a whole, so `..` leads nowhere.
const FILES: &[File] = &files! {
    "/", HTML, "index.html";
    "/overlay", HTML, "overlay.html";
    "/app/page.css", STYLE, "page.css";
    "/app/overlay.css", STYLE, "overlay.css";
    "/app/page.js", SCRIPT, "page.js";
    "/app/overlay.js", SCRIPT, "overlay.js";
    "/app/bars.js", SCRIPT, "bars.js";
    "/app/camera.js", SCRIPT, "camera.js";
    "/app/people.js", SCRIPT, "people.js";
    "/app/session.js", SCRIPT, "session.js";
    "/app/stage.js", SCRIPT, "stage.js";
    "/app/timeline.js", SCRIPT, "timeline.js";
    "/app/visit.js", SCRIPT, "visit.js";
    "/app/watch.js", SCRIPT, "watch.js";
    "/service-worker.js", SCRIPT, "service-worker.js";
    "/manifest.webmanifest", "application/manifest+json", "manifest.webmanifest";
    "/icon.svg", "image/svg+xml", "icon.svg";
    "/icon-192.png", "image/png", "icon-192.png";
    "/icon-512.png", "image/png", "icon-512.png";
};

/// The path of a generated script with the order, names and colours of the classes, the same as in the window.
const CLASSES: &str = "/app/classes.js";

/// The script at [`CLASSES`].
fn classes_script(classes: &Classes) -> String {
    let of = |class: usize, report: ClassReport| {
        let ClassReport { label, column, color } = report;
        let text = if classes.wants_dark_text(class) { "#000000" } else { "#ffffff" };
        json!({ "key": label, "column": column, "name": classes.name(class), "color": color, "text": text })
    };
    let all: Vec<_> =
        ClassReport::all(classes).into_iter().enumerate().map(|(class, report)| of(class, report)).collect();
    let heading = if classes.are_emotions() { "Emotions" } else { "Classes" };
    format!(
        "// Generated from the model's classes.\nexport const CLASSES = {:#};\nexport const HEADING = \"{heading}\";\n",
        serde_json::Value::from(all)
    )
}

/// Whether a path is one of the page's files.
pub(super) fn is_part(path: &str) -> bool {
    path == CLASSES || FILES.iter().any(|file| file.path == path)
}

/// Serves a file of the page, or 404.
pub async fn file(State(app): State<Arc<App>>, method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let found = if path == CLASSES {
        Some((SCRIPT, Bytes::from(classes_script(&app.classes))))
    } else {
        let file = FILES.iter().find(|file| file.path == path);
        file.map(|file| (file.kind, Bytes::from_static(file.content)))
    };
    let Some((kind, content)) = found else { return error(StatusCode::NOT_FOUND, "there is nothing here") };
    if method != Method::GET && method != Method::HEAD {
        return error(StatusCode::METHOD_NOT_ALLOWED, "not by this method");
    }
    // Browsers request files again each time, so that a newer server's page never runs an older one's scripts.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, content).into_response()
}
