//! The window: a picture with its faces boxed and named, their probabilities as bars and over time.
//!
//! [`App`] holds the state. `logic` drains what the pipeline sent and carries out [`Action`]s, also while the window is
//! hidden; `ui` only draws, one panel a file, and asks for actions. Pure parts ([`history`], [`bars`], [`transform`],
//! [`verdict`], [`settings`], [`toasts`]) know nothing of windows.

pub mod bars;
pub mod history;
mod icons;
mod keys;
mod logic;
pub mod machine;
mod record;
mod recorded;
pub mod session;
pub mod settings;
pub mod theme;
pub mod toasts;
pub mod transform;
mod ui;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use egui::{Context, TextureHandle};
use opencv::core::Mat;

use self::bars::Bars;
use self::history::History;
use self::recorded::{Recorded, Wish};
use self::session::{CameraMode, DeviceEntry, ModelEntry, NetworkChoice, NetworkInUse, Outside, Session, Source, Wake};
use self::settings::Settings;
use self::toasts::Toasts;
use crate::detect::DetectionOptions;
use crate::device::DeviceChoice;
use crate::face::{Face, FaceId};
use crate::frame::RgbaPicture;
use crate::pipeline::Statistics;
use crate::prior::PriorChoice;
use crate::recording::{OpenError, Recording, Snapshot, SnapshotError};
use crate::source::{CameraEntry, SourceInfo, SourceKind};
pub use crate::verdict;

/// Size of the window at the very first start, in points.
const FIRST_SIZE: [f32; 2] = [1200.0, 800.0];

/// Below this size the panels would leave nothing for the picture.
const SMALLEST_SIZE: [f32; 2] = [640.0, 480.0];

/// How the window starts: what the command line asked for. What it left open is as the user last had it.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// What to open; none is the camera used last, or the first that is found.
    pub source: Option<Source>,
    /// What to ask of cameras.
    pub camera_mode: Option<CameraMode>,
    /// Where the network runs.
    pub device: Option<DeviceChoice>,
    /// Name or path of the model.
    pub model: Option<String>,
    /// How often each emotion is assumed to be shown.
    pub prior: Option<PriorChoice>,
    /// Time constant of the smoothing in seconds; 0 is off.
    pub smoothing_secs: Option<f32>,
    /// Left and right swapped.
    pub mirror: Option<bool>,
    /// How faces are looked for.
    pub detection: Option<DetectionOptions>,
    /// Of a video: 2 is twice as fast; none is 1.
    pub speed: Option<f64>,
    /// Of a video: start again at the end.
    pub repeat: bool,
}

impl Launch {
    fn apply(&self, settings: &mut Settings) {
        fn set<T: Clone>(to: &mut T, from: Option<&T>) {
            if let Some(value) = from {
                *to = value.clone();
            }
        }
        set(&mut settings.camera_mode, self.camera_mode.as_ref());
        set(&mut settings.device, self.device.as_ref());
        set(&mut settings.smoothing_secs, self.smoothing_secs.as_ref());
        set(&mut settings.mirror_cameras, self.mirror.as_ref());
        set(&mut settings.mirror_videos, self.mirror.as_ref());
        set(&mut settings.detection, self.detection.as_ref());
        if self.model.is_some() {
            settings.model.clone_from(&self.model);
        }
        if self.prior.is_some() {
            settings.prior.clone_from(&self.prior);
        }
    }
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// There is no display, or no access to it.
    #[error("there is no display to open a window on; with --headless it works without one")]
    NoDisplay,
    /// There is a display without usable OpenGL.
    #[error(
        "this display can't draw the window ({0}); with LIBGL_ALWAYS_SOFTWARE=1 it is drawn without a graphics card"
    )]
    NoGraphics(String),
}

