//! The capture thread: opens the source, reads a camera and tries a lost one again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::pacing::Pacer;
use super::player::Player;
use super::slot::SlotSender;
use super::worker::{Message, Passage, Shared, Ticket};
use super::{Analyzer, Command, DetectorFactory, Event, PipelineError, SourceFactory};
use crate::frame::Frame;
use crate::source::{FrameSource, SourceError, SourceKind};

/// The first wait before a lost camera is tried again; each further one is twice as long …
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// … up to this one, so that a camera that is plugged in again is found soon.
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What ended a wait.
pub(super) enum Wake {
    Command(Command),
    /// The time is over; without a time: nothing was waiting.
    Due,
    /// The pipeline is being dropped or another thread failed.
    Stop,
}

/// Where commands arrive.
pub(super) struct Inbox {
    pub(super) commands: Receiver<Command>,
    pub(super) shared: Arc<Shared>,
}

impl Inbox {
    /// The next command, without waiting.
    pub(super) fn poll(&self) -> Wake {
        match self.commands.try_recv() {
            _ if self.shared.is_stopping() => Wake::Stop,
            Ok(command) => Wake::Command(command),
            Err(TryRecvError::Empty) => Wake::Due,
            Err(TryRecvError::Disconnected) => Wake::Stop,
        }
    }

    /// The next command, waited for until `due`, or for as long as it takes.
    pub(super) fn wait(&self, due: Option<Instant>) -> Wake {
        let received = match due {
            Some(due) => self.commands.recv_deadline(due),
            None => self.commands.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            _ if self.shared.is_stopping() => Wake::Stop,
            Ok(command) => Wake::Command(command),
            Err(RecvTimeoutError::Timeout) => Wake::Due,
            Err(RecvTimeoutError::Disconnected) => Wake::Stop,
        }
    }
}

/// What the user wants of the source, gathered from the commands.
pub(super) struct Controls {
    pub(super) paused: bool,
    /// Where to go in a video.
    pub(super) jump: Option<Duration>,
    /// Frames to go forward or back from there, or from the frame that is shown.
    pub(super) steps: i64,
    pub(super) repeat: bool,
    pub(super) pacer: Pacer,
    /// Number of seeks obeyed.
    generation: u64,
    /// Makes another detector, where faces are looked for.
    make_detector: Option<DetectorFactory>,
}

impl Controls {
    pub(super) fn new(speed: f64, repeat: bool, make_detector: Option<DetectorFactory>) -> Self {
        let pacer = Pacer::new(speed);
        Self { paused: false, jump: None, steps: 0, repeat, pacer, generation: 0, make_detector }
    }

    /// Takes note of a command. A new detector is made at once.
    pub(super) fn obey(&mut self, command: &Command, analyzer: &mut Analyzer, shared: &Shared) {
        match command {
            Command::Pause => self.paused = true,
            Command::Resume => {
                self.paused = false;
                self.steps = 0;
                self.pacer.restart();
            }
            Command::Seek(to) => {
                self.jump = Some(*to);
                self.steps = 0;
                // Counted here as they are where they are sent: the numbers of one seek are the same.
                self.generation += 1;
            }
            Command::Step(frames) => {
                self.paused = true;
                self.steps += i64::from(*frames);
            }
            Command::SetSpeed(speed) => self.pacer.set_speed(*speed),
            Command::SetRepeat(repeat) => self.repeat = *repeat,
            Command::SetDetection(options) => match self.make_detector.as_mut().map(|make| make(options)) {
                Some(Ok(detector)) => analyzer.set_detector(detector),
                Some(Err(error)) => shared.report(Event::DetectorFailed(error.to_string())),
                None => {}
            },
            // No camera is waited for.
            Command::Retry => {}
            // The inference thread's.
            Command::SetSmoothing(_) | Command::SetNetwork(_) => {}
        }
    }

    /// What a frame that is sent now belongs to.
    pub(super) fn ticket(&self, landed: bool) -> Ticket {
        Ticket { generation: self.generation, landed }
    }
}

/// The capture thread's work.
pub(super) struct Capture {
    pub(super) open: SourceFactory,
    /// Whether to try again when the source can't be opened or read.
    pub(super) retries: bool,
    pub(super) analyzer: Analyzer,
    pub(super) controls: Controls,
    pub(super) inbox: Inbox,
    pub(super) out: SlotSender<Message>,
    pub(super) shared: Arc<Shared>,
}

/// How a camera ended.
enum CameraEnd {
    Stopped,
    Lost(SourceError),
}

