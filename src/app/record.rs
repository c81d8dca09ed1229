//! The window's state and logic for recordings, snapshots and marks.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{Context, Key, Modifiers};

use super::history::LIVE_SPAN;
use super::keys::{Press, take_press};
use super::player::{Phase, Player};
use super::toasts::Toasts;
use crate::blur::Blur;
use crate::recording::{Mark, Progress, RecordingEvent, SNAPSHOTS};

/// How often the recorded time and the rates are updated while no frames arrive.
pub(super) const CLOCK_STEP: Duration = Duration::from_millis(500);

/// How long the picture shows “Marked”.
const JUST_MARKED: Duration = Duration::from_secs(2);

/// The keys for marks whose text is just a number.
const QUICK_MARKS: [Key; 9] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

/// A request for recordings, snapshots or marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordAsk {
    /// Begin or end a recording.
    Toggle,
    /// Save a picture of what is shown.
    Snapshot,
    /// Open a mark at this moment, for an optional text.
    BeginMark,
    /// Save the open mark with its text.
    KeepMark,
    /// Discard the open mark.
    DropMark,
    /// Mark this moment with a number.
    QuickMark(usize),
    /// Choose where recordings and pictures go.
    ChooseFolder,
}

/// State of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum State {
    /// No recording runs.
    #[default]
    Off,
    /// Requested, but its folder doesn't exist yet.
    Starting,
    /// It runs.
    On { folder: PathBuf },
    /// What is still queued is being written.
    Ending { folder: PathBuf },
}

/// A mark whose text is being typed.
#[derive(Clone, Debug)]
pub(super) struct OpenMark {
    pub(super) at: Instant,
    /// Since the recording began.
    pub(super) time: Duration,
    pub(super) text: String,
    /// Just opened, so the field still has to request the focus.
    pub(super) is_new: bool,
}

/// What the window knows about the recording of a camera session.
#[derive(Debug, Default)]
pub(super) struct RecordingControl {
    pub(super) state: State,
    pub(super) progress: Progress,
    pub(super) open_mark: Option<OpenMark>,
    /// Marks for the timeline, at media times.
    pub(super) marks: Vec<Mark>,
    /// Where recordings and pictures go until the user chooses another folder.
    pub(super) default_folder: PathBuf,
    /// Folder of the last recording, offered for opening.
    pub(super) last: Option<PathBuf>,
    /// What is blurred in recordings and exports.
    pub(super) blur: Option<Blur>,
    /// Capture time and media time of the frame on screen. Places marks on the timeline.
    shown_at: Option<(Instant, Duration)>,
    /// When the last mark was reported, and its text.
    marked: Option<(Instant, String)>,
    told_of_loss: bool,
}

