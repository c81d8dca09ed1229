//! Plays a video on the capture thread: pace, pause, steps, jumps, repeats.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crossbeam_channel::select;

use super::capture::{Capture, Wake};
use super::worker::{Message, Passage};
use super::{Event, PipelineError};
use crate::frame::Frame;
use crate::source::{FrameSource, SourceKind};

/// How many times longer the run-up of a jump gets, tried in turn until it has enough frames: frames may be further apart than on
/// average.
const RUN_UPS: [u32; 4] = [1, 4, 16, 64];

/// A frame that was read but not yet sent.
struct Waiting {
    frame: Frame,
    read: Duration,
}

/// Plays one file. Every frame is analysed, in order; a slow inference thread slows the video down. Its methods return
/// [`ControlFlow::Break`] if the pipeline must stop.
pub(super) struct Player {
    source: Box<dyn FrameSource>,
    capture: Capture,
    frame_duration: Duration,
    /// A media time within the last frame, if the file declares its length. Later once a later frame was shown: the length of joined
    /// files is that of a part.
    last_moment: Duration,
    next: Option<Waiting>,
    /// Media time of the frame that was sent last.
    shown: Option<Duration>,
    /// Whether a frame was ever shown.
    has_begun: bool,
    ended: bool,
    /// Whether it was reported that the file is truncated.
    told_cut: bool,
}

impl Player {
    pub(super) fn new(source: Box<dyn FrameSource>, mut capture: Capture) -> Self {
        capture.analyzer.expect_jumps();
        let frame_duration = source.info().interval();
        let last_moment = match source.info().kind {
            SourceKind::File { duration: Some(duration), .. } => duration.saturating_sub(frame_duration / 2),
            _ => Duration::MAX,
        };
        Self {
            source,
            capture,
            frame_duration,
            last_moment,
            next: None,
            shown: None,
            has_begun: false,
            ended: false,
            told_cut: false,
        }
    }

    /// Plays until it is stopped, or the file can't be read.
    pub(super) fn run(mut self) -> Result<(), PipelineError> {
        while self.turn()?.is_continue() {}
        Ok(())
    }

    /// One turn: applies the commands, then jumps or shows the next frame when it is due.
    fn turn(&mut self) -> Result<ControlFlow<()>, PipelineError> {
        if self.capture.obey_waiting().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let controls = &mut self.capture.controls;
        if self.ended {
            // There is no frame left to step to.
            controls.steps = controls.steps.min(0);
        }
        if controls.jump.is_some() || controls.steps < 0 {
            return self.jump();
        }
        if controls.again && controls.paused && controls.steps == 0 {
            return self.analyse_again();
        }
        if self.ended && !controls.paused {
            // Resumed after the end.
            controls.jump = Some(Duration::ZERO);
            return Ok(ControlFlow::Continue(()));
        }
        // A paused video still shows its first frame. A file without frames has ended.
        if controls.paused && controls.steps == 0 && (self.has_begun || self.ended) {
            return Ok(self.wait(None));
        }
        let Some(waiting) = self.read()? else { return self.end() };
        let controls = &mut self.capture.controls;
        if controls.steps > 0 {
            controls.steps -= 1;
            return self.show(waiting, false);
        }
        let due = controls.pacer.due(waiting.frame.media_time, Instant::now());
        if due > Instant::now() {
            self.next = Some(waiting);
            return Ok(self.wait(Some(due)));
        }
        self.show(waiting, false)
    }

