//! The page's files, which are part of the program.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use mien_core::emotion::Emotion;

use super::error;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file and where it is found.
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

/// Paths are compared whole: there is no folder that could be left by `..`.
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

/// Where the emotions' order, names and colours are found: those of the window, written nowhere twice.
const EMOTIONS: &str = "/app/emotions.js";

static EMOTIONS_SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let mut script = "// Made of the program's own list.\nexport const EMOTIONS = [\n".to_owned();
    for emotion in Emotion::ALL {
        let [red, green, blue] = emotion.rgb();
        let text = if emotion.wants_dark_text() { "#000000" } else { "#ffffff" };
        // Writing to a string can't fail.
        writeln!(
            script,
            "  {{ key: \"{}\", name: \"{}\", color: \"#{red:02x}{green:02x}{blue:02x}\", text: \"{text}\" }},",
            emotion.key(),
            emotion.name(),
        )
        .ok();
    }
    script + "];\n"
});

/// Whether a path is one of the page's.
pub(super) fn is_part(path: &str) -> bool {
    path == EMOTIONS || FILES.iter().any(|file| file.path == path)
}

/// A file of the page, or that there is none.
pub async fn file(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let found = if path == EMOTIONS {
        Some((SCRIPT, EMOTIONS_SCRIPT.as_bytes()))
    } else {
        FILES.iter().find(|file| file.path == path).map(|file| (file.kind, file.content))
    };
    let Some((kind, content)) = found else { return error(StatusCode::NOT_FOUND, "there is nothing here") };
    if method != Method::GET && method != Method::HEAD {
        return error(StatusCode::METHOD_NOT_ALLOWED, "not by this method");
    }
    // Asked for anew each time, so that a newer program never meets the scripts of an older one.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, Bytes::from_static(content)).into_response()
}
