//! The real machine around the window: OpenCV's cameras and videos, libtorch's devices, the system's file dialog.

mod recording;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use self::recording::MarkingWriter;
use super::session::{DeviceEntry, ModelEntry, Outside, Plan, Results, Session, Source, Wake};
use tch::Device;

use crate::classify::{Classifier, TorchClassifier};
use crate::device::{DeviceChoice, DeviceError};
use crate::export::OscOutput;
use crate::net::ModelSource;
use crate::network::NetworkInUse;
use crate::pipeline::{Command, Event, Live, LiveSettings, NetworkChoice, Parts, Scene, SourceRequest, Statistics};
use crate::recording::{self as recordings, METADATA, Progress, RecordingEvent};
use crate::source::{CameraEntry, list_cameras};

/// File extensions that the dialog shows first. OpenCV reads more; the dialog also offers all files.
const VIDEO_ENDINGS: [&str; 10] = ["mp4", "mov", "avi", "mkv", "webm", "m4v", "mpg", "mpeg", "wmv", "ogv"];

/// A dialog that closes faster than this never opened: no user is that quick.
const FASTEST_HAND: Duration = Duration::from_millis(400);

/// This machine.
#[derive(Debug, Default)]
pub struct ThisMachine {
    /// Where to send live results, in addition to the window.
    pub osc: Option<OscOutput>,
}

impl Outside for ThisMachine {
    fn cameras(&self) -> Vec<CameraEntry> {
        list_cameras()
    }

    fn devices(&self) -> Vec<DeviceEntry> {
        let entry = |choice: DeviceChoice, name: String| DeviceEntry {
            choice,
            name,
            unavailable: choice.resolve().err().as_ref().map(DeviceError::to_string),
        };
        // List CUDA even without a card: the disabled entry says why.
        let cards = usize::try_from(tch::Cuda::device_count()).unwrap_or(0).max(1);
        let fixed = [entry(DeviceChoice::Auto, "Auto".to_owned()), entry(DeviceChoice::Cpu, "CPU".to_owned())];
        fixed.into_iter().chain((0..cards).map(|i| entry(DeviceChoice::Cuda(i), format!("CUDA {i}")))).collect()
    }

    fn models(&self) -> Vec<ModelEntry> {
        let shipped = ModelSource::shipped().map(|model| ModelEntry {
            key: model.to_string(),
            description: model.card().map(|card| card.description).unwrap_or_default(),
        });
        shipped.collect()
    }

    fn demo_clip(&self) -> Option<PathBuf> {
        crate::demo::clip()
    }

    fn ask_for_video(&self, folder: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
        let mut dialog = rfd::FileDialog::new()
            .set_title(format!("Open a video, or the {METADATA} of a recording"))
            .add_filter("Videos and recordings", &[&VIDEO_ENDINGS[..], &["json"]].concat())
            .add_filter("All files", &["*"]);
        if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
            dialog = dialog.set_directory(folder);
        }
        ask(|| dialog.pick_file(), "drop the video on the window, or start `mien replay FILE`")
    }

    fn recordings_folder(&self) -> PathBuf {
        recordings::default_folder()
    }

    fn ask_for_folder(&self, folder: PathBuf) -> anyhow::Result<Option<PathBuf>> {
        let mut dialog = rfd::FileDialog::new().set_title("Folder for recordings and pictures");
        if folder.is_dir() {
            dialog = dialog.set_directory(folder);
        }
        ask(|| dialog.pick_folder(), "install one of them to choose the folder")
    }

    fn start(&self, plan: &Plan, wake: Wake) -> anyhow::Result<Box<dyn Session>> {
        let recording = || plan.recording.clone().context("The recording was not read");
        let network = Arc::new(Mutex::new(None));
        // A missing device is reported when the network is loaded.
        let device = |choice: DeviceChoice| choice.resolve().unwrap_or(Device::Cpu);
        let analysed = |source| Parts::on(source, device, loader(network.clone()));
        let parts = match &plan.source {
            Source::Camera(device) => analysed(SourceRequest::Camera(plan.camera_mode.of(device.clone()))),
            Source::Video(path) => analysed(SourceRequest::Video(path.clone())),
            Source::Recording { results: Results::Anew, .. } => analysed(recording()?.request()),
            Source::Recording { results: Results::Recorded, .. } => {
                let recording = recording()?;
                *network.lock().unwrap_or_else(PoisonError::into_inner) = Some(recording.metadata.network());
                recording.parts()
            }
        };
        let settings = LiveSettings {
            smoothing: plan.smoothing,
            detection: plan.detection,
            network: plan.network.clone(),
            speed: plan.speed,
            repeat: plan.repeat,
            ..LiveSettings::default()
        };
        let live = Live::start(parts, settings, {
            let wake = wake.clone();
            move || wake()
        })
        .context("Nothing can be opened")?;
        if let Some(osc) = &self.osc {
            // Separate from the recording's tap, so that each frame is sent whether or not the window paints it.
            live.add_tap(Arc::new(osc.clone()));
        }
        let writer = MarkingWriter::new(plan, wake);
        Ok(Box::new(LiveSession { live, network, writer }))
    }
}

