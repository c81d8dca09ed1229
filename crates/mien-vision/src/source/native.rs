//! Settings of the native libraries that can only be changed through the environment or globally.

use opencv::core;

/// Containers and streams that FFmpeg may read, by FFmpeg's names. All others are left out because some of them read further files
/// or the network, whatever the file's extension: playlists (hls, dash, concat), numbered pictures (image2), descriptions of
/// streams (sdp) and scripts.
macro_rules! containers {
    () => {
        "3g2,3gp,asf,av1,avi,cavsvideo,dhav,dirac,dnxhd,dv,flv,gif,gxf,h261,h263,h264,hevc,ifv,ivf,kux,live_flv,m4v,matroska,mjpeg,\
         mjpeg_2000,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nsv,nut,obu,ogg,rm,smjpeg,swf,vc1,webm,wtv,yuv4mpegpipe"
    };
}

/// What FFmpeg may read, for programs and libraries that accept its option `format_whitelist`.
pub const CONTAINERS: &str = containers!();

/// What FFmpeg may open besides the named file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing.
    FilesAlone,
    /// The network, because a network camera was named. Playlists stay closed all the same.
    Network,
}

/// The variable from which OpenCV takes FFmpeg's options.
const OPTIONS: &str = "OPENCV_FFMPEG_CAPTURE_OPTIONS";

/// Its value for files alone.
const FILES_ALONE: &str = concat!("protocol_whitelist;file|format_whitelist;", containers!());

/// Its value for network cameras: RTSP over TCP, which loses no packets, and pictures over HTTP.
const WITH_NETWORK: &str = concat!(
    "rtsp_transport;tcp|protocol_whitelist;file,http,https,httpproxy,rtp,rtsp,tcp,tls,udp|format_whitelist;rtsp,",
    containers!()
);

/// Variables that OpenCV reads when it first uses FFmpeg or a V4L2 camera. Those that the user has set are left alone.
const VARIABLES: [(&str, &str); 2] = [
    // AV_LOG_QUIET. Otherwise FFmpeg writes to stderr what Mien reports better, and users of the window never see it.
    ("OPENCV_FFMPEG_LOGLEVEL", "-8"),
    // Seconds until a camera that sends nothing counts as lost. OpenCV's default is 10, and stopping would wait as long.
    ("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3"),
];

/// Restricts what FFmpeg may open to `reach`, silences FFmpeg and OpenCV, and shortens OpenCV's wait for a dead camera. If the user
/// has set `OPENCV_LOG_LEVEL`, OpenCV's own messages stay.
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

/// Limits the decoder of each video to this many threads. Call it before the first video is opened.
///
/// OpenCV gives FFmpeg as many threads as it counts cores. Before 4.7 it has no setting for that, and it counts only once. So the
/// calling thread is restricted to this many cores while OpenCV counts. Only Linux supports this; elsewhere nothing is limited.
///
/// # Errors
/// When the system doesn't let a thread choose its cores.
pub fn limit_decoder_threads(threads: u16) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let all = usable_cores()?;
        let mut few = all;
        let cores = 0..libc::CPU_SETSIZE as usize;
        // SAFETY: both macros stay within the set, whose length bounds the numbers.
        for core in cores.filter(|core| unsafe { libc::CPU_ISSET(*core, &all) }).skip(threads.into()) {
            unsafe { libc::CPU_CLR(core, &mut few) };
        }
        use_cores(&few)?;
        let counted = core::get_number_of_cpus();
        use_cores(&all)?;
        tracing::debug!("decoders have {counted:?} threads");
    }
    #[cfg(not(target_os = "linux"))]
    tracing::debug!("decoders have a thread for each core, not {threads}");
    Ok(())
}

#[cfg(target_os = "linux")]
fn usable_cores() -> std::io::Result<libc::cpu_set_t> {
    // SAFETY: all zeros is the empty set, and the call is given its length.
    let (failed, cores) = unsafe {
        let mut cores = std::mem::zeroed();
        (libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut cores), cores)
    };
    if failed == 0 { Ok(cores) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(target_os = "linux")]
fn use_cores(cores: &libc::cpu_set_t) -> std::io::Result<()> {
    // SAFETY: the call reads a set of the length that it is given.
    let failed = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), cores) };
    if failed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
