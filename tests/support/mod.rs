//! What tests of several binaries share.
#![allow(dead_code, reason = "each binary uses its part")]

#[cfg(feature = "vision")]
pub mod drawn_face;
#[cfg(all(feature = "vision", target_os = "linux"))]
pub mod emulated_cameras;
#[cfg(feature = "vision")]
pub mod expressions;
#[cfg(feature = "vision")]
pub mod fakes;
pub mod ffmpeg;
pub mod files;
#[cfg(feature = "vision")]
pub mod moving_faces;
#[cfg(feature = "vision")]
pub mod numbered;
#[cfg(feature = "vision")]
pub mod own_model;
#[cfg(feature = "vision")]
pub mod program;
#[cfg(feature = "vision")]
pub mod sessions;
#[cfg(feature = "vision")]
pub mod watch;