impl Capture {
    /// Works until it is told to stop, or can't continue.
    pub(super) fn run(mut self) -> Result<(), PipelineError> {
        let mut retry = BackOff::default();
        let mut clock = CameraClock::default();
        loop {
            self.shared.report(Event::Opening);
            let error = match (self.open)() {
                Ok(source) => {
                    self.shared.report(Event::Opened(source.info().clone()));
                    if let SourceKind::File { .. } = source.info().kind {
                        return Player::new(source, self).run();
                    }
                    match self.watch(source, &mut clock, &mut retry)? {
                        CameraEnd::Stopped => return Ok(()),
                        CameraEnd::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            if !self.retries {
                return Err(error.into());
            }
            let retry_in = retry.next();
            self.shared.report(Event::CameraLost { reason: error.to_string(), busy: error.is_busy(), retry_in });
            if !self.wait_to_retry(retry_in) {
                return Ok(());
            }
        }
    }

    /// Reads a camera until it is lost. Takes the source, so that a lost camera is closed before it is opened again.
    fn watch(
        &mut self,
        mut source: Box<dyn FrameSource>,
        clock: &mut CameraClock,
        retry: &mut BackOff,
    ) -> Result<CameraEnd, PipelineError> {
        clock.opened();
        loop {
            loop {
                match self.inbox.poll() {
                    Wake::Command(command) => self.controls.obey(&command, &mut self.analyzer, &self.shared),
                    Wake::Stop => return Ok(CameraEnd::Stopped),
                    Wake::Due => break,
                }
            }
            let start = Instant::now();
            let mut frame = match source.read() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(CameraEnd::Lost(SourceError::Lost(source.info().name.clone()))),
                Err(error) => return Ok(CameraEnd::Lost(error)),
            };
            let read = start.elapsed();
            retry.reset();
            if self.controls.paused {
                // Frames are still read, so that no old one waits in the driver when it resumes.
                continue;
            }
            clock.stamp(&mut frame);
            self.shared.meter().captured(Instant::now());
            if let Some(tap) = self.shared.tap().as_ref() {
                tap.captured(&frame);
            }
            self.analyzer.set_framing(self.shared.framing());
            let mut detected = self.analyzer.analyze(frame)?;
            detected.timings.read = read;
            let passage = Passage { detected, ticket: self.controls.ticket(false) };
            let late = self.out.replace(Message::Frame(Box::new(passage)));
            if late.is_some() && self.shared.is_labelling() {
                self.shared.meter().dropped();
            }
        }
    }

    /// Waits until a lost camera is to be tried again, by the clock or because that is asked for; while paused for as long
    /// as that takes. False: stop.
    fn wait_to_retry(&mut self, retry_in: Duration) -> bool {
        let due = Instant::now() + retry_in;
        loop {
            match self.inbox.wait((!self.controls.paused).then_some(due)) {
                Wake::Command(Command::Retry) => return true,
                Wake::Command(command) => self.controls.obey(&command, &mut self.analyzer, &self.shared),
                Wake::Due => return true,
                Wake::Stop => return false,
            }
        }
    }
}

/// Waits of 1, 2, 4, 8, 10, 10, … seconds.
#[derive(Debug, Default)]
struct BackOff {
    last: Option<Duration>,
}

impl BackOff {
    fn next(&mut self) -> Duration {
        let wait = self.last.map_or(FIRST_RETRY, |last| (last * 2).min(LAST_RETRY));
        self.last = Some(wait);
        wait
    }

    /// A frame came: the next loss is a new one.
    fn reset(&mut self) {
        self.last = None;
    }
}

/// Lets index and media time continue when a camera is opened again, whose own count restarts.
#[derive(Debug, Default)]
struct CameraClock {
    first_opened: Option<Instant>,
    time_before: Duration,
    frames_before: u64,
    frames: u64,
}

impl CameraClock {
    fn opened(&mut self) {
        self.time_before = self.first_opened.get_or_insert_with(Instant::now).elapsed();
        self.frames_before = self.frames;
    }

    fn stamp(&mut self, frame: &mut Frame) {
        frame.media_time += self.time_before;
        frame.index += self.frames_before;
        self.frames = frame.index + 1;
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::super::slot::slot;
    use super::*;

    #[test]
    fn waits_between_tries_double_up_to_ten_seconds_and_restart_after_a_frame() {
        let mut retry = BackOff::default();
        let waits: Vec<u64> = (0..6).map(|_| retry.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        retry.reset();
        assert_eq!(retry.next().as_secs(), 1);
    }

    #[test]
    fn a_lost_camera_is_tried_at_once_when_that_is_asked_for_in_pause_too() {
        for before in [None, Some(Command::Pause)] {
            let (sender, commands) = unbounded();
            let shared = Arc::new(Shared::new(unbounded().0, Box::new(|| ())));
            let mut capture = Capture {
                open: Box::new(|| Err(SourceError::Lost("the camera".to_owned()))),
                retries: true,
                analyzer: Analyzer::without_search(false),
                controls: Controls::new(1.0, false, None),
                inbox: Inbox { commands, shared: Arc::clone(&shared) },
                out: slot().0,
                shared,
            };
            for command in before.into_iter().chain([Command::Retry]) {
                sender.send(command).unwrap();
            }
            let began = Instant::now();
            assert!(capture.wait_to_retry(Duration::from_secs(600)));
            assert!(began.elapsed() < Duration::from_secs(300), "it waited for the clock");
        }
    }
}
