//! Carries out the actions that panels and keys requested.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use egui::{Context, ViewportCommand};

use super::App;
use super::action::Action;
use super::discovery::{Job, Report};
use super::export::RunningExport;
use super::history::History;
use super::people::People;
use super::player::{NextPress, Phase};
use super::record::{RecordAsk, State};
use super::replay;
use super::session::{Plan, Results, Source};
use super::settings::Settings;
use crate::pipeline::Command;
use crate::recording::{END_WITHIN, Recording, save_snapshot};

/// News while only the picture is shown.
const WAY_BACK: &str = "Esc brings the panels back";

/// What to do after leaving a source.
pub(super) enum Next {
    Stop,
    Open(Source),
}

impl App {
    pub(super) fn carry_out(&mut self, action: Action, ctx: &Context) {
        match action {
            Action::Open(source) => {
                // Remembered here, because a camera that the window opens by itself isn't the user's choice.
                if let Source::Camera(device) = &source {
                    self.preferences.now.camera = Some(device.to_string());
                }
                self.leave(Next::Open(source), ctx);
            }
            Action::AskForVideo => {
                let asked = self.discovery.ask_for_video(self.settings().video_folder.clone());
                self.report(asked);
            }
            Action::TryAgain => self.try_again(),
            Action::TogglePause => self.toggle_pause(),
            Action::Stop => self.leave(Next::Stop, ctx),
            Action::Send(Command::Seek(to)) => self.player.seek(to),
            Action::Send(command) => self.player.send(command),
            Action::Jump { secs } => {
                let to = (self.player.moment().as_secs_f64() + secs).max(0.0);
                self.player.seek(Duration::from_secs_f64(to));
            }
            Action::Change(settings) => self.change_settings(*settings, ctx),
            Action::Choose(face) => self.people.choose(face),
            Action::ToggleMirror => {
                let mirror = self.preferences.now.mirror_mut(self.player.is_video());
                *mirror = !*mirror;
            }
            Action::ToggleFullScreen => {
                // Not every system reports whether the window is in full screen.
                let full = ctx.input(|i| i.viewport().fullscreen).unwrap_or(self.panes.picture_alone);
                self.set_full_screen(!full, ctx);
            }
            Action::LeaveFullScreen => self.set_full_screen(false, ctx),
            Action::Toggle(pane) => self.panes.toggle(pane),
            Action::TogglePanels => self.set_picture_alone(!self.panes.picture_alone),
            Action::LookForCameras => {
                let looking = self.discovery.look_for_cameras();
                self.report(looking);
            }
            Action::PollCameras => self.poll_cameras(ctx),
            Action::Dismiss(toast) => self.toasts.dismiss(toast),
            Action::Replay(ask) => {
                if let Some(replay) = &mut self.replay {
                    replay.change(ask, &mut self.player, &mut self.people, &mut self.toasts);
                }
            }
            Action::ShowResults(results) => self.show_results(results),
            Action::Export => self.start_export(),
            Action::StopExport => self.export.iter().for_each(RunningExport::stop),
            Action::Record(ask) => self.record(ask),
        }
    }

    /// Full screen shows only the picture.
    fn set_full_screen(&mut self, full: bool, ctx: &Context) {
        ctx.send_viewport_cmd(ViewportCommand::Fullscreen(full));
        self.set_picture_alone(full);
    }

    fn set_picture_alone(&mut self, alone: bool) {
        self.panes.picture_alone = alone;
        self.toasts.withdraw(WAY_BACK);
        if alone {
            self.toasts.news(WAY_BACK);
        }
    }

    /// Adopts new settings and passes on what has changed.
    fn change_settings(&mut self, settings: Settings, ctx: &Context) {
        let before = std::mem::replace(&mut self.preferences.now, settings);
        let now = self.preferences.now.clone();
        if now.theme != before.theme {
            ctx.set_theme(now.theme);
        }
        if now.smoothing() != before.smoothing() {
            self.player.send(Command::SetSmoothing(now.smoothing()));
        }
        if now.detection != before.detection {
            self.player.send(Command::SetDetection(now.detection));
            self.analyse_again_while_paused();
        }
        if now.network() != before.network() {
            self.networks_asked.push_back(now.network());
            self.player.send(Command::SetNetwork(now.network()));
        }
        // A camera's mode can only be chosen when it is opened, so open it again.
        if now.camera_mode != before.camera_mode
            && self.player.is_open()
            && let Some(source @ Source::Camera(_)) = self.player.source.clone()
        {
            self.leave(Next::Open(source), ctx);
        }
    }

    /// Analyses the frame of a paused video again, because what finds or labels its faces has changed.
    pub(super) fn analyse_again_while_paused(&mut self) {
        let is_analysed = self.screen.frame().is_some() && replay::results(self.replay.as_ref()).is_none();
        if is_analysed && self.player.paused && self.player.is_shown() {
            self.player.send(Command::AnalyseAgain);
        }
    }

    /// Leaves the source. A running recording is ended first, without blocking the window even if the disk is slow.
    fn leave(&mut self, next: Next, ctx: &Context) {
        if !self.recording.end(&mut self.player) {
            return self.go_on(next);
        }
        let until = self.next.take().map_or_else(|| self.clock.now(ctx) + END_WITHIN.as_secs_f64(), |(_, until)| until);
        self.next = Some((next, until));
    }

