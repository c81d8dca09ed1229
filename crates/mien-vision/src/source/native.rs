//! Settings of the native libraries that only their environment or a global can change.

use opencv::core;

/// Containers and streams that FFmpeg may read, by its names. All others are left out because some of them read further files or
/// the network, whatever the file that was named is called: playlists (hls, dash, concat), numbered pictures (image2),
/// descriptions of streams (sdp) and scripts.
macro_rules! containers {
    () => {
        "3g2,3gp,asf,av1,avi,cavsvideo,dhav,dirac,dnxhd,dv,flv,gif,gxf,h261,h263,h264,hevc,ifv,ivf,kux,live_flv,m4v,matroska,mjpeg,\
         mjpeg_2000,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nsv,nut,obu,ogg,rm,smjpeg,swf,vc1,webm,wtv,yuv4mpegpipe"
    };
}

/// What FFmpeg may read, for programs and libraries that have its option `format_whitelist`.
pub const CONTAINERS: &str = containers!();

/// What FFmpeg may open beside the file that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing.
    FilesAlone,
    /// The network, because a camera there was named. Lists of other files stay closed all the same.
    Network,
}

/// The variable that OpenCV takes FFmpeg's options from.
const OPTIONS: &str = "OPENCV_FFMPEG_CAPTURE_OPTIONS";

/// Its value: the file that was named.
const FILES_ALONE: &str = concat!("protocol_whitelist;file|format_whitelist;", containers!());

/// Its value with cameras in the network: RTSP over TCP, which loses no packets, and pictures over HTTP.
const WITH_NETWORK: &str = concat!(
    "rtsp_transport;tcp|protocol_whitelist;file,http,https,httpproxy,rtp,rtsp,tcp,tls,udp|format_whitelist;rtsp,",
    containers!()
);

/// Variables read by OpenCV when it first uses FFmpeg or a V4L2 camera. A variable that the user set is left alone.
const VARIABLES: [(&str, &str); 2] = [
    // AV_LOG_QUIET: FFmpeg else writes to stderr what Mien says better, and a window's user never sees it.
    ("OPENCV_FFMPEG_LOGLEVEL", "-8"),
    // Seconds until a camera that sends nothing counts as lost; OpenCV waits 10, and the stop button waits with it.
    ("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3"),
];

/// Keeps FFmpeg to what was named, silences it and OpenCV, and shortens OpenCV's patience with a dead camera. `OPENCV_LOG_LEVEL`, if the user set
/// it, keeps OpenCV's own messages.
///
/// # Safety
/// Changes the process environment: call it first thing in `main`, before any other thread exists.
pub unsafe fn prepare_libraries(reach: Reach) {
    let options = if reach == Reach::Network { WITH_NETWORK } else { FILES_ALONE };
    for (name, value) in VARIABLES.into_iter().chain([(OPTIONS, options)]) {
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
