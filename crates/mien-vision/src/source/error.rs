//! Errors of sources, worded for the user: what went wrong, where, and what to do.

use std::io;
use std::path::PathBuf;

use mien_core::pixels::TooManyPixels;

/// Added if what should be a video is a picture.
const PICTURES_GO_TO: &str =
    "; “mien analyze” reads pictures: JPEG, PNG, WebP, BMP and TIFF files with their usual extension";

/// Why a source can't be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("{0} does not exist; check the path")]
    Missing(PathBuf),
    /// The path is a folder.
    #[error("{0} is a folder; name a file in it")]
    Folder(PathBuf),
    /// The system refuses to read the file.
    #[error("{path} can't be read ({reason}); check its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        reason: io::Error,
    },
    /// A file of zero bytes.
    #[error("{0} is empty (0 bytes); its download or recording probably failed, get it again")]
    Empty(PathBuf),
    /// A file that isn't a video.
    #[error(
        "{path} is {what}, not a video; give a video file such as MP4, MOV, AVI, MKV or WebM{}",
        if what.ends_with("picture") { PICTURES_GO_TO } else { "" }
    )]
    NotVideo {
        /// The file.
        path: PathBuf,
        /// What it is instead: "a PNG picture", "text or unknown data".
        what: String,
    },
    /// A list of other files.
    #[error("{path} is {what}: it only names other files, which Mien doesn't follow; give the video itself")]
    Playlist {
        /// The file.
        path: PathBuf,
        /// The kind: "an M3U playlist".
        what: &'static str,
    },
    /// A video container that can't be opened.
    #[error(
        "{path} looks like {what} but has no readable picture: it is truncated, damaged or holds only sound; get it again, \
         or check whether another player can open it"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The container: "an MP4 video".
        what: String,
    },
    /// A sound file.
    #[error("{path} is {what}: it has sound but no picture; give a video file")]
    AudioOnly {
        /// The file.
        path: PathBuf,
        /// The kind: "a WAV recording".
        what: String,
    },
    /// A video in which no frame could be decoded.
    #[error(
        "{0} has no frame that can be decoded; it is truncated, damaged, or of a codec that OpenCV was built without"
    )]
    NoFrames(PathBuf),
    /// A file that should be a picture but can't be decoded.
    #[error("{0} can't be decoded as a picture; give a JPEG, PNG, WebP, BMP or TIFF file that other programs can open")]
    NotPicture(PathBuf),
    /// A JPEG that was cut off.
    #[error("{0} is incomplete: the file ends before the picture does")]
    CutPicture(PathBuf),
    /// A picture, or a video's frame, with more pixels than may be decoded.
    #[error("{path} isn't read: {reason}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it is, and what is allowed.
        reason: TooManyPixels,
    },
    /// The position in a file can't be changed.
    #[error("can't go to {seconds:.2} s in {name}; play it from the start instead")]
    Seek {
        /// The source.
        name: String,
        /// Where to, in seconds.
        seconds: f64,
    },
    /// Cameras can't be positioned.
    #[error("{0} is a camera and has no position to go to")]
    NotSeekable(String),
    /// There is no camera at all.
    #[error("no camera found; plug one in, or open a video instead")]
    NoCamera,
    /// There are cameras, but not this one.
    #[error("there is no camera {asked}; found: {found}")]
    NoSuchCamera {
        /// What was asked for.
        asked: String,
        /// What there is instead.
        found: String,
    },
    /// Another program uses the camera.
    #[error("camera {device} is in use{}; close the other program and try again", by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default())]
    CameraBusy {
        /// The camera.
        device: String,
        /// The program, if known.
        by: Option<String>,
    },
    /// No permission for the device.
    #[error(
        "no permission to open camera {0}; add yourself to the group “video” (sudo usermod -aG video $USER), then log \
         out and in again"
    )]
    CameraDenied(String),
    /// Something other than a camera.
    #[error("{0} is not a camera that gives pictures; list the cameras with “mien doctor”")]
    NotCamera(String),
    /// The camera could not be opened, for an unknown reason.
    #[error("camera {0} could not be opened; another program may be using it, else unplug it and plug it in again")]
    CameraNotOpened(String),
    /// The camera opens but sends nothing.
    #[error("camera {0} opens but gives no picture; unplug it and plug it in again, or ask for another size or format")]
    CameraSilent(String),
    /// A camera in the network that can't be reached.
    #[error(
        "the network camera {0} doesn't answer with moving pictures; check its address, name and password, and whether \
         another program can show it"
    )]
    NetworkCamera(String),
    /// The camera was lost while running.
    #[error("camera {0} was lost: unplugged, or it stopped sending pictures")]
    Lost(String),
    /// OpenCV reported an error.
    #[error("OpenCV failed: {0}")]
    OpenCv(#[from] opencv::Error),
}

impl SourceError {
    /// Whether the camera exists, but another program uses it.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::CameraBusy { .. })
    }
}
