//! Limits on what one visitor, and all visitors together, may send.

use std::time::Duration;

use mien_core::pixels::PixelLimit;

/// Largest message or posted picture, in bytes. A JPEG 640 pixels wide has some 60 kB; one of 4 megapixels at high quality still fits.
pub const MAX_MESSAGE_BYTES: usize = 2 << 20;

/// Most pixels of a picture, checked in its header before it is decoded.
pub const MAX_PIXELS: PixelLimit = PixelLimit::megapixels(4);

/// Most sessions at a time: visitors' cameras, watchers and streams. One core of a debug build answers some 70 frames a second, so each of
/// 32 visitors still gets two.
pub const MAX_SESSIONS: usize = 32;

/// Most connections at a time. Beyond that, the oldest one that hasn't shown the token is closed.
pub const MAX_CONNECTIONS: usize = 512;

/// Most posted pictures analysed at a time; further ones get 503 instead of waiting in memory.
pub const MAX_ANALYSES: usize = 4;

/// Most requests a second from one address, on average.
pub const REQUESTS_PER_SECOND: f64 = 30.0;

/// Most requests from one address in a burst. Opening the page takes four; its own files don't count.
pub const REQUESTS_AT_ONCE: f64 = 120.0;

/// Most messages a second from one visitor. Cameras give 60 frames at most, and the page waits for each answer anyway.
pub const FRAMES_PER_SECOND: f64 = 60.0;

/// Longest settings message of a visitor, in bytes.
pub const MAX_COMMAND_BYTES: usize = 1024;

/// A visitor who sends no frame for this long is disconnected. A hidden browser tab reconnects when it is shown again.
pub const IDLE: Duration = Duration::from_secs(120);

/// How often connections are pinged.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);

/// How long the reply to a ping, or the acceptance of a message, may take. This detects a pulled cable.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// How long the headers of each request, or a TLS handshake, may take.
pub const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// How long a request's body may take to arrive.
pub const BODY_WITHIN: Duration = Duration::from_secs(10);

/// How long the analysis of a posted picture may take.
pub const ANALYSIS_WITHIN: Duration = Duration::from_secs(20);

/// How long sessions may take to close after Ctrl-C.
pub const CLOSE_WITHIN: Duration = Duration::from_millis(1500);
