//! What one visitor, and all of them together, may ask of the server.

use std::time::Duration;

use mien_core::pixels::PixelLimit;

/// Bytes of a message or of a picture that is posted. A JPEG of 640 pixels has some 60 kB, one of 4 megapixels at high
/// quality fits.
pub const MAX_MESSAGE_BYTES: usize = 2 << 20;

/// Pixels of a picture, counted in its header before it is decoded: what phones send when nobody shrank it.
pub const MAX_PIXELS: PixelLimit = PixelLimit::megapixels(4);

/// Visitors with a live connection at a time. One core of a debug build answers some 70 frames a second, so at 32 each still gets two.
pub const MAX_SESSIONS: usize = 32;

/// Connections at a time. Beyond it the oldest one that hasn't shown the token yet is closed.
pub const MAX_CONNECTIONS: usize = 512;

/// Pictures analysed at the same time; further ones get 503 instead of waiting in memory.
pub const MAX_ANALYSES: usize = 4;

/// Requests a second from one address, on average …
pub const REQUESTS_PER_SECOND: f64 = 30.0;

/// … and at once: a page that opens asks four times. Its own files don't count.
pub const REQUESTS_AT_ONCE: f64 = 120.0;

/// Frames a second of one visitor. Cameras give 60 at most; the page waits for each answer anyway.
pub const FRAMES_PER_SECOND: f64 = 60.0;

/// Words of a visitor (settings), in bytes.
pub const MAX_COMMAND_BYTES: usize = 1024;

/// A visitor who sends no frame for so long is sent away; a hidden browser tab comes back by itself.
pub const IDLE: Duration = Duration::from_secs(120);

/// How often a silent connection is asked whether somebody is there …
pub const PING_INTERVAL: Duration = Duration::from_secs(15);

/// … and how long an answer, or the taking of a message, may take. A cable that was pulled is noticed so.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// How long a connection may take to send the head of its first request, and each later one.
pub const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// How long a posted picture may take to arrive.
pub const BODY_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer to a posted picture may take.
pub const ANALYSIS_WITHIN: Duration = Duration::from_secs(20);

/// How long the end of all sessions may take after Ctrl-C.
pub const CLOSE_WITHIN: Duration = Duration::from_millis(1500);
