//! What happens between the pictures: drains channels, carries out actions, keeps clocks.

use std::time::Duration;

use egui::{Context, ViewportCommand};

use super::session::{Order, Outside, Plan, Source, device_of};
use super::{Action, App, Report, Shown, Stage};
use crate::app::history::History;
use crate::pipeline::{Event, Scene, Statistics};
use crate::source::CameraEntry;

/// How often a window without a camera looks whether one was plugged in.
const CAMERA_POLL_SECS: f64 = 2.0;

/// A countdown in seconds needs no more pictures than this.
const COUNTDOWN_STEP: Duration = Duration::from_millis(250);

impl App {
    /// One round of logic; runs before each picture, and also while the window is hidden.
    pub(super) fn update(&mut self, ctx: &Context) {
        self.toasts.tick(ctx.input(|i| i.time));
        self.take_dropped_file(ctx);
        self.take_shortcuts(ctx);
        self.take_reports();
        // Actions of the last picture, and those of keys and reports just now.
        for action in std::mem::take(&mut self.actions) {
            self.carry_out(action, ctx);
        }
        self.take_events(ctx);
        self.take_export();
        self.keep_clocks(ctx);
    }

    fn take_events(&mut self, ctx: &Context) {
        let Some(session) = &mut self.session else { return };
        let events = session.take_events();
        let scene = session.take_scene();
        self.statistics = session.statistics();
        self.network = session.network();
        for event in events {
            self.handle(event, ctx);
        }
        if let Some(scene) = scene {
            self.show_scene(scene);
        }
        self.take_recording_events(ctx);
    }

    fn handle(&mut self, event: Event, ctx: &Context) {
        match event {
            Event::Opening => self.stage = Stage::Opening,
            Event::Opened(info) => {
                self.stage = Stage::Running;
                if self.info.as_ref() != Some(&info) {
                    self.info = Some(info);
                    self.history = self.first_history();
                }
            }
            Event::CameraLost { reason, retry_in } => {
                self.clear_picture();
                let now = ctx.input(|i| i.time);
                self.stage = Stage::CameraLost { reason, retry_at: now + retry_in.as_secs_f64() };
            }
            Event::EndOfVideo => self.stage = Stage::EndOfVideo,
            Event::Failed(reason) => {
                self.close();
                self.stage = Stage::Failed;
                self.toasts.error(reason);
            }
            Event::Seeked(_) => self.playback.seeking = None,
            Event::ClassifierReady => self.network_chosen = self.settings.network(),
            Event::ClassifierFailed(reason) => {
                // The network before goes on, and the menus say so.
                self.settings.model.clone_from(&self.network_chosen.model);
                self.settings.device = self.network_chosen.device;
                self.settings.prior.clone_from(&self.network_chosen.prior);
                self.toasts.error(reason);
            }
            Event::DetectorFailed(reason) => self.toasts.error(reason),
        }
    }

    fn show_scene(&mut self, mut scene: Scene) {
        let now = scene.frame.media_time;
        if !matches!(self.stage, Stage::Running | Stage::EndOfVideo) {
            self.stage = Stage::Running;
        }
        if let Some(picture) = scene.picture.take() {
            let Scene { faces, frame, .. } = scene;
            let faces = self.as_edited(faces);
            self.recording.advance(frame.captured_at, frame.media_time);
            self.shown = Some(Shown { size: [picture.width, picture.height], faces, frame: frame.image });
            self.picture = Some(picture);
        }
        self.playback.position = now;
        self.playback.seeking = None;
        self.history.advance(now);
        let faces = self.shown.as_ref().map(|shown| shown.faces.clone()).unwrap_or_default();
        // The timeline of a recording is whole from the beginning.
        if self.as_recorded().is_none() {
            for face in &faces {
                self.history.record(face.id, face.smoothed);
            }
        }
        if !faces.is_empty() {
            self.playback.face_seen = Some(now);
        }
        self.bars.retain(|id| faces.iter().any(|face| face.id == id));
    }

    fn take_reports(&mut self) {
        for report in self.reports.try_iter().collect::<Vec<_>>() {
            match report {
                Report::Cameras(cameras) => self.learn_cameras(cameras),
                Report::Machine { devices, models, demo_clip } => {
                    self.machine.devices = devices;
                    self.machine.models = models;
                    self.machine.demo_clip = demo_clip;
                }
                Report::VideoChosen(path) => {
                    self.choosing_video = false;
                    match path {
                        Ok(Some(path)) => {
                            self.settings.video_folder = path.parent().map(Into::into);
                            self.ask(Action::Open(Source::of(path)));
                        }
                        Ok(None) => {}
                        Err(error) => self.toasts.error(format!("{error:#}")),
                    }
                }
                Report::Recording(read, again) => self.learn_recording(*read, again),
                Report::FolderChosen(folder) => self.learn_folder(folder),
                Report::Snapshot(pictures) => self.learn_snapshot(pictures),
            }
        }
    }