    /// Does what is pending once the recording has ended or its deadline has passed.
    pub(super) fn go_on_after_recording(&mut self, ctx: &Context) {
        let now = self.clock.now(ctx);
        let is_over = self.recording.state == State::Off;
        if let Some((next, _)) = self.next.take_if(|(_, until)| is_over || *until <= now) {
            self.go_on(next);
        }
        if let Some((_, until)) = &self.next {
            ctx.request_repaint_after(Duration::from_secs_f64(until - now));
        }
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Stop => {
                self.close();
                self.offer_cameras(Phase::Stopped);
            }
            Next::Open(source) => self.open(source),
        }
    }

    /// Closes the current source and opens `source`.
    pub(super) fn open(&mut self, source: Source) {
        self.close();
        self.player.source = Some(source.clone());
        match source {
            Source::Recording { folder, results } => self.open_recording(folder, results),
            source => {
                self.replay = None;
                self.start(source);
            }
        }
    }

    /// Starts a recording. If it isn't open yet, it is first read on a background thread.
    fn open_recording(&mut self, folder: PathBuf, results: Results) {
        match &mut self.replay {
            Some(replay) if replay.recording.folder() == folder => {
                replay.show(results);
                replay.look_for_edits(&mut self.toasts);
                self.start(Source::Recording { folder, results });
            }
            _ => {
                self.replay = None;
                let reading = self.discovery.beside(Job::Recording, move |_| {
                    let read = Box::new(Recording::open(&folder));
                    Report::Recording { folder, read, results }
                });
                self.player.phase = if reading.is_ok() { Phase::Opening } else { Phase::Failed };
                self.report(reading);
            }
        }
    }

    /// Starts a source. A recording must have been read already.
    pub(super) fn start(&mut self, source: Source) {
        let settings = self.settings();
        let plan = Plan {
            source,
            camera_mode: settings.camera_mode.clone(),
            recording: self.replay.as_ref().map(|replay| replay.recording.clone()),
            network: settings.network(),
            smoothing: settings.smoothing(),
            detection: settings.detection,
            blur: self.recording.blur,
            speed: self.player.speed,
            repeat: self.player.repeat,
        };
        self.networks_asked = VecDeque::from([plan.network.clone()]);
        match self.discovery.start(&plan) {
            Ok(session) => self.player.run(session),
            Err(error) => {
                self.offer_cameras(Phase::Failed);
                self.toasts.error(format!("{error:#}"));
            }
        }
    }

    /// Closes the current source and clears its picture, boxes and bars.
    pub(super) fn close(&mut self) {
        self.recording.finish(&mut self.player, &mut self.toasts);
        self.player.close();
        self.recording.clear();
        self.clear_picture();
        self.people = People::new(History::live());
    }

    pub(super) fn clear_picture(&mut self) {
        self.screen.clear();
        self.people.clear_screen();
    }

    fn try_again(&mut self) {
        if self.player.retry_camera() {
            return;
        }
        match self.player.source.clone() {
            Some(source) => self.open(source),
            None => {
                let looking = self.discovery.look_for_cameras();
                self.player.phase = if looking.is_ok() { Phase::Opening } else { Phase::NoCamera };
                self.report(looking);
            }
        }
    }

    fn toggle_pause(&mut self) {
        match self.player.next_press() {
            NextPress::Pause => self.player.send(Command::Pause),
            NextPress::Resume => self.player.send(Command::Resume),
            NextPress::Play if self.player.phase == Phase::EndOfVideo => self.player.send(Command::Resume),
            NextPress::Play if self.player.source.is_some() => self.try_again(),
            NextPress::Play => {}
        }
    }

    fn record(&mut self, ask: RecordAsk) {
        let folder = self.settings().recordings_folder(&self.recording.default_folder);
        let (recording, player, toasts) = (&mut self.recording, &mut self.player, &mut self.toasts);
        match ask {
            RecordAsk::Toggle => recording.toggle(player, folder, toasts),
            RecordAsk::BeginMark => recording.begin_mark(player, toasts),
            RecordAsk::KeepMark => recording.keep_mark(player),
            RecordAsk::DropMark => recording.open_mark = None,
            RecordAsk::QuickMark(number) => recording.quick_mark(number, player, toasts),
            RecordAsk::Snapshot => self.take_snapshot(folder),
            RecordAsk::ChooseFolder => {
                let asked = self.discovery.ask_for_folder(folder);
                self.report(asked);
            }
        }
    }

    fn take_snapshot(&mut self, folder: PathBuf) {
        let Some(frame) = self.screen.frame() else {
            return self.toasts.news("There is no picture to save");
        };
        if self.recording.blur.is_some() {
            // This picture could show a face that is only detected a moment later.
            return self
                .toasts
                .news("No pictures are saved with --blur: they could show a face that is found only later");
        }
        let (faces, classes) = (self.people.faces().to_vec(), self.people.classes().clone());
        let folder = self.recording.snapshot_folder(folder);
        let name = self.player.info.as_ref().map_or_else(String::new, |info| info.name.clone());
        let saving = self
            .discovery
            .beside(Job::Snapshot, move |_| Report::Snapshot(save_snapshot(&folder, &name, &frame, &faces, &classes)));
        self.report(saving);
    }

    /// Shows the recording with these results, from the current moment on.
    fn show_results(&mut self, results: Results) {
        let Some(replay) = &self.replay else { return };
        let folder = replay.recording.folder().to_owned();
        let moment = self.player.moment();
        self.open(Source::Recording { folder, results });
        self.player.seek(moment);
    }

    /// Exports the recorded results, unless another export runs or new results are shown.
    fn start_export(&mut self) {
        let Some(replay) = replay::results(self.replay.as_ref()).filter(|_| self.export.is_none()) else { return };
        match replay.export(self.recording.blur, self.discovery.wake.clone()) {
            Ok(export) => self.export = Some(export),
            Err(error) => self.toasts.error(format!("This machine can't start another thread: {error}")),
        }
    }
}
