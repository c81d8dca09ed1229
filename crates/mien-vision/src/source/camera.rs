//! Cameras through OpenCV: V4L2 on Linux, whatever OpenCV finds elsewhere.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use opencv::core::{Mat, MatTraitConst as _};
use opencv::videoio::{self, VideoCapture, VideoCaptureTrait as _, VideoCaptureTraitConst as _};

use super::network::NetworkCamera;
use super::{FrameSource, SourceError, SourceInfo, SourceKind, enumerate};
use crate::frame::Frame;

/// Frames that the driver may queue. OpenCV holds one of them while it is read; if only one is left to the driver, some
/// cameras deliver only every second picture. The capture thread reads faster than the camera sends, so none gets old here.
const DRIVER_BUFFERS: f64 = 3.0;

/// Pictures in a row that may be undecodable (a damaged JPEG from a bad cable) before the camera counts as lost.
const TOLERATED_BAD_PICTURES: u32 = 30;

/// Which camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraDevice {
    /// By number: `/dev/videoN` on Linux.
    Index(u32),
    /// By device file, such as `/dev/v4l/by-id/…`.
    Path(PathBuf),
    /// A network camera, by its address.
    Network(NetworkCamera),
}

impl Default for CameraDevice {
    fn default() -> Self {
        Self::Index(0)
    }
}

impl fmt::Display for CameraDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Network(camera) => camera.fmt(f),
        }
    }
}

/// An address that is no network camera's.
#[derive(Debug, thiserror::Error)]
#[error("the address of a network camera begins with rtsp://, http:// or https://, followed by its host")]
pub struct BadAddress;

impl FromStr for CameraDevice {
    type Err = BadAddress;

    /// A number is an index, an address a network camera, everything else a path.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if let Ok(index) = word.parse() {
            return Ok(Self::Index(index));
        }
        match NetworkCamera::named(word) {
            Some(camera) => Ok(Self::Network(camera)),
            // A path would be waited for, as a camera may be plugged in later.
            None if word.contains("://") => Err(BadAddress),
            None => Ok(Self::Path(PathBuf::from(word))),
        }
    }
}

/// A pixel format or codec: four characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// JPEG pictures, which let USB 2 cameras send 30 pictures a second above 640×480.
    pub const MJPG: Self = Self(*b"MJPG");

    /// From the number that OpenCV packs it into.
    pub(super) fn from_property(value: f64) -> Self {
        Self((value as i64 as u32).to_le_bytes())
    }

    /// The number that OpenCV packs it into.
    fn to_property(self) -> f64 {
        f64::from(u32::from_le_bytes(self.0))
    }
}

impl fmt::Display for FourCc {
    /// Its printable characters; empty if it is unknown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable: String =
            self.0.iter().filter(|byte| byte.is_ascii_graphic()).map(|byte| char::from(*byte)).collect();
        f.write_str(&printable)
    }
}

/// A word that isn't four characters.
#[derive(Debug, thiserror::Error)]
#[error("“{0}” is not a pixel format; give four characters, such as MJPG or YUYV")]
pub struct BadFourCc(String);

impl FromStr for FourCc {
    type Err = BadFourCc;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let upper = word.to_ascii_uppercase();
        <[u8; 4]>::try_from(upper.as_bytes())
            .map(Self)
            .ok()
            .filter(|_| word.is_ascii())
            .ok_or_else(|| BadFourCc(word.to_owned()))
    }
}

/// What to ask a camera for. It grants what it can; [`SourceInfo`] says what it granted.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraRequest {
    /// Which one.
    pub device: CameraDevice,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
    /// Pixel format; `None` leaves it to the camera.
    pub fourcc: Option<FourCc>,
}

impl Default for CameraRequest {
    fn default() -> Self {
        Self { device: CameraDevice::default(), width: 640, height: 480, fps: 30.0, fourcc: Some(FourCc::MJPG) }
    }
}

/// A camera that is open and sends pictures.
pub struct CameraSource {
    capture: VideoCapture,
    info: SourceInfo,
    opened_at: Instant,
    next_index: u64,
    /// The first picture, which was read at opening to check that the camera sends any.
    first: Option<(Mat, Instant)>,
}

