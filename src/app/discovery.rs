//! What is known about the machine, and the background threads that find it out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use egui::Context;

use super::session::{DeviceEntry, ModelEntry, Outside, Plan, Results, Session, Wake};
use crate::recording::{OpenError, Recording, Snapshot, SnapshotError};
use crate::source::{CameraDevice, CameraEntry};

/// How often a window without a camera looks for one, in seconds.
pub(super) const CAMERA_POLL_SECS: f64 = 2.0;

/// The task of a background thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Cameras,
    Machine,
    Video,
    Folder,
    Recording,
    Snapshot,
}

impl Job {
    /// Name of its thread.
    fn name(self) -> &'static str {
        match self {
            Self::Cameras => "mien-cameras",
            Self::Machine => "mien-machine",
            Self::Video | Self::Folder => "mien-dialog",
            Self::Recording => "mien-recording",
            Self::Snapshot => "mien-snapshot",
        }
    }

    /// Its name for the user.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Cameras => "The search for cameras",
            Self::Machine => "The search for devices and models",
            Self::Video | Self::Folder => "The file dialog",
            Self::Recording => "Reading the recording",
            Self::Snapshot => "Saving the picture",
        }
    }
}

/// What a background thread reports.
pub(super) enum Report {
    /// The thread has panicked.
    Crashed(Job),
    Cameras(Vec<CameraEntry>),
    Machine {
        devices: Vec<DeviceEntry>,
        models: Vec<ModelEntry>,
        demo_clip: Option<PathBuf>,
    },
    VideoChosen(anyhow::Result<Option<PathBuf>>),
    /// A recording that was read, or why it can't be, and the results to show.
    Recording {
        folder: PathBuf,
        read: Box<Result<Recording, OpenError>>,
        results: Results,
    },
    FolderChosen(anyhow::Result<Option<PathBuf>>),
    Snapshot(Result<Snapshot, SnapshotError>),
}

/// What the window knows about the machine, and how it finds out more.
pub(super) struct Discovery {
    outside: Arc<dyn Outside>,
    pub(super) wake: Wake,
    reports: Receiver<Report>,
    reporter: Sender<Report>,
    pub(super) cameras: Vec<CameraEntry>,
    pub(super) devices: Vec<DeviceEntry>,
    pub(super) models: Vec<ModelEntry>,
    pub(super) demo_clip: Option<PathBuf>,
    cameras_looked_for_at: f64,
    /// Whether the dialog for a video is open.
    pub(super) choosing_video: bool,
    pub(super) choosing_folder: bool,
}

impl Discovery {
    pub(super) fn new(ctx: &Context, outside: Arc<dyn Outside>) -> Self {
        let waker = ctx.clone();
        let (reporter, reports) = crossbeam_channel::unbounded();
        Self {
            outside,
            wake: Arc::new(move || waker.request_repaint()),
            reports,
            reporter,
            cameras: Vec::new(),
            devices: Vec::new(),
            models: Vec::new(),
            demo_clip: None,
            cameras_looked_for_at: 0.0,
            choosing_video: false,
            choosing_folder: false,
        }
    }

    /// Reports since the last call.
    pub(super) fn take_reports(&self) -> Vec<Report> {
        self.reports.try_iter().collect()
    }

    /// Runs slow work on a background thread, so that the window never waits for it.
    ///
    /// # Errors
    /// When the system can't start another thread; worded for the user.
    pub(super) fn beside(
        &self,
        job: Job,
        work: impl FnOnce(&dyn Outside) -> Report + Send + 'static,
    ) -> Result<(), String> {
        let (outside, reporter, wake) = (self.outside.clone(), self.reporter.clone(), self.wake.clone());
        let started = std::thread::Builder::new().name(job.name().to_owned()).spawn(move || {
            // Without a report, the window would wait forever.
            let report = catch_unwind(AssertUnwindSafe(|| work(outside.as_ref()))).unwrap_or(Report::Crashed(job));
            // Fails only if the window was closed meanwhile.
            reporter.send(report).ok();
            wake();
        });
        started.map(drop).map_err(|error| format!("This machine can't start another thread: {error}"))
    }

    pub(super) fn look_for_cameras(&self) -> Result<(), String> {
        self.beside(Job::Cameras, |outside| Report::Cameras(outside.cameras()))
    }

    /// Looks for cameras again, if the last look was long enough ago.
    pub(super) fn poll_cameras(&mut self, now: f64) -> Result<(), String> {
        if now - self.cameras_looked_for_at < CAMERA_POLL_SECS {
            return Ok(());
        }
        self.cameras_looked_for_at = now;
        self.look_for_cameras()
    }

    pub(super) fn look_around(&self) -> Result<(), String> {
        self.beside(Job::Machine, |outside| Report::Machine {
            devices: outside.devices(),
            models: outside.models(),
            demo_clip: outside.demo_clip(),
        })
    }

    /// Lets the user choose a video, unless the dialog is open already.
    pub(super) fn ask_for_video(&mut self, folder: Option<PathBuf>) -> Result<(), String> {
        if self.choosing_video {
            return Ok(());
        }
        let asked = self.beside(Job::Video, move |outside| Report::VideoChosen(outside.ask_for_video(folder)));
        self.choosing_video = asked.is_ok();
        asked
    }

    /// Lets the user choose a folder, starting in `folder`, unless the dialog is open already.
    pub(super) fn ask_for_folder(&mut self, folder: PathBuf) -> Result<(), String> {
        if self.choosing_folder {
            return Ok(());
        }
        let asked = self.beside(Job::Folder, move |outside| Report::FolderChosen(outside.ask_for_folder(folder)));
        self.choosing_folder = asked.is_ok();
        asked
    }

    pub(super) fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Session>> {
        self.outside.start(plan, self.wake.clone())
    }

    /// The connected camera that a number, device file or link refers to.
    pub(super) fn camera(&self, device: &CameraDevice) -> Option<&CameraEntry> {
        self.cameras.iter().find(|camera| camera.is(device))
    }

    pub(super) fn camera_name(&self, device: &CameraDevice) -> String {
        self.camera(device).map_or_else(|| format!("Camera {device}"), |camera| camera.name.clone())
    }
}