    fn learn_cameras(&mut self, cameras: Vec<CameraEntry>) {
        self.machine.cameras = cameras;
        let waiting = self.source.is_none() && matches!(self.stage, Stage::Opening | Stage::NoCamera);
        if !waiting {
            return;
        }
        let remembered = self.settings.camera.as_deref();
        let camera =
            self.machine.cameras.iter().find(|camera| Some(device_of(camera).to_string().as_str()) == remembered);
        match camera.or(self.machine.cameras.first()) {
            Some(camera) => self.open(Source::Camera(device_of(camera), self.settings.camera_mode.clone())),
            None => self.stage = Stage::NoCamera,
        }
    }

    fn keep_clocks(&mut self, ctx: &Context) {
        if let Some(left) = self.toasts.next_end() {
            ctx.request_repaint_after(Duration::from_secs_f64(left));
        }
        match self.stage {
            Stage::CameraLost { .. } => ctx.request_repaint_after(COUNTDOWN_STEP),
            Stage::NoCamera => {
                let now = ctx.input(|i| i.time);
                if now - self.cameras_looked_for_at >= CAMERA_POLL_SECS {
                    self.cameras_looked_for_at = now;
                    self.look_for_cameras();
                }
                ctx.request_repaint_after(Duration::from_secs_f64(CAMERA_POLL_SECS));
            }
            _ => {}
        }
    }

    fn carry_out(&mut self, action: Action, ctx: &Context) {
        match action {
            Action::Open(source) => self.open(source),
            Action::AskForVideo => self.ask_for_video(),
            Action::TryAgain => self.try_again(),
            Action::TogglePause => self.toggle_pause(),
            Action::Stop => {
                self.close();
                self.stage = Stage::Stopped;
            }
            Action::ToggleMirror => {
                let mirror =
                    if self.is_video() { &mut self.settings.mirror_videos } else { &mut self.settings.mirror_cameras };
                *mirror = !*mirror;
            }
            Action::Seek(to) => self.seek(to),
            Action::Step(frames) => self.step(frames),
            Action::Jump { secs } => {
                let from = self.playback.seeking.unwrap_or(self.playback.position).as_secs_f64();
                self.seek(Duration::from_secs_f64((from + secs).max(0.0)));
            }
            Action::SetSpeed(speed) => {
                self.playback.speed = speed;
                self.tell(Order::SetSpeed(speed));
            }
            Action::ToggleRepeat => {
                self.playback.repeat = !self.playback.repeat;
                self.tell(Order::SetRepeat(self.playback.repeat));
            }
            Action::SetSmoothing { secs } => {
                self.settings.smoothing_secs = secs;
                self.tell(Order::SetSmoothing(self.settings.smoothing()));
            }
            Action::SetDevice(device) => {
                self.settings.device = device;
                self.tell(Order::SetNetwork(self.settings.network()));
            }
            Action::SetModel(model) => {
                self.settings.model = Some(model);
                self.tell(Order::SetNetwork(self.settings.network()));
            }
            Action::SetPrior(prior) => {
                self.settings.prior = prior;
                self.tell(Order::SetNetwork(self.settings.network()));
            }
            Action::SetDetection(detection) => {
                self.settings.detection = detection;
                self.tell(Order::SetDetection(detection));
            }
            Action::SetCameraMode(mode) => {
                self.settings.camera_mode = mode.clone();
                if let Some(Source::Camera(device, asked)) = &mut self.source {
                    *asked = mode;
                    let source = Source::Camera(device.clone(), asked.clone());
                    // A camera grants its mode when it is opened.
                    if self.session.is_some() {
                        self.open(source);
                    }
                }
            }
            Action::SetTheme(theme) => {
                self.settings.theme = theme;
                ctx.set_theme(theme);
            }
            Action::Choose(face) => self.chosen = Some(face),
            Action::ToggleFullScreen => {
                let full = ctx.input(|i| i.viewport().fullscreen.unwrap_or(false));
                ctx.send_viewport_cmd(ViewportCommand::Fullscreen(!full));
            }
            Action::LeaveFullScreen => ctx.send_viewport_cmd(ViewportCommand::Fullscreen(false)),
            Action::ToggleHelp => self.help_open = !self.help_open,
            Action::LookForCameras => self.look_for_cameras(),
            Action::Dismiss(toast) => self.toasts.dismiss(toast),
            Action::Recorded(wish) => self.grant(wish),
            Action::Record(ask) => self.record(ask),
        }
    }