impl CameraSource {
    /// Opens a camera, requests the settings and waits for the first picture.
    ///
    /// On Linux, gives up on a camera that sends nothing after the time that [`super::prepare_libraries`] sets (10 s
    /// without it); drivers of other systems may wait longer.
    ///
    /// # Errors
    /// When there is no camera, or not this one, or it is in use, not permitted, not a camera, or sends nothing.
    pub fn open(request: &CameraRequest) -> Result<Self, SourceError> {
        let mut capture = match &request.device {
            // A network camera's own settings decide what it sends.
            CameraDevice::Network(camera) => camera.open()?,
            device => open_local(device, request)?,
        };
        let name = enumerate::camera_name(&request.device);
        let opened_at = Instant::now();
        let Some(first) = grab(&mut capture)? else { return Err(enumerate::why_silent(&request.device, name)) };
        let info = SourceInfo {
            name,
            kind: SourceKind::Camera,
            width: usize::try_from(first.0.cols()).unwrap_or(0),
            height: usize::try_from(first.0.rows()).unwrap_or(0),
            fps: super::stamps::plausible_fps(capture.get(videoio::CAP_PROP_FPS)?).unwrap_or(0.0),
            fourcc: FourCc::from_property(capture.get(videoio::CAP_PROP_FOURCC)?).to_string(),
        };
        Ok(Self { capture, info, opened_at, next_index: 0, first: Some(first) })
    }
}

/// Opens a camera of this machine and requests the settings.
fn open_local(device: &CameraDevice, request: &CameraRequest) -> Result<VideoCapture, SourceError> {
    let mut capture = open_device(device)?;
    if !capture.is_opened()? {
        return Err(enumerate::why_not_opened(device));
    }
    // A camera may refuse any of these and still work; `CameraSource::open` reads back what it granted. The format comes
    // first: the sizes and rates that a camera offers depend on it.
    if let Some(fourcc) = request.fourcc {
        capture.set(videoio::CAP_PROP_FOURCC, fourcc.to_property())?;
    }
    capture.set(videoio::CAP_PROP_FRAME_WIDTH, f64::from(request.width))?;
    capture.set(videoio::CAP_PROP_FRAME_HEIGHT, f64::from(request.height))?;
    capture.set(videoio::CAP_PROP_FPS, request.fps)?;
    capture.set(videoio::CAP_PROP_BUFFERSIZE, DRIVER_BUFFERS)?;
    Ok(capture)
}

impl FrameSource for CameraSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        let grabbed = match self.first.take() {
            Some(first) => Some(first),
            None => grab(&mut self.capture)?,
        };
        let Some((image, captured_at)) = grabbed else { return Err(SourceError::Lost(self.info.name.clone())) };
        let index = self.next_index;
        self.next_index += 1;
        let media_time = captured_at.saturating_duration_since(self.opened_at);
        Ok(Some(Frame { index, media_time, captured_at, image: image.into() }))
    }

    fn seek(&mut self, _media_time: std::time::Duration) -> Result<(), SourceError> {
        Err(SourceError::NotSeekable(self.info.name.clone()))
    }
}

/// The next picture and when it arrived, or `None` if the camera sends no more.
fn grab(capture: &mut VideoCapture) -> opencv::Result<Option<(Mat, Instant)>> {
    for _ in 0..TOLERATED_BAD_PICTURES {
        if !capture.grab()? {
            return Ok(None);
        }
        let captured_at = Instant::now();
        let mut image = Mat::default();
        if capture.retrieve_def(&mut image)? && !image.empty() {
            return Ok(Some((image, captured_at)));
        }
    }
    Ok(None)
}

/// Opens through V4L2 alone: by default OpenCV tries GStreamer first, which is slow and prints messages.
#[cfg(target_os = "linux")]
fn open_device(device: &CameraDevice) -> opencv::Result<VideoCapture> {
    VideoCapture::from_file(enumerate::device_path(device), videoio::CAP_V4L2)
}

/// Opens with whatever OpenCV has for this system's cameras.
#[cfg(not(target_os = "linux"))]
fn open_device(device: &CameraDevice) -> opencv::Result<VideoCapture> {
    match device {
        CameraDevice::Index(index) => VideoCapture::new(i32::try_from(*index).unwrap_or(i32::MAX), videoio::CAP_ANY),
        CameraDevice::Path(path) => VideoCapture::from_file(path, videoio::CAP_ANY),
        CameraDevice::Network(_) => VideoCapture::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_named_by_number_path_or_address_but_not_by_an_address_of_another_kind() {
        let named = |word: &str| word.parse::<CameraDevice>();
        assert_eq!(named("2").unwrap(), CameraDevice::Index(2));
        for path in ["/dev/video7", "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0", "rtsp:", ""] {
            assert_eq!(named(path).unwrap(), CameraDevice::Path(path.into()));
        }
        for address in ["rtsp://10.0.0.7/stream", "HTTP://cam.example/video"] {
            assert!(matches!(named(address), Ok(CameraDevice::Network(_))), "{address}");
        }
        for address in ["rstp://10.0.0.7/stream", "rtmp://10.0.0.7/stream", "file:///dev/video0", "rtsp://", "://"] {
            let told = named(address).unwrap_err().to_string();
            assert!(told.contains("rtsp://, http:// or https://"), "{told}");
        }
    }
}