impl RecordingControl {
    pub(super) fn new(default_folder: PathBuf, blur: Option<Blur>) -> Self {
        Self { default_folder, blur, ..Self::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// Sets the frame on screen, and forgets marks that are too old for the timeline.
    pub(super) fn advance(&mut self, captured_at: Instant, media_time: Duration) {
        self.shown_at = Some((captured_at, media_time));
        self.marks.retain(|mark| mark.time + LIVE_SPAN >= media_time);
    }

    /// Resets everything that belongs to a source.
    pub(super) fn clear(&mut self) {
        let Self { last, default_folder, blur, .. } = std::mem::take(self);
        *self = Self { last, ..Self::new(default_folder, blur) };
    }

    /// Text of a mark made a moment ago.
    pub(super) fn just_marked(&self) -> Option<&str> {
        let (at, text) = self.marked.as_ref()?;
        (at.elapsed() < JUST_MARKED).then_some(text.as_str())
    }

    fn media_time(&self, at: Instant) -> Option<Duration> {
        let (captured_at, media_time) = self.shown_at?;
        let later = at.saturating_duration_since(captured_at);
        let earlier = captured_at.saturating_duration_since(at);
        Some((media_time + later).saturating_sub(earlier))
    }

    /// Starts a recording, or ends the running one.
    pub(super) fn toggle(&mut self, player: &mut Player, parent: PathBuf, toasts: &mut Toasts) {
        match &self.state {
            State::Off => match why_no_recording(player) {
                Some(why) => toasts.news(why),
                None => {
                    self.state = State::Starting;
                    self.told_of_loss = false;
                    self.progress = Progress::default();
                    player.start_recording(parent);
                }
            },
            State::On { .. } => {
                self.end(player);
            }
            // Ignored: it will soon have started or ended.
            State::Starting | State::Ending { .. } => {}
        }
    }

    /// Opens a mark at this moment, for an optional text.
    pub(super) fn begin_mark(&mut self, player: &mut Player, toasts: &mut Toasts) {
        self.keep_mark(player);
        if self.can_mark(player, toasts) {
            let time = player.recording().unwrap_or_default().elapsed;
            self.open_mark = Some(OpenMark { at: Instant::now(), time, text: String::new(), is_new: true });
        }
    }

    /// Marks this moment with a number.
    pub(super) fn quick_mark(&mut self, number: usize, player: &mut Player, toasts: &mut Toasts) {
        if self.can_mark(player, toasts) {
            player.mark(Instant::now(), number.to_string());
        }
    }

    /// Saves the open mark with its text.
    pub(super) fn keep_mark(&mut self, player: &mut Player) {
        if let Some(OpenMark { at, text, .. }) = self.open_mark.take() {
            player.mark(at, text.trim().to_owned());
        }
    }

    fn can_mark(&self, player: &Player, toasts: &mut Toasts) -> bool {
        if !self.is_on() {
            toasts.news(if player.is_video() {
                "Marks can be set only in recordings, and only cameras can be recorded"
            } else {
                "Marks belong to a recording; start one first"
            });
        }
        self.is_on()
    }

    /// Asks the recording to end. Returns whether there was one; [`Self::update`] handles its end.
    pub(super) fn end(&mut self, player: &mut Player) -> bool {
        self.keep_mark(player);
        match &self.state {
            State::Off => return false,
            State::Starting => player.stop_recording(),
            State::On { folder } => {
                self.state = State::Ending { folder: folder.clone() };
                player.stop_recording();
            }
            State::Ending { .. } => {}
        }
        true
    }

    /// Ends the recording before its session closes, and shows how it ended.
    pub(super) fn finish(&mut self, player: &mut Player, toasts: &mut Toasts) {
        self.keep_mark(player);
        if self.state == State::Off {
            return;
        }
        for event in player.finish_recording() {
            self.handle(event, toasts);
        }
        self.state = State::Off;
    }

    /// Handles the session's recording events. Returns whether a recording is in progress.
    pub(super) fn update(&mut self, player: &mut Player, toasts: &mut Toasts) -> bool {
        let events = player.take_recording_events();
        self.progress = player.recording().unwrap_or(self.progress);
        for event in events {
            self.handle(event, toasts);
        }
        if self.state == State::Off {
            return false;
        }
        if self.progress.lost > 0 && !self.told_of_loss {
            self.told_of_loss = true;
            toasts.error(
                "The disk or the processor is too slow for the recording: frames are missing from its video. The status \
                 bar counts them; try a smaller picture or another disk",
            );
        }
        true
    }

    fn handle(&mut self, event: RecordingEvent, toasts: &mut Toasts) {
        match event {
            RecordingEvent::Started(folder) => self.state = State::On { folder },
            RecordingEvent::Marked { at, text } => {
                self.marked = Some((Instant::now(), text.clone()));
                if let Some(time) = self.media_time(at) {
                    self.marks.push(Mark { time, text });
                }
            }
            RecordingEvent::Warning(text) => toasts.error(text),
            RecordingEvent::Ended { folder, counts, reason } => {
                self.state = State::Off;
                self.open_mark = None;
                let frames = counts.frames;
                let lost = counts.lost().map_or_else(String::new, |lost| format!("; {lost} could not be recorded"));
                let shown = folder.display();
                match reason {
                    None => toasts.offer(format!("Recorded {frames} frames{lost}: {shown}"), folder.clone()),
                    Some(reason) => toasts.error_with_offer(
                        format!(
                            "The recording has ended: {reason}{lost}. The {frames} frames up to then are in {shown}"
                        ),
                        folder.clone(),
                    ),
                }
                self.last = Some(folder);
            }
            RecordingEvent::Failed(reason) => {
                self.state = State::Off;
                self.open_mark = None;
                toasts.error(format!("The recording didn't start: {reason}"));
            }
        }
    }

    /// Folder for a snapshot taken now: in the recording while one runs, else `otherwise`.
    pub(super) fn snapshot_folder(&self, otherwise: PathBuf) -> PathBuf {
        match &self.state {
            State::On { folder } | State::Ending { folder } => folder.join(SNAPSHOTS),
            State::Off | State::Starting => otherwise,
        }
    }

    /// Takes a press of a key from 1 to 9 while a recording runs, and returns its number.
    pub(super) fn take_quick_mark(&self, ctx: &Context) -> Option<usize> {
        // A held key makes only one mark.
        let is_alone = |held: &Modifiers| !held.alt && held.matches_logically(Modifiers::NONE);
        let pressed = |key| take_press(ctx, key, is_alone) == Some(Press::First);
        (1..).zip(QUICK_MARKS).filter(|_| self.is_on()).find(|(_, key)| pressed(*key)).map(|(number, _)| number)
    }
}

/// Why nothing can be recorded now; `None` if recording is possible.
pub(super) fn why_no_recording(player: &Player) -> Option<&'static str> {
    if player.is_video() {
        return Some("Only cameras can be recorded: a video is already on the disk");
    }
    let is_shown = player.is_open() && player.info.is_some() && player.network.is_some();
    (!is_shown || player.phase != Phase::Running).then_some("Start a camera to record it")
}
