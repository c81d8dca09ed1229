//! The capture thread: opens the source, reads a camera and reopens a lost one.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use mien_net::device::DeviceChoice;

use super::pacing::Pacer;
use super::player::Player;
use super::slot::SlotSender;
use super::worker::{Message, Passage, Shared, Ticket};
use super::{Analyzer, Command, DetectorFactory, Event, PipelineError, SourceFactory};
use crate::detect::{DetectionOptions, DetectorKind};
use crate::frame::Frame;
use crate::source::{FrameSource, SourceError, SourceKind};

/// The first wait before a lost camera is tried again; each further wait is twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest wait, so that a camera that is plugged in again is found soon.
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What ended a wait.
pub(super) enum Wake {
    Command(Command),
    /// The time is over or, if there was no wait, no command was queued.
    Due,
    /// The pipeline is being dropped or another thread failed.
    Stop,
}

/// What the commands so far have asked for.
pub(super) struct Controls {
    pub(super) paused: bool,
    /// Where to go in a video.
    pub(super) jump: Option<Duration>,
    /// Frames to go forward or back from there, or from the frame that is shown.
    pub(super) steps: i64,
    /// Whether the frame that is shown is to be analysed again.
    pub(super) again: bool,
    pub(super) repeat: bool,
    pub(super) pacer: Pacer,
    /// Number of seeks applied.
    generation: u64,
    /// Detection options that were requested but aren't in use yet.
    detection: Option<DetectionOptions>,
    /// `None` if faces aren't searched for.
    detectors: Option<Detectors>,
}

/// Makes detectors, and remembers how the one in use was made.
pub(super) struct Detectors {
    pub(super) make: DetectorFactory,
    /// The options of the one in use.
    pub(super) made_with: DetectionOptions,
    /// The device that was chosen for it.
    pub(super) made_on: DeviceChoice,
}

impl Detectors {
    /// Whether the detector in use is the one that would be made. The device doesn't matter for Haar, which always runs on the CPU.
    fn would_make_the_same(&self, options: &DetectionOptions, device: DeviceChoice) -> bool {
        options.make_the_same_as(&self.made_with) && (device == self.made_on || options.detector == DetectorKind::Haar)
    }
}

impl Controls {
    pub(super) fn new(speed: f64, repeat: bool, detectors: Option<Detectors>) -> Self {
        let pacer = Pacer::new(speed);
        Self {
            paused: false,
            jump: None,
            steps: 0,
            again: false,
            repeat,
            pacer,
            generation: 0,
            detection: None,
            detectors,
        }
    }

    /// Applies a command to this state.
    pub(super) fn obey(&mut self, command: &Command) {
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
                // `Live::send` counts seeks in the same order, so both sides give a seek the same number.
                self.generation += 1;
            }
            Command::Step(frames) => {
                self.paused = true;
                self.steps += i64::from(*frames);
            }
            Command::AnalyseAgain => self.again = true,
            Command::SetSpeed(speed) => self.pacer.set_speed(*speed),
            Command::SetRepeat(repeat) => self.repeat = *repeat,
            // Dragging a slider requests many detectors, and making one takes time: see `see_to_detector`.
            Command::SetDetection(options) => self.detection = Some(*options),
            // Only a lost camera is retried; see `wait_to_retry`.
            Command::Retry => {}
            // For the inference thread, which reports when the network has moved to another device.
            Command::SetNetwork(_) | Command::SetSmoothing(_) => {}
        }
    }

    /// Makes the detector that was requested last, on the device that the network runs on, unless the one in use is the same.
    fn see_to_detector(&mut self, analyzer: &mut Analyzer, shared: &Shared) {
        let (detection, device) = (self.detection.take(), shared.take_device());
        let Some(detectors) = &mut self.detectors else { return };
        let (options, device) = (detection.unwrap_or(detectors.made_with), device.unwrap_or(detectors.made_on));
        if detectors.would_make_the_same(&options, device) {
            analyzer.schedule(&options);
        } else {
            match (detectors.make)(&options, device) {
                Ok(detector) => analyzer.set_detector(detector),
                Err(error) => return shared.report(Event::DetectorFailed(error.to_string())),
            }
        }
        (detectors.made_with, detectors.made_on) = (options, device);
    }

    /// The ticket for a frame that is sent now.
    pub(super) fn ticket(&self, landed: bool) -> Ticket {
        Ticket { generation: self.generation, landed }
    }
}

