//! `mien live`: the window on a camera.

use std::path::{Path, PathBuf};
#[cfg(feature = "gui")]
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::display;
use super::headless::CameraJob;
use super::times::seconds;
use super::view::ViewArgs;
#[cfg(feature = "gui")]
use crate::app::{
    self, Launch,
    machine::ThisMachine,
    session::{CameraModeChange, Source},
};
use crate::export::OscOutput;
use crate::source::{CameraDevice, CameraEntry, CameraRequest, FourCc, SourceError, list_cameras};

/// Show a camera with faces boxed, labelled and charted
#[derive(Clone, Debug, Default, Args)]
pub struct LiveArgs {
    /// Which camera: its number, its device file, or the address of a network camera (rtsp://… or http://…)
    /// [default: the one used last, or the first that is found]
    #[arg(long, value_name = "INDEX|PATH|URL")]
    pub camera: Option<CameraDevice>,

    /// Size of the picture to ask the camera for; the window shows what it grants
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub size: Option<(u32, u32)>,

    /// Frames per second to ask the camera for
    #[arg(long, value_name = "RATE", value_parser = clap::value_parser!(u32).range(1..=240))]
    pub fps: Option<u32>,

    /// Pixel format to ask the camera for, such as MJPG or YUYV
    #[arg(long, value_name = "CODE")]
    pub fourcc: Option<FourCc>,

    /// Open no window: watch the camera and print figures at the end (frames, delay, processor, memory)
    #[arg(long)]
    pub headless: bool,

    /// Stop after this time [default: run until Ctrl-C]
    #[arg(long, value_name = "SECONDS", requires = "headless", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// Write a table of all faces to this file
    #[arg(long, value_name = "FILE", requires = "headless")]
    pub csv: Option<PathBuf>,

    /// Write each face of each frame as a line of JSON: to this file, or with `-` to standard output as it comes
    #[arg(long, value_name = "FILE|-", requires = "headless", conflicts_with = "json")]
    pub jsonl: Option<PathBuf>,

    /// Send the live results as Open Sound Control to this address: /mien/face/1/happy 0.87
    #[arg(long, value_name = "HOST:PORT")]
    pub osc: Option<OscOutput>,

    /// Record video, tables and marks into a new folder in this one
    #[arg(long, value_name = "FOLDER", requires = "headless")]
    pub record: Option<PathBuf>,

    /// Print the figures as one JSON object
    #[arg(long, requires = "headless")]
    pub json: bool,

    /// What is the same for a camera and a video
    #[command(flatten)]
    pub view: ViewArgs,
}

impl LiveArgs {
    /// Opens the window and returns when it is closed; with --headless, watches the camera without one.
    ///
    /// # Errors
    /// When the device or model can't be used, when there is no display, or when it was ended with Ctrl-C.
    pub fn run(self) -> anyhow::Result<()> {
        if self.headless {
            if self.view.blur.is_some() && self.record.is_none() {
                bail!("--blur changes what is recorded: give --record with it, or leave it out");
            }
            if self.csv.as_deref() == Some(Path::new("-")) {
                bail!("--csv writes to a file; for standard output use --jsonl -");
            }
            let request = self.request(list_cameras)?;
            let Self { duration, csv, jsonl, osc, record, json, view, .. } = self;
            let (blur, choices) = (view.blur, view.labels.stages());
            return CameraJob { request, duration, csv, jsonl, osc, record, blur, json, choices }.run();
        }
        if let Some(why) = display::why_none() {
            bail!(
                "no window can be opened: {why}; `mien live --headless` watches a camera without one, and `mien replay \
                 FILE` writes an annotated video"
            );
        }
        self.show()
    }

    #[cfg(feature = "gui")]
    fn show(&self) -> anyhow::Result<()> {
        self.view.labels.check(app::last_model)?;
        app::run(self.launch(), Arc::new(ThisMachine { osc: self.osc.clone() }))
    }

    #[cfg(not(feature = "gui"))]
    fn show(&self) -> anyhow::Result<()> {
        bail!(display::NO_WINDOW_IN_BUILD)
    }

