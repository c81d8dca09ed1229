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

/// Variables read by OpenCV when it first uses FFmpeg or a V4L2 camera. A variable that the user set is left alone.
const VARIABLES: [(&str, &str); 3] = [
    ("OPENCV_FFMPEG_CAPTURE_OPTIONS", concat!("protocol_whitelist;file|format_whitelist;", containers!())),
    // AV_LOG_QUIET: FFmpeg else writes to stderr what Mien says better, and a window's user never sees it.
    ("OPENCV_FFMPEG_LOGLEVEL", "-8"),
    // Seconds until a camera that sends nothing counts as lost; OpenCV waits 10, and the stop button waits with it.
    ("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3"),
];

/// Keeps FFmpeg to the file that was named, silences it and OpenCV, and shortens OpenCV's patience with a dead camera. `OPENCV_LOG_LEVEL`, if the user set
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

/// Gives the decoder of each video at most so many threads. Call it before the first video is opened.
///
/// OpenCV gives FFmpeg as many threads as it counts cores, has no setting for that before 4.7, and counts only once: so it is made to
/// count while this process may use so many cores alone. Elsewhere than on Linux nothing is limited.
///
/// # Errors
/// When the system doesn't let a process choose its cores.
pub fn limit_decoder_threads(threads: u16) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let all = sched_getaffinity(None)?;
        let mut few = CpuSet::new();
        let cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        cores.take(threads.into()).for_each(|core| few.set(core));
        sched_setaffinity(None, &few)?;
        let counted = core::get_number_of_cpus();
        sched_setaffinity(None, &all)?;
        tracing::debug!("decoders have {counted:?} threads");
    }
    #[cfg(not(target_os = "linux"))]
    tracing::debug!("decoders have a thread for each core, not {threads}");
    Ok(())
}
