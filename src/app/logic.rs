//! What happens between repaints: drains channels, carries out actions, runs timers.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use egui::{Context, ViewportCommand};

use super::action::Action;
use super::discovery::{CAMERA_POLL_SECS, Job, Report};
use super::history::History;
use super::player::Phase;
use super::record::CLOCK_STEP;
use super::replay::{self, Replay};
use super::session::{Results, Source};
use super::{App, keys, ui};
use crate::pipeline::{Event, Scene};
use crate::recording::{OpenError, Recording};
use crate::source::CameraEntry;

/// Repaint interval during a countdown in seconds.
const COUNTDOWN_STEP: Duration = Duration::from_millis(250);

impl App {
    /// Runs before each repaint, and also while the window is hidden.
    pub(super) fn update(&mut self, ctx: &Context) {
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        if ctx.input(|i| i.viewport().close_requested())
            && let Some(replay) = &self.replay
        {
            // Keep text that is being typed. Only drawing would keep it otherwise, and a minimised window isn't drawn.
            let typed = ui::being_typed(ctx, replay);
            typed.into_iter().for_each(|ask| self.asks.push(Action::Replay(ask)));
        }
        self.zoom.limit(ctx);
        self.toasts.tick(self.clock.now(ctx));
        self.take_dropped_file(ctx);
        for action in keys::pressed(self, ctx) {
            self.asks.push(action);
        }
        for report in self.discovery.take_reports() {
            self.learn(report);
        }
        // Actions from the last repaint, and those just added by keys and reports.
        for action in self.asks.take() {
            self.carry_out(action, ctx);
        }
        self.take_events(ctx);
        self.go_on_after_recording(ctx);
        self.export.take_if(|export| export.has_ended(&mut self.toasts));
        self.keep_clocks(ctx);
    }

    fn take_dropped_file(&mut self, ctx: &Context) {
        let dropped = ctx.input_mut(|i| std::mem::take(&mut i.raw.dropped_files));
        let mut files = dropped.into_iter();
        let Some(file) = files.next() else { return };
        if files.next().is_some() {
            self.toasts.error("Drop one video or recording at a time; the first one is opened");
        }
        self.asks.push(Action::Open(Source::of(file.path().to_owned())));
    }

    fn take_events(&mut self, ctx: &Context) {
        let Some((events, scene)) = self.player.take() else { return };
        for event in events {
            self.handle(event, ctx);
        }
        if let Some(scene) = scene {
            self.show_scene(scene);
        }
        if self.recording.update(&mut self.player, &mut self.toasts) {
            ctx.request_repaint_after(CLOCK_STEP);
        }
        if !self.people.glide(ctx.input(|i| i.stable_dt)) {
            ctx.request_repaint();
        }
    }

    fn handle(&mut self, event: Event, ctx: &Context) {
        match event {
            Event::Opening => self.player.phase = Phase::Opening,
            Event::Opened(info) => {
                self.player.phase = Phase::Running;
                if self.player.info.as_ref() != Some(&info) {
                    self.player.info = Some(info);
                    let recorded = replay::results(self.replay.as_ref());
                    let recorded = recorded.map(|replay| replay.recording.metadata.classes.clone());
                    let classes = recorded.unwrap_or_else(|| self.people.classes().clone());
                    self.people.begin(self.first_history(), &classes);
                }
            }
            Event::CameraLost { reason, busy, retry_in } => {
                self.clear_picture();
                let retry_at = self.clock.now(ctx) + retry_in.as_secs_f64();
                self.offer_cameras(Phase::CameraLost { reason, busy, retry_at });
            }
            Event::CutShort(shortfall) => {
                let name = self.player.info.as_ref().map_or("the video", |info| info.name.as_str());
                self.toasts.error(format!("{name} is {shortfall}"));
            }
            Event::EndOfVideo => self.player.ended(),
            Event::Failed(reason) => {
                self.close();
                self.offer_cameras(Phase::Failed);
                self.toasts.error(reason);
            }
            Event::Seeked(_) => self.player.arrived(),
            Event::ClassifierReady => {
                if let Some(network) = self.networks_asked.pop_front() {
                    self.network_chosen = network;
                }
                if let Some(network) = &self.player.network
                    && replay::results(self.replay.as_ref()).is_none()
                {
                    self.people.expect(&network.classes);
                }
                self.analyse_again_while_paused();
            }
            Event::ClassifierFailed(reason) => {
                self.networks_asked.pop_front();
                // The previous network stays in use, and the menus show it again, unless another choice is pending.
                if self.networks_asked.is_empty() {
                    let chosen = self.network_chosen.clone();
                    let settings = &mut self.preferences.now;
                    (settings.model, settings.device) = (chosen.model, chosen.device);
                    (settings.prior, settings.flip) = (chosen.prior, chosen.flip);
                }
                self.toasts.error(reason);
            }
            Event::DetectorFailed(reason) => self.toasts.error(reason),
        }
    }

    fn show_scene(&mut self, scene: Scene) {
        if !self.player.is_shown() {
            return;
        }
        let Scene { frame, picture, classes, faces, .. } = scene;
        let now = frame.media_time;
        self.player.shown(now);
        self.recording.advance(frame.captured_at, now);
        let analysed = self.replay.as_ref().and_then(|replay| replay.was_analysed(frame.index)).unwrap_or(true);
        let faces = match &mut self.replay {
            Some(replay) => replay.as_edited(faces),
            None => faces,
        };
        if let Some(picture) = picture {
            self.screen.show(picture, frame.image, analysed);
        }
        // The timeline of a recording is complete from the start.
        let record = replay::results(self.replay.as_ref()).is_none();
        self.people.show(faces, &classes, now, record);
    }