    /// The camera and the mode to request without a window: the named camera, or else the first that is found, by the link that still names
    /// it after it is plugged in again.
    fn request(&self, found: impl FnOnce() -> Vec<CameraEntry>) -> Result<CameraRequest, SourceError> {
        let device = match &self.camera {
            Some(device) => device.clone(),
            None => found().first().ok_or(SourceError::NoCamera)?.device(),
        };
        let usual = CameraRequest::default();
        let (width, height) = self.size.unwrap_or((usual.width, usual.height));
        let (fps, fourcc) = (self.fps.map_or(usual.fps, f64::from), self.fourcc.or(usual.fourcc));
        Ok(CameraRequest { device, width, height, fps, fourcc })
    }

    #[cfg(feature = "gui")]
    fn launch(&self) -> Launch {
        let mode = CameraModeChange {
            size: self.size,
            fps: self.fps.map(f64::from),
            fourcc: self.fourcc.map(|fourcc| fourcc.to_string()),
        };
        Launch { camera_mode: mode, ..self.view.launch(self.camera.clone().map(Source::Camera)) }
    }
}

fn size(word: &str) -> Result<(u32, u32), String> {
    let parsed = word.split_once(['x', 'X', '×']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let in_range = |n: u32| (16..=16_384).contains(&n);
    parsed
        .filter(|(w, h)| in_range(*w) && in_range(*h))
        .ok_or_else(|| "write width and height, such as 1280x720".to_owned())
}

#[cfg(all(test, feature = "gui"))]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::app::session::CameraMode;
    use crate::detect::DetectionOptions;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: LiveArgs,
    }

    fn launch(words: &[&str]) -> Launch {
        Command::parse_from(["mien"].iter().chain(words)).args.launch()
    }

    #[test]
    fn without_options_everything_is_as_the_window_was_left() {
        let launch = launch(&[]);
        assert!(launch.source.is_none() && launch.camera_mode == CameraModeChange::default());
        let saved = DetectionOptions { min_neighbors: 9, equalize: true, ..DetectionOptions::default() };
        assert_eq!(launch.detection.over(&saved), saved);
        assert!(launch.mirror.is_none() && launch.smoothing_secs.is_none() && launch.device.is_none());
    }

    #[test]
    fn what_is_asked_of_a_camera_reaches_it() {
        let launch = launch(&["--camera", "2", "--size", "1280x720", "--fourcc", "yuyv"]);
        let mode = CameraMode { width: 1280, height: 720, fourcc: Some("YUYV".to_owned()), ..CameraMode::default() };
        assert_eq!(launch.source, Some(Source::Camera(CameraDevice::Index(2))));
        assert_eq!(launch.camera_mode.over(&CameraMode::default()), mode);
        let saved = CameraMode { fps: 15.0, ..CameraMode::default() };
        assert_eq!(launch.camera_mode.over(&saved).fps, 15.0, "what isn't asked for stays as it was saved");
    }

    #[test]
    fn without_a_window_the_first_camera_is_opened_by_a_link_that_outlasts_replugging() {
        let link = PathBuf::from("/dev/v4l/by-id/usb-Maker_Webcam-video-index0");
        let path = PathBuf::from("/dev/video0");
        let camera = CameraEntry { index: 0, path, links: vec![link.clone()], name: "Webcam".to_owned() };
        let request = |words: &[&str], found: &[CameraEntry]| {
            let args = Command::parse_from(["mien"].iter().chain(words)).args;
            args.request(|| found.to_vec()).map(|request| request.device)
        };
        assert_eq!(request(&[], std::slice::from_ref(&camera)).unwrap(), CameraDevice::Path(link));
        assert_eq!(request(&["--camera", "2"], &[camera]).unwrap(), CameraDevice::Index(2));
        assert!(matches!(request(&[], &[]), Err(SourceError::NoCamera)));
    }

    #[test]
    fn the_last_of_mirror_and_no_mirror_counts() {
        assert_eq!(launch(&["--mirror", "--no-mirror"]).mirror, Some(false));
        assert_eq!(launch(&["--no-mirror", "--mirror"]).mirror, Some(true));
    }

    #[test]
    fn sizes_that_are_none_are_refused() {
        assert_eq!(size("640x480"), Ok((640, 480)));
        for word in ["640", "x480", "0x0", "640x", "999999x1"] {
            assert!(size(word).is_err(), "{word}");
        }
    }
}
