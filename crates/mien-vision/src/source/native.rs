//! Settings of the native libraries that only their environment or a global can change.

use opencv::core;

/// Variables read by OpenCV when it first uses FFmpeg or a V4L2 camera. A variable that the user set is left alone.
const VARIABLES: [(&str, &str); 2] = [
    // AV_LOG_QUIET: FFmpeg else writes to stderr what Mien says better, and a window's user never sees it.
    ("OPENCV_FFMPEG_LOGLEVEL", "-8"),
    // Seconds until a camera that sends nothing counts as lost; OpenCV waits 10, and the stop button waits with it.
    ("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3"),
];

/// Silences OpenCV and FFmpeg and shortens OpenCV's patience with a dead camera. `OPENCV_LOG_LEVEL`, if the user set
/// it, keeps OpenCV's own messages.
///
/// # Safety
/// Changes the process environment: call it first thing in `main`, before any other thread exists.
pub unsafe fn prepare_libraries() {
    for (name, value) in VARIABLES {
        if std::env::var_os(name).is_none() {
            // SAFETY: the caller promises that there is no other thread.
            unsafe { std::env::set_var(name, value) };
        }
    }
    if std::env::var_os("OPENCV_LOG_LEVEL").is_none()
        && let Err(error) = core::set_log_level(core::LogLevel::LOG_LEVEL_SILENT)
    {
        tracing::debug!("OpenCV keeps its log level: {error}");
    }
}