    fn learn(&mut self, report: Report) {
        match report {
            Report::Cameras(cameras) => self.learn_cameras(cameras),
            Report::Machine { devices, models, demo_clip } => {
                self.discovery.devices = devices;
                self.discovery.models = models;
                self.discovery.demo_clip = demo_clip;
            }
            Report::VideoChosen(path) => {
                self.discovery.choosing_video = false;
                match path {
                    Ok(Some(path)) => {
                        self.preferences.now.video_folder = path.parent().map(Into::into);
                        self.asks.push(Action::Open(Source::of(path)));
                    }
                    Ok(None) => {}
                    Err(error) => self.toasts.error(format!("{error:#}")),
                }
            }
            Report::Recording { folder, read, results } => self.learn_recording(&folder, *read, results),
            Report::FolderChosen(chosen) => {
                self.discovery.choosing_folder = false;
                match chosen {
                    Ok(Some(folder)) => self.preferences.now.recordings_folder = Some(folder),
                    Ok(None) => {}
                    Err(error) => self.toasts.error(format!("{error:#}")),
                }
            }
            Report::Snapshot(Ok(pictures)) => {
                self.toasts.news(format!("Picture saved: {}", pictures.clean.display()));
            }
            Report::Snapshot(Err(error)) => self.toasts.error(error.to_string()),
            Report::Crashed(job) => self.learn_of_crash(job),
        }
    }

    /// Leaves states that wait for a report that will never come.
    fn learn_of_crash(&mut self, job: Job) {
        self.toasts.error(format!("{} crashed, which is a bug in Mien; try again", job.words()));
        let is_waiting = self.player.phase == Phase::Opening && !self.player.is_open();
        match job {
            Job::Cameras if is_waiting && self.player.source.is_none() => self.player.phase = Phase::NoCamera,
            Job::Recording if is_waiting && self.player.is_video() => self.offer_cameras(Phase::Failed),
            Job::Video => self.discovery.choosing_video = false,
            Job::Folder => self.discovery.choosing_folder = false,
            Job::Cameras | Job::Machine | Job::Recording | Job::Snapshot => {}
        }
    }

    fn learn_cameras(&mut self, cameras: Vec<CameraEntry>) {
        self.discovery.cameras = cameras;
        let is_waiting = matches!(self.player.phase, Phase::Opening | Phase::NoCamera);
        if self.player.source.is_some() || !is_waiting {
            return;
        }
        let chosen = self.settings().chosen_camera();
        let chosen = chosen.and_then(|asked| self.discovery.camera(&asked).map(|camera| camera.device_by(asked)));
        if let Some(device) = &chosen {
            // The remembered value may be a number, which may belong to another camera at the next start.
            self.preferences.now.camera = Some(device.to_string());
        }
        match chosen.or_else(|| self.discovery.cameras.first().map(CameraEntry::device)) {
            Some(device) => self.open(Source::Camera(device)),
            None => self.player.phase = Phase::NoCamera,
        }
    }

    fn learn_recording(&mut self, folder: &Path, read: Result<Recording, OpenError>, results: Results) {
        match &self.player.source {
            Some(Source::Recording { folder: wanted, .. }) if wanted == folder => {}
            // Another source has been opened meanwhile.
            _ => return,
        }
        match read {
            Ok(recording) => {
                self.replay = Some(Replay::new(recording, results, &mut self.toasts));
                self.start(Source::Recording { folder: folder.to_owned(), results });
            }
            Err(error) => {
                self.offer_cameras(Phase::Failed);
                self.toasts.error(error.to_string());
            }
        }
    }

    /// Enters a phase in which other cameras are offered, and looks for cameras again.
    pub(super) fn offer_cameras(&mut self, phase: Phase) {
        self.player.phase = phase;
        // On other systems, looking for cameras opens each of them briefly, which would block a retry of the lost one.
        if cfg!(target_os = "linux") {
            let looking = self.discovery.look_for_cameras();
            self.report(looking);
        }
    }

    /// Initial timeline of a newly opened source.
    fn first_history(&self) -> History {
        let history = match replay::results(self.replay.as_ref()) {
            Some(replay) => return replay.history(),
            None if self.player.is_video() => History::clip(self.player.duration()),
            None => History::live(),
        };
        history.with_interval(self.player.interval())
    }

    fn keep_clocks(&mut self, ctx: &Context) {
        if let Some(left) = self.toasts.next_end() {
            ctx.request_repaint_after(Duration::from_secs_f64(left));
        }
        // Without new frames, repaint until the displayed rates have fallen to zero.
        if self.player.statistics.analysed_fps > 0.0 {
            ctx.request_repaint_after(CLOCK_STEP);
        }
        match self.player.phase {
            Phase::CameraLost { .. } => ctx.request_repaint_after(COUNTDOWN_STEP),
            Phase::NoCamera => self.poll_cameras(ctx),
            _ => {}
        }
    }

    /// Looks for cameras if the last look was long enough ago, and has the window drawn when the next one is due.
    pub(super) fn poll_cameras(&mut self, ctx: &Context) {
        let polled = self.discovery.poll_cameras(self.clock.now(ctx));
        self.report(polled);
        ctx.request_repaint_after(Duration::from_secs_f64(CAMERA_POLL_SECS));
    }
}