/// The state of the capture thread.
pub(super) struct Capture {
    pub(super) open: SourceFactory,
    /// Whether to try again when the source can't be opened or read.
    pub(super) retries: bool,
    pub(super) analyzer: Analyzer,
    pub(super) controls: Controls,
    pub(super) commands: Receiver<Command>,
    pub(super) out: SlotSender<Message>,
    pub(super) shared: Arc<Shared>,
}

/// Why reading a camera ended.
enum CameraEnd {
    Stopped,
    Lost(SourceError),
}

impl Capture {
    /// Runs until it is stopped or can't continue.
    pub(super) fn run(mut self) -> Result<(), PipelineError> {
        let mut retry = BackOff::default();
        let mut clock = CameraClock::default();
        loop {
            self.shared.report(Event::Opening);
            let error = match (self.open)() {
                Ok(source) => {
                    let info = source.info();
                    self.analyzer.prepare_for(info.interval(), info.frames());
                    self.shared.report(Event::Opened(info.clone()));
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
            self.shared.set_still(true);
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
            if self.obey_waiting().is_break() {
                return Ok(CameraEnd::Stopped);
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
                // Keep reading, so that no old frame waits in the driver on resume. Not even the first frame is shown: a user who
                // pauses a camera doesn't want to be seen.
                continue;
            }
            clock.stamp(&mut frame);
            self.shared.meter().captured(Instant::now());
            self.shared.taps().each().for_each(|tap| tap.captured(&frame));
            let framing = self.shared.framing();
            self.analyzer.set_framing(framing);
            let mut detected = self.analyzer.analyze(frame)?;
            detected.timings.read = read;
            let passage = Passage { detected, framing, ticket: self.controls.ticket(false) };
            let late = self.out.replace(Message::Frame(Box::new(passage)));
            if late.is_some() && self.shared.is_labelling() {
                self.shared.meter().dropped();
            }
        }
    }

    /// Waits until a lost camera should be tried again: when the time is up or the user asks; while paused, only when the user asks.
    /// Returns false if the thread must stop.
    fn wait_to_retry(&mut self, retry_in: Duration) -> bool {
        let due = Instant::now() + retry_in;
        loop {
            let mut wake = self.poll();
            if matches!(wake, Wake::Due) {
                self.controls.see_to_detector(&mut self.analyzer, &self.shared);
                wake = self.wait((!self.controls.paused).then_some(due));
            }
            match wake {
                Wake::Command(Command::Retry) => return true,
                Wake::Command(command) => self.controls.obey(&command),
                Wake::Due => return true,
                Wake::Stop => return false,
            }
        }
    }

    /// Applies the waiting commands, then replaces the detector if necessary. Breaks if the thread must stop.
    pub(super) fn obey_waiting(&mut self) -> ControlFlow<()> {
        loop {
            match self.poll() {
                Wake::Command(command) => self.controls.obey(&command),
                Wake::Stop => return ControlFlow::Break(()),
                Wake::Due => break,
            }
        }
        self.controls.see_to_detector(&mut self.analyzer, &self.shared);
        self.shared.set_still(self.controls.paused);
        ControlFlow::Continue(())
    }

    /// The next command, without waiting.
    fn poll(&self) -> Wake {
        match self.commands.try_recv() {
            _ if self.shared.is_stopping() => Wake::Stop,
            Ok(command) => Wake::Command(command),
            Err(TryRecvError::Empty) => Wake::Due,
            Err(TryRecvError::Disconnected) => Wake::Stop,
        }
    }

    /// Waits for the next command until `due`, or for as long as it takes.
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

    /// Starts over, because a frame came: the next loss is a new one.
    fn reset(&mut self) {
        self.last = None;
    }
}

/// Continues index and media time when a camera is reopened and its own counts restart.
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
    use std::sync::Mutex;

    use crossbeam_channel::{Sender, unbounded};
    use mien_core::detection::{DetectError, Detection, FaceDetector};
    use mien_core::face::GrayView;
    use mien_core::track::TrackOptions;

    use super::super::NetworkChoice;
    use super::super::slot::slot;
    use super::*;
    use crate::detect::ScheduledDetector;

    #[test]
    fn waits_between_tries_double_up_to_ten_seconds_and_restart_after_a_frame() {
        let mut retry = BackOff::default();
        let waits: Vec<u64> = (0..6).map(|_| retry.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        retry.reset();
        assert_eq!(retry.next().as_secs(), 1);
    }

    struct FindsNobody;

    impl FaceDetector for FindsNobody {
        fn detect(&mut self, _picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
            Ok(Vec::new())
        }
    }

    fn finds_nobody() -> ScheduledDetector {
        ScheduledDetector::new(Box::new(FindsNobody), &DetectionOptions::default())
    }

    /// The thread's state for a camera that doesn't exist, and the sender of its commands.
    fn capture(detectors: Option<Detectors>) -> (Capture, Sender<Command>) {
        let (sender, commands) = unbounded();
        let capture = Capture {
            open: Box::new(|| Err(SourceError::Lost("the camera".to_owned()))),
            retries: true,
            analyzer: Analyzer::new(finds_nobody(), TrackOptions::default(), false),
            controls: Controls::new(1.0, false, detectors),
            commands,
            out: slot().0,
            shared: Arc::new(Shared::new(unbounded().0, Box::new(|| ()))),
        };
        (capture, sender)
    }

    #[test]
    fn of_detectors_that_are_asked_for_one_after_the_other_only_the_last_is_made_and_none_that_is_there() {
        let usual = DetectionOptions::default();
        let smallest = |share| DetectionOptions { min_face: Some(share), ..usual };
        let made = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&made);
        let make: DetectorFactory = Box::new(move |options, _| {
            noted.lock().unwrap().push(*options);
            // A detector that can't be made is tried again.
            if options.min_face == Some(0.9) { Err(DetectError::Cascade) } else { Ok(finds_nobody()) }
        });
        let (mut capture, sender) = capture(Some(Detectors { make, made_with: usual, made_on: DeviceChoice::Cpu }));
        let mut made_of = |asked: &[DetectionOptions]| {
            asked.iter().for_each(|options| sender.send(Command::SetDetection(*options)).unwrap());
            assert!(capture.obey_waiting().is_continue());
            std::mem::take(&mut *made.lock().unwrap())
        };
        assert!(made_of(&[]).is_empty());
        assert_eq!(made_of(&[smallest(0.1), smallest(0.2), smallest(0.3)]), [smallest(0.3)]);
        assert!(made_of(&[smallest(0.5), smallest(0.3)]).is_empty(), "it came back to where it was");
        assert!(made_of(&[DetectionOptions { equalize: true, ..smallest(0.3) }]).is_empty(), "for Haar alone");
        for _ in 0..2 {
            assert_eq!(made_of(&[smallest(0.9)]), [smallest(0.9)]);
        }
        assert!(made_of(&[smallest(0.3)]).is_empty(), "it was never exchanged");
    }

    #[test]
    fn a_network_that_finds_faces_goes_along_to_another_device_and_haar_stays() {
        let of = |detector| DetectionOptions { detector, ..DetectionOptions::default() };
        let (network, haar) = (of(DetectorKind::Faces), of(DetectorKind::Haar));
        let made = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&made);
        let make: DetectorFactory = Box::new(move |options, device| {
            noted.lock().unwrap().push((options.detector, device));
            Ok(finds_nobody())
        });
        let (mut capture, sender) = capture(Some(Detectors { make, made_with: network, made_on: DeviceChoice::Cpu }));
        let shared = Arc::clone(&capture.shared);
        let mut made_after = |change: &dyn Fn()| {
            change();
            assert!(capture.obey_waiting().is_continue());
            std::mem::take(&mut *made.lock().unwrap())
        };
        let card = DeviceChoice::Cuda(0);
        let ask = |command: Command| sender.send(command).unwrap();
        let choice = NetworkChoice { device: card, ..NetworkChoice::default() };
        assert!(made_after(&|| ask(Command::SetNetwork(choice.clone()))).is_empty(), "the network may not get there");
        assert!(made_after(&|| shared.set_device(DeviceChoice::Cpu)).is_empty(), "another one on the same device");
        assert_eq!(made_after(&|| shared.set_device(card)), [(DetectorKind::Faces, card)]);
        assert_eq!(made_after(&|| ask(Command::SetDetection(haar))), [(DetectorKind::Haar, card)]);
        assert!(made_after(&|| shared.set_device(DeviceChoice::Cpu)).is_empty(), "it has only the CPU");
        assert_eq!(made_after(&|| ask(Command::SetDetection(network))), [(DetectorKind::Faces, DeviceChoice::Cpu)]);
    }

    #[test]
    fn a_lost_camera_is_tried_at_once_when_that_is_asked_for_in_pause_too() {
        for before in [None, Some(Command::Pause)] {
            let (mut capture, sender) = capture(None);
            for command in before.into_iter().chain([Command::Retry]) {
                sender.send(command).unwrap();
            }
            let began = Instant::now();
            assert!(capture.wait_to_retry(Duration::from_secs(600)));
            assert!(began.elapsed() < Duration::from_secs(300), "it waited for the clock");
        }
    }
}
