//! The source that is shown: what it is, how far it is, and how it is played.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::session::{Session, Source};
use crate::network::NetworkInUse;
use crate::pipeline::{Command, Event, Scene, Statistics};
use crate::recording::{Progress, RecordingEvent};
use crate::source::SourceInfo;

/// What the picture's place shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// There is no camera to open.
    NoCamera,
    /// The source was asked for and has given nothing yet.
    Opening,
    /// Pictures come.
    Running,
    /// The camera went away, or another program has it; the next try is at this time of the window's clock.
    CameraLost { reason: String, busy: bool, retry_at: f64 },
    /// The video is over.
    EndOfVideo,
    /// The source or the network could not be had; a toast says why.
    Failed,
    /// The user stopped it.
    Stopped,
}

/// What the button that plays and pauses does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextPress {
    Pause,
    /// From where it was paused.
    Resume,
    /// From the start.
    Play,
}

impl NextPress {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Play => "Play",
        }
    }
}

/// The source and its session.
pub(super) struct Player {
    session: Option<Box<dyn Session>>,
    pub(super) source: Option<Source>,
    pub(super) phase: Phase,
    pub(super) info: Option<SourceInfo>,
    pub(super) statistics: Statistics,
    /// The network that labels.
    pub(super) network: Option<NetworkInUse>,
    pub(super) paused: bool,
    pub(super) speed: f64,
    pub(super) repeat: bool,
    position: Duration,
    /// Where the user wants to be, until a picture from there arrives: the slider must not jump back meanwhile.
    seeking: Option<Duration>,
}

impl Player {
    pub(super) fn new(speed: f64, repeat: bool) -> Self {
        Self {
            session: None,
            source: None,
            phase: Phase::Opening,
            info: None,
            statistics: Statistics::default(),
            network: None,
            paused: false,
            speed,
            repeat,
            position: Duration::ZERO,
            seeking: None,
        }
    }

    /// Whether the source is a video or a recording, whose time the user can choose.
    pub(super) fn is_video(&self) -> bool {
        matches!(self.source, Some(Source::Video(_) | Source::Recording { .. }))
    }

    /// Whether a source is being read.
    pub(super) fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Length of the video, if it is one and declares it.
    pub(super) fn duration(&self) -> Option<Duration> {
        self.info.as_ref()?.duration()
    }

    /// The media time that is shown, or will be as soon as its picture is there.
    pub(super) fn moment(&self) -> Duration {
        self.seeking.unwrap_or(self.position)
    }

    /// Media time of the picture on the screen.
    pub(super) fn position(&self) -> Duration {
        self.position
    }

    pub(super) fn next_press(&self) -> NextPress {
        match self.phase {
            Phase::EndOfVideo | Phase::Stopped | Phase::Failed => NextPress::Play,
            _ if !self.is_open() => NextPress::Play,
            _ if self.paused => NextPress::Resume,
            _ => NextPress::Pause,
        }
    }

    /// Shows a session that was just started.
    pub(super) fn run(&mut self, session: Box<dyn Session>) {
        self.session = Some(session);
        self.phase = Phase::Opening;
    }

    /// Ends the session and forgets what was known of it. The source stays, to be opened again.
    pub(super) fn close(&mut self) {
        let (source, phase) = (self.source.take(), std::mem::replace(&mut self.phase, Phase::Opening));
        *self = Self { source, phase, ..Self::new(self.speed, self.repeat) };
    }

    /// Sends a command to the pipeline, and shows at once what it asks for.
    pub(super) fn send(&mut self, command: Command) {
        // These hold for whatever is opened next too.
        match command {
            Command::SetSpeed(speed) => self.speed = speed,
            Command::SetRepeat(repeat) => self.repeat = repeat,
            _ => {}
        }
        let Some(session) = &mut self.session else { return };
        let is_seek = matches!(command, Command::Seek(_) | Command::Step(_));
        if is_seek && !matches!(self.source, Some(Source::Video(_) | Source::Recording { .. })) {
            return;
        }
        match command {
            Command::Pause | Command::Step(_) => self.paused = true,
            Command::Resume => self.paused = false,
            Command::Seek(to) => self.seeking = Some(to),
            Command::Retry
            | Command::SetSpeed(_)
            | Command::SetRepeat(_)
            | Command::SetSmoothing(_)
            | Command::SetDetection(_)
            | Command::SetNetwork(_) => {}
        }
        let goes_on = is_seek || command == Command::Resume;
        // Behind the last frame there is none to step on to.
        if self.phase == Phase::EndOfVideo && goes_on && !matches!(command, Command::Step(1..)) {
            self.phase = Phase::Running;
        }
        session.send(command);
    }

    /// Tries a lost camera again at once, in the session that has lost it: what is recorded of it goes on. Returns
    /// whether there is one.
    pub(super) fn retry_camera(&mut self) -> bool {
        let is_lost = self.is_open() && matches!(self.phase, Phase::CameraLost { .. });
        if is_lost {
            self.send(Command::Retry);
            if self.paused {
                // Else nothing would be seen of the camera that comes back.
                self.send(Command::Resume);
            }
        }
        is_lost
    }

    /// Goes to a time of a video, at most to its end.
    pub(super) fn seek(&mut self, to: Duration) {
        let to = self.duration().map_or(to, |end| to.min(end));
        self.send(Command::Seek(to));
    }

    /// Whether scenes belong on the screen. One that was still on its way when the camera was lost, or something failed,
    /// must not hide that.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::EndOfVideo)
    }

    /// Learns that a scene of this media time is on the screen.
    pub(super) fn shown(&mut self, media_time: Duration) {
        self.position = media_time;
        self.seeking = None;
    }

    /// Learns that the last frame was shown: the pipeline pauses there.
    pub(super) fn ended(&mut self) {
        self.phase = Phase::EndOfVideo;
        self.paused = true;
    }

    /// Learns that a seek has arrived.
    pub(super) fn arrived(&mut self) {
        self.seeking = None;
    }

    /// What the session gave since the last call.
    pub(super) fn take(&mut self) -> Option<(Vec<Event>, Option<Scene>)> {
        let session = self.session.as_mut()?;
        // The scene first: that its source is open is then among the events, or was before.
        let scene = session.take_scene();
        let events = session.take_events();
        self.statistics = session.statistics();
        self.network = session.network();
        Some((events, scene))
    }

    pub(super) fn start_recording(&mut self, folder: PathBuf) {
        if let Some(session) = &mut self.session {
            session.start_recording(folder);
        }
    }

    pub(super) fn stop_recording(&mut self) {
        if let Some(session) = &mut self.session {
            session.stop_recording();
        }
    }

    pub(super) fn mark(&mut self, at: Instant, text: String) {
        if let Some(session) = &mut self.session {
            session.mark(at, text);
        }
    }

    /// How far a recording of this source is, while one runs.
    pub(super) fn recording(&self) -> Option<Progress> {
        self.session.as_ref()?.recording()
    }

    pub(super) fn take_recording_events(&mut self) -> Vec<RecordingEvent> {
        self.session.as_mut().map(|session| session.take_recording_events()).unwrap_or_default()
    }

    pub(super) fn finish_recording(&mut self) -> Vec<RecordingEvent> {
        self.session.as_mut().map(|session| session.finish_recording()).unwrap_or_default()
    }
}
