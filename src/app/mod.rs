//! The window: the picture with a labelled box around each face, and the faces' probabilities as bars and over time.
//!
//! [`App`] splits its state into parts: `player` (the source and its playback), `people` (faces, bars and curves),
//! `recording` (the recording being made), `replay` (the open recording), `discovery` (the known cameras, devices and
//! models) and `preferences` (the settings). `logic` handles the pipeline's events and carries out the user's actions, even
//! while the window is hidden. `ui` only draws: each panel receives what it shows and requests actions. The pure parts
//! ([`history`], [`bars`], [`transform`], [`verdict`], [`settings`], [`toasts`]) work without a window.

mod action;
mod actions;
pub mod bars;
mod discovery;
mod export;
pub mod history;
mod icons;
mod keys;
mod logic;
pub mod machine;
mod people;
mod player;
mod record;
mod replay;
pub mod session;
pub mod settings;
pub mod theme;
mod time;
pub mod toasts;
pub mod transform;
mod ui;
mod zoom;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use egui::Context;

use self::action::Asks;
use self::actions::Next;
use self::discovery::Discovery;
use self::export::RunningExport;
use self::history::History;
use self::people::People;
use self::player::{Phase, Player};
use self::record::RecordingControl;
use self::replay::Replay;
use self::session::{CameraModeChange, Outside, Source};
use self::settings::{Preferences, Settings, SettingsFile};
use self::time::WindowClock;
use self::toasts::Toasts;
use self::ui::{Panes, Screen};
use self::zoom::Zoom;
use crate::blur::Blur;
use crate::detect::GivenDetection;
use crate::device::DeviceChoice;
use crate::interrupt::{self, Interrupted};
use crate::net::ModelSource;
use crate::pipeline::NetworkChoice;
use crate::prior::PriorChoice;
pub use crate::verdict;

/// Application id of the window, and name of its storage folder.
const APP_ID: &str = "mien";

/// Size of the window at the first start, in points.
const FIRST_SIZE: [f32; 2] = [1200.0, 800.0];

/// Minimum size of the window: below it, the panels would leave no room for the picture.
const SMALLEST_SIZE: [f32; 2] = [640.0, 480.0];

/// How the window starts: the options of the command line. Those left out keep their saved values.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// What to open; `None` for the last used camera, else the first one found.
    pub source: Option<Source>,
    /// Camera mode to request.
    pub camera_mode: CameraModeChange,
    /// Where the network runs.
    pub device: Option<DeviceChoice>,
    /// Name or path of the model.
    pub model: Option<String>,
    /// How often each class is assumed to occur.
    pub prior: Option<PriorChoice>,
    /// Whether the network also evaluates each face mirrored.
    pub flip: Option<bool>,
    /// Time constant of the smoothing in seconds; 0 is off.
    pub smoothing_secs: Option<f32>,
    /// Whether to mirror cameras and videos.
    pub mirror: Option<bool>,
    /// How faces are detected.
    pub detection: GivenDetection,
    /// What is blurred in recordings and exports.
    pub blur: Option<Blur>,
    /// Playback speed of a video: 2 is twice as fast. `None` for 1.
    pub speed: Option<f64>,
    /// Whether a video starts again at its end.
    pub repeat: bool,
}

impl Launch {
    fn apply(&self, settings: &mut Settings) {
        fn set<T: Clone>(to: &mut T, from: Option<&T>) {
            if let Some(value) = from {
                *to = value.clone();
            }
        }
        if let Some(Source::Camera(device)) = &self.source {
            settings.camera = Some(device.to_string());
        }
        settings.camera_mode = self.camera_mode.over(&settings.camera_mode);
        settings.detection = self.detection.over(&settings.detection);
        set(&mut settings.device, self.device.as_ref());
        set(&mut settings.flip, self.flip.as_ref());
        set(&mut settings.smoothing_secs, self.smoothing_secs.as_ref());
        set(&mut settings.mirror_cameras, self.mirror.as_ref());
        set(&mut settings.mirror_videos, self.mirror.as_ref());
        if self.model.is_some() {
            settings.model.clone_from(&self.model);
        }
        if self.prior.is_some() {
            settings.prior.clone_from(&self.prior);
        }
    }
}

/// Why the window can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// There is no display, or no access to it.
    #[error("there is no display to open a window on; use --headless to run without one")]
    NoDisplay,
    /// The display has no usable OpenGL.
    #[error("this display can't draw the window ({0}); set LIBGL_ALWAYS_SOFTWARE=1 to draw without a graphics card")]
    NoGraphics(String),
}

impl From<eframe::Error> for WindowError {
    // eframe's error isn't `Send`, so only its text is kept.
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

/// The file with the settings; `None` if there is no folder for it.
fn settings_path() -> Option<PathBuf> {
    eframe::storage_dir(APP_ID).map(|folder| folder.join(settings::FILE))
}

/// The model that the window used last, and uses if [`Launch::model`] names no other.
pub fn last_model() -> ModelSource {
    let saved = settings_path().map(|file| Settings::load(&file)).unwrap_or_default();
    saved.model.as_deref().map(machine::model_source).unwrap_or_default()
}

/// Opens the window and returns when it is closed. Ctrl-C and requests to terminate close it as its close button does.
///
/// # Errors
/// When there is no display or no OpenGL, when Ctrl-C closed the window, or when no handler for Ctrl-C can be installed.
pub fn run(launch: Launch, outside: Arc<dyn Outside>) -> anyhow::Result<()> {
    let stop = interrupt::catch()?;
    show(launch, outside, stop)?;
    if stop.load(Ordering::Relaxed) {
        anyhow::bail!(Interrupted("the window was closed; recordings and settings are kept".to_owned()));
    }
    Ok(())
}

fn show(launch: Launch, outside: Arc<dyn Outside>, stop: &'static AtomicBool) -> Result<(), WindowError> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Mien")
            .with_app_id(APP_ID)
            .with_inner_size(FIRST_SIZE)
            .with_min_inner_size(SMALLEST_SIZE)
            .with_drag_and_drop(true),
        renderer: eframe::Renderer::Glow,
        ..Default::default()
    };
    let create = move |cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        let file = settings_path();
        let loaded = file.as_deref().map(Settings::load).unwrap_or_default();
        let mut app = App::new(&cc.egui_ctx, loaded, &launch, outside);
        match file {
            Some(file) if cc.storage.is_some() => app.keep_settings_in(file),
            _ => app.report(Err(
                "The settings can't be saved: there is no folder for them, or it can't be made".to_owned()
            )),
        }
        app.close_on(stop);
        let sleeping = cc.egui_ctx.clone();
        interrupt::wake_with(move || sleeping.request_repaint());
        Ok(Box::new(app))
    };
    Ok(eframe::run_native(APP_ID, options, Box::new(create))?)
}