    /// Waits for a command until `due`, or for as long as it takes, and applies it.
    fn wait(&mut self, due: Option<Instant>) -> ControlFlow<()> {
        match self.capture.wait(due) {
            Wake::Command(command) => self.capture.controls.obey(&command),
            Wake::Due => {}
            Wake::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// The frame that was kept back, or the next one of the file.
    fn read(&mut self) -> Result<Option<Waiting>, PipelineError> {
        if let Some(waiting) = self.next.take() {
            return Ok(Some(waiting));
        }
        let start = Instant::now();
        let frame = self.source.read()?;
        Ok(frame.map(|frame| {
            self.capture.shared.meter().captured(Instant::now());
            Waiting { frame, read: start.elapsed() }
        }))
    }

    /// At the end of the file: starts again, or stays there.
    fn end(&mut self) -> Result<ControlFlow<()>, PipelineError> {
        if let Some(shortfall) = self.source.shortfall().filter(|_| !self.told_cut) {
            self.told_cut = true;
            self.capture.shared.report(Event::CutShort(shortfall));
        }
        let controls = &mut self.capture.controls;
        if controls.repeat && self.shown.is_some() {
            self.source.seek(Duration::ZERO)?;
            self.capture.analyzer.jump();
            // So that a file that gives no frame after this isn't tried for ever.
            self.shown = None;
            return Ok(ControlFlow::Continue(()));
        }
        self.ended = true;
        controls.paused = true;
        controls.steps = 0;
        Ok(self.send(Message::End))
    }

    /// Goes to the requested frame and shows it. Some frames before it are searched for faces without being shown, so that
    /// its faces are confirmed like those of any other frame.
    fn jump(&mut self) -> Result<ControlFlow<()>, PipelineError> {
        let controls = &mut self.capture.controls;
        let back = u32::try_from(controls.steps.min(0).unsigned_abs()).unwrap_or(u32::MAX);
        controls.steps = controls.steps.max(0);
        controls.pacer.restart();
        let from = controls.jump.take().or(self.shown).unwrap_or_default();
        let target = if back > 0 { self.time_before(from, back) } else { from }.min(self.last_moment);
        self.ended = false;

        let needed = self.capture.analyzer.frames_to_confirm();
        let (mut landing, mut moment, mut begun_at) = (None, target, Duration::MAX);
        for factor in RUN_UPS {
            // One more, because the target may be anywhere within the time of its frame.
            let first = self.time_before(moment, (needed + 1) * factor);
            if first >= begun_at {
                // The file begins there.
                break;
            }
            begun_at = first;
            let (found, searched) = self.approach(first, target, needed)?;
            landing = found;
            if self.capture.shared.is_stopping() {
                return Ok(ControlFlow::Break(()));
            }
            // While a seek bar is dragged, each frame is shown as it is: the next one is waited for.
            let is_enough = searched >= needed || !self.capture.commands.is_empty();
            let Some(waiting) = landing.as_ref().filter(|_| !is_enough) else { break };
            moment = waiting.frame.media_time;
        }
        match landing {
            Some(waiting) => self.show(waiting, true),
            None => self.end(),
        }
    }

    /// Analyses the frame that is shown again. At the end of the video, it stays there.
    fn analyse_again(&mut self) -> Result<ControlFlow<()>, PipelineError> {
        self.capture.controls.again = false;
        let Some(shown) = self.shown else { return Ok(ControlFlow::Continue(())) };
        let ended = self.ended;
        self.capture.controls.jump = Some(shown);
        let flow = self.jump()?;
        self.ended = ended;
        Ok(flow)
    }

    /// Reads from the frame that is shown at `first` to the one that is shown at `target`, and returns that one. Searches the last
    /// frames before it for faces, and returns their number, which is more than `needed` if there are that many.
    fn approach(
        &mut self,
        first: Duration,
        target: Duration,
        needed: u32,
    ) -> Result<(Option<Waiting>, u32), PipelineError> {
        self.next = None;
        self.capture.analyzer.jump();
        self.source.seek(first)?;

        let mut last = VecDeque::new();
        while !self.capture.shared.is_stopping()
            && let Some(waiting) = self.read()?
        {
            let later = waiting.frame.media_time > target;
            if later && !last.is_empty() {
                self.next = Some(waiting);
                break;
            }
            // One more than needed, as without a jump.
            if last.len() > needed as usize + 1 {
                last.pop_front();
            }
            last.push_back(waiting);
            if later {
                // The file has no frame at or before the target.
                break;
            }
        }
        let landing = last.pop_back();
        let searched = last.len() as u32;
        for before in last {
            self.capture.analyzer.analyze(before.frame)?;
        }
        Ok((landing, searched))
    }

    /// A time at which the frame is shown that comes `frames` before the one at `from`.
    fn time_before(&self, from: Duration, frames: u32) -> Duration {
        self.source.time_before(from, frames).unwrap_or_else(|| {
            // Aim for the middle of that frame, where rounding can't lead to its neighbour.
            let way = (self.frame_duration.saturating_mul(frames)).saturating_sub(self.frame_duration / 2);
            from.saturating_sub(way)
        })
    }

    /// Analyses a frame and sends it on.
    fn show(&mut self, waiting: Waiting, landed: bool) -> Result<ControlFlow<()>, PipelineError> {
        let Waiting { mut frame, read } = waiting;
        // The frame was read ahead: its age counts from when it was due.
        frame.captured_at = Instant::now();
        self.shown = Some(frame.media_time);
        self.last_moment = self.last_moment.max(frame.media_time);
        self.has_begun = true;
        let Capture { analyzer, shared, controls, .. } = &mut self.capture;
        controls.again = false;
        let framing = shared.framing();
        analyzer.set_framing(framing);
        let mut detected = analyzer.analyze(frame)?;
        detected.timings.read = read;
        let ticket = controls.ticket(landed);
        Ok(self.send(Message::Frame(Box::new(Passage { detected, framing, ticket }))))
    }

    /// Waits until the inference thread can take `message`. Drops it if a jump is requested in the meantime.
    fn send(&mut self, message: Message) -> ControlFlow<()> {
        let Capture { commands, controls, out, shared, .. } = &mut self.capture;
        loop {
            select! {
                send(out.sender(), message) -> sent => {
                    return if sent.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
                }
                recv(commands) -> command => match command {
                    Ok(command) if !shared.is_stopping() => controls.obey(&command),
                    _ => return ControlFlow::Break(()),
                },
            }
            if controls.jump.is_some() {
                return ControlFlow::Continue(());
            }
        }
    }
}