impl From<eframe::Error> for WindowError {
    // eframe's error can't leave its thread; its words can.
    fn from(error: eframe::Error) -> Self {
        match error {
            eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => {
                tracing::debug!("no display: {error}");
                Self::NoDisplay
            }
            _ => Self::NoGraphics(error.to_string()),
        }
    }
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// When there is no display or no OpenGL.
pub fn run(launch: Launch, outside: Arc<dyn Outside>) -> Result<(), WindowError> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Mien")
            .with_app_id("mien")
            .with_inner_size(FIRST_SIZE)
            .with_min_inner_size(SMALLEST_SIZE)
            .with_drag_and_drop(true),
        renderer: eframe::Renderer::Glow,
        ..Default::default()
    };
    let create = move |cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        Ok(Box::new(App::new(&cc.egui_ctx, Settings::load(cc.storage), &launch, outside)))
    };
    Ok(eframe::run_native("mien", options, Box::new(create))?)
}

/// What the picture's place shows.
#[derive(Clone, Debug, PartialEq)]
enum Stage {
    /// There is no camera to open.
    NoCamera,
    /// The source was asked for and has given nothing yet.
    Opening,
    /// Pictures come.
    Running,
    /// The camera went away; the next try is at this time of the window's clock.
    CameraLost { reason: String, retry_at: f64 },
    /// The video is over.
    EndOfVideo,
    /// The source or the network could not be had; a toast says why.
    Failed,
    /// The user stopped it.
    Stopped,
}

/// What the user asked for. Panels and keys only ask; `logic` does it.
#[derive(Clone, Debug, PartialEq)]
enum Action {
    Open(Source),
    AskForVideo,
    TryAgain,
    TogglePause,
    Stop,
    ToggleMirror,
    Seek(Duration),
    Step(i32),
    Jump { secs: f64 },
    SetSpeed(f64),
    ToggleRepeat,
    SetSmoothing { secs: f32 },
    SetDevice(DeviceChoice),
    SetModel(String),
    SetPrior(Option<PriorChoice>),
    SetDetection(DetectionOptions),
    SetCameraMode(CameraMode),
    SetTheme(egui::ThemePreference),
    Choose(FaceId),
    ToggleFullScreen,
    LeaveFullScreen,
    ToggleHelp,
    LookForCameras,
    Dismiss(u64),
    Recorded(Wish),
    Record(record::Ask),
}

/// The scene on the screen, without its texture.
#[derive(Clone, Debug)]
struct Shown {
    size: [usize; 2],
    faces: Vec<Face>,
    /// The frame that they are on.
    frame: Arc<Mat>,
}

/// Where a video is and how it runs.
#[derive(Clone, Debug)]
struct Playback {
    paused: bool,
    speed: f64,
    repeat: bool,
    position: Duration,
    /// Where the user wants to be, until a picture from there arrives: the slider must not jump back meanwhile.
    seeking: Option<Duration>,
    /// Media time at which a face was last seen.
    face_seen: Option<Duration>,
}

/// What was found out about the machine.
#[derive(Clone, Debug, Default)]
struct Machine {
    cameras: Vec<CameraEntry>,
    devices: Vec<DeviceEntry>,
    models: Vec<ModelEntry>,
    demo_clip: Option<PathBuf>,
}

/// What a thread beside the window reports.
enum Report {
    Cameras(Vec<CameraEntry>),
    Machine {
        devices: Vec<DeviceEntry>,
        models: Vec<ModelEntry>,
        demo_clip: Option<PathBuf>,
    },
    VideoChosen(anyhow::Result<Option<PathBuf>>),
    /// And whether its faces are to be found anew.
    Recording(Box<Result<Recording, OpenError>>, bool),
    FolderChosen(anyhow::Result<Option<PathBuf>>),
    Snapshot(Result<Snapshot, SnapshotError>),
}

/// The window's state.
pub struct App {
    outside: Arc<dyn Outside>,
    wake: Wake,
    reports: Receiver<Report>,
    reporter: Sender<Report>,

    settings: Settings,
    loaded: Settings,
    launched: Settings,