/// The window's state.
pub struct App {
    preferences: Preferences,
    settings_file: Option<SettingsFile>,
    discovery: Discovery,
    player: Player,
    people: People,
    screen: Screen,
    recording: RecordingControl,
    /// What to do once the recording has ended, and the deadline for its end on the window's clock.
    next: Option<(Next, f64)>,
    replay: Option<Replay>,
    /// A running export. It continues when another source is opened.
    export: Option<RunningExport>,
    /// Whether a text field had the focus when the window was last drawn.
    typed_last: bool,
    /// The choice for which the network in use was loaded.
    network_chosen: NetworkChoice,
    /// Requested networks that the pipeline has neither loaded nor rejected yet, oldest first.
    networks_asked: VecDeque<NetworkChoice>,
    toasts: Toasts,
    panes: Panes,
    zoom: Zoom,
    asks: Asks,
    clock: WindowClock,
    /// Closes the window once it is set.
    stop: Option<&'static AtomicBool>,
}

impl App {
    /// Creates the window's state. Opens the source in `launch`, or else a camera once one is found.
    pub fn new(ctx: &Context, loaded: Settings, launch: &Launch, outside: Arc<dyn Outside>) -> Self {
        theme::install(ctx);
        let mut settings = loaded.clone();
        launch.apply(&mut settings);
        let settings = settings.sanitized();
        ctx.set_theme(settings.theme);

        let mut app = Self {
            recording: RecordingControl::new(outside.recordings_folder(), launch.blur),
            discovery: Discovery::new(ctx, outside),
            player: Player::new(launch.speed.unwrap_or(1.0), launch.repeat),
            people: People::new(History::live()),
            screen: Screen::default(),
            next: None,
            replay: None,
            export: None,
            typed_last: false,
            network_chosen: settings.network(),
            networks_asked: VecDeque::new(),
            toasts: Toasts::default(),
            panes: Panes::new(settings.faces_panel, settings.timeline_panel),
            zoom: Zoom::default(),
            asks: Asks::default(),
            clock: WindowClock::new(),
            stop: None,
            preferences: Preferences::new(loaded, settings),
            settings_file: None,
        };
        let looking = app.discovery.look_around().and_then(|()| app.discovery.look_for_cameras());
        if looking.is_err() {
            // No report will come, but this phase looks for cameras again.
            app.player.phase = Phase::NoCamera;
        }
        app.report(looking);
        if let Some(source) = launch.source.clone() {
            app.open(source);
        }
        app
    }

    /// Closes the window once `stop` is set. The setter must also wake the window.
    pub fn close_on(&mut self, stop: &'static AtomicBool) {
        self.stop = Some(stop);
    }

    /// Saves the settings to this file from now on. The initial settings must have been loaded from it.
    pub fn keep_settings_in(&mut self, path: PathBuf) {
        self.settings_file = Some(SettingsFile::new(path, self.preferences.loaded().clone()));
    }

    /// Writes the settings for the next start to their file, if they have changed.
    pub fn save_settings(&mut self) {
        let settings = self.to_remember();
        let saved = self.settings_file.as_mut().map_or(Ok(()), |file| file.keep(settings));
        if let Err(error) = &saved {
            // Also logged, because the window may be about to close.
            tracing::warn!("{error}");
        }
        self.report(saved);
    }

    /// The settings for the next start.
    pub fn to_remember(&self) -> Settings {
        let mut settings = self.preferences.to_remember();
        (settings.faces_panel, settings.timeline_panel) = self.panes.wanted();
        settings
    }

    /// The settings as they are now.
    pub fn settings(&self) -> &Settings {
        &self.preferences.now
    }

    /// Whether the picture is shown mirrored.
    pub fn mirrored(&self) -> bool {
        if self.player.is_video() { self.settings().mirror_videos } else { self.settings().mirror_cameras }
    }

    /// Shows an error, if there is one.
    fn report(&mut self, result: Result<(), String>) {
        if let Err(error) = result {
            self.toasts.error(error);
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.update(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
        self.typed_last = ui.text_edit_focused();
    }

    /// Saves the settings to our own file, because a full disk would empty eframe's store. That store keeps only the
    /// window's position and egui's memory.
    fn save(&mut self, _storage: &mut dyn eframe::Storage) {
        // A disk that is busy with a recording would block the window.
        if !self.recording.is_on() {
            self.save_settings();
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        // Ends the threads before the process exits. An unfinished export leaves no file.
        self.close();
        self.replay = None;
        self.export = None;
        // `save` skips this during a recording.
        self.save_settings();
    }
}