/// Shows a dialog and returns the choice. If no dialog is available, the error suggests `instead`.
fn ask(dialog: impl FnOnce() -> Option<PathBuf>, instead: &str) -> anyhow::Result<Option<PathBuf>> {
    let asked_at = Instant::now();
    let chosen = if can_ask() { dialog() } else { None };
    if chosen.is_none() && asked_at.elapsed() < FASTEST_HAND {
        anyhow::bail!("This system has no file dialog (xdg-desktop-portal or zenity); {instead}");
    }
    Ok(chosen)
}

/// Whether the system can show a file dialog. `rfd` can't tell a missing dialog from a cancelled one.
#[cfg(all(unix, not(target_os = "macos")))]
fn can_ask() -> bool {
    let bus_address = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some();
    let bus_socket =
        std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| PathBuf::from(folder).join("bus").exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    bus_address || bus_socket || std::env::split_paths(&path).any(|folder| folder.join("zenity").is_file())
}

/// Windows and macOS always have one.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn can_ask() -> bool {
    true
}

/// A running pipeline, and the writer of its recordings.
struct LiveSession {
    live: Live,
    network: Arc<Mutex<Option<NetworkInUse>>>,
    writer: MarkingWriter,
}

impl LiveSession {
    fn loaded(&self) -> Option<NetworkInUse> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Session for LiveSession {
    fn take_scene(&mut self) -> Option<Scene> {
        self.live.take_scene()
    }

    fn take_events(&mut self) -> Vec<Event> {
        let events: Vec<Event> = self.live.events().collect();
        let network = self.loaded();
        self.writer.note_events(&events, network.as_ref());
        events
    }

    fn send(&mut self, command: Command) {
        self.writer.note_command(&command);
        self.live.send(command);
    }

    fn statistics(&self) -> Statistics {
        self.live.statistics()
    }

    fn network(&self) -> Option<NetworkInUse> {
        self.loaded()
    }

    fn start_recording(&mut self, folder: PathBuf) {
        let tap = self.writer.start(folder, self.loaded());
        self.live.set_tap(tap);
    }

    fn stop_recording(&mut self) {
        self.writer.end();
    }

    fn mark(&mut self, at: Instant, text: String) {
        self.writer.mark(at, text);
    }

    fn recording(&self) -> Option<Progress> {
        self.writer.progress()
    }

    fn take_recording_events(&mut self) -> Vec<RecordingEvent> {
        self.writer.take_events()
    }

    fn finish_recording(&mut self) -> Vec<RecordingEvent> {
        self.writer.finish()
    }
}

/// Returns a loader for the thread that runs the network. It stores the network it loaded last in `in_use`.
fn loader(
    in_use: Arc<Mutex<Option<NetworkInUse>>>,
) -> impl FnMut(&NetworkChoice) -> anyhow::Result<Box<dyn Classifier>> + Send + 'static {
    move |choice| {
        let (classifier, network) = load(choice)?;
        *in_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(network);
        Ok(classifier)
    }
}

fn load(choice: &NetworkChoice) -> anyhow::Result<(Box<dyn Classifier>, NetworkInUse)> {
    let source = choice.model.as_deref().map(model_source).unwrap_or_default();
    let classifier = TorchClassifier::load(&source, choice.device, choice.prior.as_ref())?.with_flip(choice.flip);
    let network = NetworkInUse::from(&classifier).with_threads(tch::get_num_threads());
    Ok((Box::new(classifier), network))
}

/// Parses a model's name or path.
pub(super) fn model_source(text: &str) -> ModelSource {
    let Ok(source) = text.parse();
    source
}