    /// Ends what runs and starts `source`.
    pub(super) fn open(&mut self, source: Source) {
        self.close();
        if let Source::Camera(device, _) = &source {
            self.settings.camera = Some(device.to_string());
        }
        self.source = Some(source.clone());
        match source {
            Source::Recording { folder, again } => self.open_recording(folder, again),
            source => {
                self.recorded = None;
                self.start(source);
            }
        }
    }

    /// Starts a source that nothing is left to be read of first.
    pub(super) fn start(&mut self, source: Source) {
        let plan = Plan {
            source,
            recording: self.recorded.as_ref().map(|recorded| recorded.recording.clone()),
            network: self.settings.network(),
            smoothing: self.settings.smoothing(),
            detection: self.settings.detection,
            speed: self.playback.speed,
            repeat: self.playback.repeat,
        };
        match self.outside.start(&plan, self.wake.clone()) {
            Ok(session) => {
                self.session = Some(session);
                self.stage = Stage::Opening;
            }
            Err(error) => {
                self.stage = Stage::Failed;
                self.toasts.error(format!("{error:#}"));
            }
        }
    }

    /// Ends what runs and clears the screen of it: no picture, no box, no bar stays.
    fn close(&mut self) {
        self.end_recording();
        self.session = None;
        self.recording.clear();
        self.clear_picture();
        self.info = None;
        self.statistics = Statistics::default();
        self.network = None;
        self.history = History::live();
        self.chosen = None;
        self.playback.paused = false;
        self.playback.position = Duration::ZERO;
        self.playback.seeking = None;
    }

    fn clear_picture(&mut self) {
        self.shown = None;
        self.picture = None;
        self.texture = None;
        self.bars.retain(|_| false);
        self.playback.face_seen = None;
    }

    fn try_again(&mut self) {
        match self.source.clone() {
            Some(source) => self.open(source),
            None => {
                self.stage = Stage::Opening;
                self.look_for_cameras();
            }
        }
    }

    fn toggle_pause(&mut self) {
        match self.stage {
            Stage::EndOfVideo => {
                self.playback.paused = false;
                self.stage = Stage::Running;
                self.tell(Order::Resume);
            }
            Stage::Stopped | Stage::Failed => self.try_again(),
            _ if self.session.is_some() => {
                self.playback.paused = !self.playback.paused;
                self.tell(if self.playback.paused { Order::Pause } else { Order::Resume });
            }
            _ => {}
        }
    }

    pub(super) fn seek(&mut self, to: Duration) {
        if !self.is_video() {
            return;
        }
        let to = self.duration().map_or(to, |end| to.min(end));
        self.playback.seeking = Some(to);
        if self.stage == Stage::EndOfVideo {
            self.stage = Stage::Running;
        }
        self.tell(Order::Seek(to));
    }

    fn step(&mut self, frames: i32) {
        if self.is_video() && self.session.is_some() {
            self.playback.paused = true;
            if self.stage == Stage::EndOfVideo {
                self.stage = Stage::Running;
            }
            self.tell(Order::Step(frames));
        }
    }

    pub(super) fn tell(&mut self, order: Order) {
        let is_analysis = matches!(order, Order::SetSmoothing(_) | Order::SetDetection(_) | Order::SetNetwork(_));
        if is_analysis && self.as_recorded().is_some() {
            // Holds from the next analysis on: what was recorded stays as it is.
            return;
        }
        if let Some(session) = &mut self.session {
            session.send(order);
        }
    }

    pub(super) fn look_for_cameras(&mut self) {
        self.beside("mien-cameras", |outside| Report::Cameras(outside.cameras()));
    }

    pub(super) fn look_at_machine(&mut self) {
        self.beside("mien-machine", |outside| Report::Machine {
            devices: outside.devices(),
            models: outside.models(),
            demo_clip: outside.demo_clip(),
        });
    }

    fn ask_for_video(&mut self) {
        if self.choosing_video {
            return;
        }
        self.choosing_video = true;
        let folder = self.settings.video_folder.clone();
        self.beside("mien-dialog", move |outside| Report::VideoChosen(outside.ask_for_video(folder)));
    }

    /// Runs something that takes time on a thread of its own, so that the window never waits for it.
    pub(super) fn beside(&mut self, name: &str, job: impl FnOnce(&dyn Outside) -> Report + Send + 'static) {
        let (outside, reporter, wake) = (self.outside.clone(), self.reporter.clone(), self.wake.clone());
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // A window that is closed meanwhile wants no report.
            reporter.send(job(outside.as_ref())).ok();
            wake();
        });
        if let Err(error) = started {
            self.toasts.error(format!("This machine can't start another thread: {error}"));
        }
    }
}