    session: Option<Box<dyn Session>>,
    source: Option<Source>,
    stage: Stage,
    info: Option<SourceInfo>,
    statistics: Statistics,
    /// The network that labels, and the choice in the settings that it came from.
    network: Option<NetworkInUse>,
    network_chosen: NetworkChoice,
    machine: Machine,
    cameras_looked_for_at: f64,

    shown: Option<Shown>,
    picture: Option<RgbaPicture>,
    texture: Option<TextureHandle>,
    history: History,
    bars: Bars,
    chosen: Option<FaceId>,
    playback: Playback,
    hidden_lines: [bool; crate::emotion::COUNT],
    recorded: Option<Recorded>,
    recording: record::Recording,

    toasts: Toasts,
    actions: Vec<Action>,
    help_open: bool,
    settings_open: bool,
    choosing_video: bool,
}

impl App {
    /// A window over a machine. Opens what `launch` says, or a camera.
    pub fn new(ctx: &Context, loaded: Settings, launch: &Launch, outside: Arc<dyn Outside>) -> Self {
        theme::install(ctx);
        let mut settings = loaded.clone();
        launch.apply(&mut settings);
        let settings = settings.sanitized();
        ctx.set_theme(settings.theme);

        let waker = ctx.clone();
        let (reporter, reports) = crossbeam_channel::unbounded();
        let usual_folder = outside.recordings_folder();
        let mut app = Self {
            outside,
            wake: Arc::new(move || waker.request_repaint()),
            reports,
            reporter,
            launched: settings.clone(),
            settings,
            loaded,
            session: None,
            source: None,
            stage: Stage::Opening,
            info: None,
            statistics: Statistics::default(),
            network: None,
            network_chosen: NetworkChoice::default(),
            machine: Machine::default(),
            cameras_looked_for_at: 0.0,
            shown: None,
            picture: None,
            texture: None,
            history: History::live(),
            bars: Bars::default(),
            chosen: None,
            playback: Playback {
                paused: false,
                speed: launch.speed.unwrap_or(1.0),
                repeat: launch.repeat,
                position: Duration::ZERO,
                seeking: None,
                face_seen: None,
            },
            hidden_lines: [false; crate::emotion::COUNT],
            recorded: None,
            recording: record::Recording::new(usual_folder),
            toasts: Toasts::default(),
            actions: Vec::new(),
            help_open: false,
            settings_open: false,
            choosing_video: false,
        };
        app.look_at_machine();
        app.look_for_cameras();
        if let Some(source) = launch.source.clone() {
            app.open(source);
        }
        app
    }

    fn ask(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Whether the source is a video or a recording, whose time the user can choose.
    fn is_video(&self) -> bool {
        matches!(self.source, Some(Source::Video(_) | Source::Recording { .. }))
    }

    /// Length of the video, if it is one and declares it.
    fn duration(&self) -> Option<Duration> {
        match self.info.as_ref()?.kind {
            SourceKind::File { duration, .. } => duration,
            SourceKind::Camera => None,
        }
    }

    /// The settings as they are now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the picture is shown as in a mirror.
    pub fn mirrored(&self) -> bool {
        if self.is_video() { self.settings.mirror_videos } else { self.settings.mirror_cameras }
    }

    /// The faces on the screen.
    fn faces(&self) -> &[Face] {
        self.shown.as_ref().map_or(&[], |shown| &shown.faces)
    }

    /// The face whose lines the timeline shows: the chosen one as long as it has a line, else the first on the screen.
    fn face_of_timeline(&self) -> Option<FaceId> {
        let chosen = self.chosen.filter(|face| self.history.len(*face) > 0);
        chosen.or_else(|| self.faces().first().map(|face| face.id)).or_else(|| self.history.faces().last())
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.update(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        let remembered = self.settings.to_remember(&self.loaded, &self.launched);
        eframe::set_value(storage, settings::STORAGE_KEY, &remembered);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.end_recording();
        // Ends the threads before the process goes; an export that is under way leaves no file.
        self.session = None;
        self.recorded = None;
    }
}
