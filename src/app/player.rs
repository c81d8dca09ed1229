//! The current source: what it is, its position, and how it is played.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::session::{Session, Source};
use crate::network::NetworkInUse;
use crate::pipeline::{Command, Event, Scene, Statistics};
use crate::recording::{Progress, RecordingEvent};
use crate::source::SourceInfo;

/// State of the source, which decides what the picture area shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// There is no camera to open.
    NoCamera,
    /// The source was requested but hasn't opened yet.
    Opening,
    /// Frames arrive.
    Running,
    /// The camera was lost, or another program uses it. The next try is at `retry_at` on the window's clock.
    CameraLost { reason: String, busy: bool, retry_at: f64 },
    /// The video is over.
    EndOfVideo,
    /// The source or the network failed; a toast says why.
    Failed,
    /// The user stopped it.
    Stopped,
}

/// What the play button does next.
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
    /// The network in use.
    pub(super) network: Option<NetworkInUse>,
    pub(super) paused: bool,
    pub(super) speed: f64,
    pub(super) repeat: bool,
    position: Duration,
    /// The latest media time that was shown: a file that was joined of several declares the length of a part.
    latest: Duration,
    /// Target of a seek until a frame from there arrives, so that the slider doesn't jump back meanwhile.
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
            latest: Duration::ZERO,
            seeking: None,
        }
    }

    /// Whether the source is a video or a recording, in which the user can seek.
    pub(super) fn is_video(&self) -> bool {
        matches!(self.source, Some(Source::Video(_) | Source::Recording { .. }))
    }

    /// Whether a source is being read.
    pub(super) fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Length of the video, if it declares one: at least up to the latest picture that was shown.
    pub(super) fn duration(&self) -> Option<Duration> {
        self.info.as_ref()?.duration().map(|declared| declared.max(self.latest))
    }

    /// Time from one picture to the next, as far as that is known.
    pub(super) fn interval(&self) -> Duration {
        self.info.as_ref().map_or(Duration::ZERO, SourceInfo::interval)
    }

    /// Media time of the picture on the screen, or the target of a pending seek.
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

    /// Takes a session that was just started.
    pub(super) fn run(&mut self, session: Box<dyn Session>) {
        self.session = Some(session);
        self.phase = Phase::Opening;
    }

    /// Ends the session and resets its state. The source is kept, so that it can be opened again.
    pub(super) fn close(&mut self) {
        let (source, phase) = (self.source.take(), std::mem::replace(&mut self.phase, Phase::Opening));
        *self = Self { source, phase, ..Self::new(self.speed, self.repeat) };
    }

    /// Sends a command to the pipeline, and updates the displayed state at once.
    pub(super) fn send(&mut self, command: Command) {
        // These also apply to the next source.
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
            Command::AnalyseAgain
            | Command::Retry
            | Command::SetSpeed(_)
            | Command::SetRepeat(_)
            | Command::SetSmoothing(_)
            | Command::SetDetection(_)
            | Command::SetNetwork(_) => {}
        }
        let goes_on = is_seek || command == Command::Resume;
        // There is no frame after the last one to step to.
        if self.phase == Phase::EndOfVideo && goes_on && !matches!(command, Command::Step(1..)) {
            self.phase = Phase::Running;
        }
        session.send(command);
    }

    /// Retries a lost camera at once, in the same session, so that its recording continues. Returns whether a camera was lost.
    pub(super) fn retry_camera(&mut self) -> bool {
        let is_lost = self.is_open() && matches!(self.phase, Phase::CameraLost { .. });
        if is_lost {
            self.send(Command::Retry);
            if self.paused {
                // Otherwise the camera would come back without a picture.
                self.send(Command::Resume);
            }
        }
        is_lost
    }

    /// Seeks to a time in a video, at most to its end.
    pub(super) fn seek(&mut self, to: Duration) {
        let to = self.duration().map_or(to, |end| to.min(end));
        self.send(Command::Seek(to));
    }

    /// Whether scenes should be shown. One that arrives after the camera was lost or something failed must not hide that.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::EndOfVideo)
    }

    /// Notes that a scene of this media time is on the screen.
    pub(super) fn shown(&mut self, media_time: Duration) {
        self.position = media_time;
        self.latest = self.latest.max(media_time);
        self.seeking = None;
    }

    /// Notes that the last frame was shown. The pipeline has paused there.
    pub(super) fn ended(&mut self) {
        self.phase = Phase::EndOfVideo;
        self.paused = true;
    }

    /// Notes that a seek has finished.
    pub(super) fn arrived(&mut self) {
        self.seeking = None;
    }

    /// Events and newest scene since the last call; `None` without a session.
    pub(super) fn take(&mut self) -> Option<(Vec<Event>, Option<Scene>)> {
        let session = self.session.as_mut()?;
        // Take the scene first: then the event that its source is open is among these events or earlier ones.
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

    /// Progress of the recording, while one runs.
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
