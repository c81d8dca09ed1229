//! Recording, pictures and marks: what the window knows of them and does about them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{Context, Key, Modifiers};

use super::history::LIVE_SPAN;
use super::session::Order;
use super::{App, Report, Stage};
use crate::recording::{Counts, Progress, RecordingEvent, SNAPSHOTS, Snapshot, SnapshotError, save_snapshot};

/// How often the time that was recorded is shown anew when no picture comes.
const CLOCK_STEP: Duration = Duration::from_millis(500);

/// The keys of marks that say a number and no more.
const QUICK_MARKS: [Key; 9] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

/// What the user asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// Begin or end a recording.
    Toggle,
    /// Keep a picture of what is shown.
    Snapshot,
    /// Mark this moment; a text may follow.
    BeginMark,
    /// Keep the mark with what was written.
    KeepMark,
    /// Forget the mark.
    DropMark,
    /// Mark this moment with a number.
    QuickMark(usize),
    /// Choose where recordings and pictures go.
    ChooseFolder,
    /// Where they go; `None` is the usual place.
    SetFolder(Option<PathBuf>),
}

/// How far a recording is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum State {
    /// None runs.
    #[default]
    Off,
    /// Asked for; its folder isn't there yet.
    Starting,
    /// It runs.
    On { folder: PathBuf },
    /// What waits is being written.
    Ending { folder: PathBuf },
}

/// A mark whose text is being written.
#[derive(Clone, Debug)]
pub(super) struct OpenMark {
    pub(super) at: Instant,
    /// Since the recording began.
    pub(super) time: Duration,
    pub(super) text: String,
    /// Just opened: the field wants the keyboard.
    pub(super) is_new: bool,
}

/// A mark on the timeline.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Media time.
    pub(super) time: Duration,
    pub(super) text: String,
}

/// What the window knows of recording.
#[derive(Debug, Default)]
pub(super) struct Recording {
    pub(super) state: State,
    pub(super) progress: Progress,
    pub(super) open_mark: Option<OpenMark>,
    pub(super) ticks: Vec<Tick>,
    /// The usual place, until the user chooses another.
    pub(super) usual_folder: PathBuf,
    pub(super) choosing_folder: bool,
    /// When the frame on the screen was captured, and its media time: brings marks onto the timeline.
    shown_at: Option<(Instant, Duration)>,
    told_of_loss: bool,
}

impl Recording {
    pub(super) fn new(usual_folder: PathBuf) -> Self {
        Self { usual_folder, ..Self::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// Learns which frame is on the screen, and forgets marks that the timeline doesn't reach any more.
    pub(super) fn advance(&mut self, captured_at: Instant, media_time: Duration) {
        self.shown_at = Some((captured_at, media_time));
        self.ticks.retain(|tick| tick.time + LIVE_SPAN >= media_time);
    }

    /// Forgets what belonged to a source.
    pub(super) fn clear(&mut self) {
        let choosing_folder = self.choosing_folder;
        *self = Self { choosing_folder, ..Self::new(std::mem::take(&mut self.usual_folder)) };
    }

    fn media_time(&self, at: Instant) -> Option<Duration> {
        let (captured_at, media_time) = self.shown_at?;
        let later = at.saturating_duration_since(captured_at);
        let earlier = captured_at.saturating_duration_since(at);
        Some((media_time + later).saturating_sub(earlier))
    }
}

impl App {
    /// Why nothing can be recorded now; `None` if it can.
    pub(super) fn why_no_recording(&self) -> Option<&'static str> {
        if self.is_video() {
            return Some("Only a camera is recorded: a video is on the disk already");
        }
        if self.session.is_none() || self.info.is_none() || self.network.is_none() || self.stage != Stage::Running {
            return Some("A camera must be shown to be recorded");
        }
        None
    }

    /// Where recordings and pictures go.
    pub(super) fn recordings_folder(&self) -> PathBuf {
        self.settings.recordings_folder.clone().unwrap_or_else(|| self.recording.usual_folder.clone())
    }

    pub(super) fn record(&mut self, ask: Ask) {
        match ask {
            Ask::Toggle => self.toggle_recording(),
            Ask::Snapshot => self.take_snapshot(),
            Ask::BeginMark => {
                self.keep_mark();
                if self.can_mark() {
                    let at = Instant::now();
                    let time =
                        self.session.as_ref().and_then(|session| session.recording()).unwrap_or_default().elapsed;
                    self.recording.open_mark = Some(OpenMark { at, time, text: String::new(), is_new: true });
                }
            }
            Ask::KeepMark => self.keep_mark(),
            Ask::DropMark => self.recording.open_mark = None,
            Ask::QuickMark(number) => {
                if self.can_mark() {
                    self.tell(Order::Mark { at: Instant::now(), text: number.to_string() });
                }
            }
            Ask::ChooseFolder => {
                if !std::mem::replace(&mut self.recording.choosing_folder, true) {
                    let folder = self.recordings_folder();
                    self.beside("mien-dialog", move |outside| Report::FolderChosen(outside.ask_for_folder(folder)));
                }
            }
            Ask::SetFolder(folder) => self.settings.recordings_folder = folder,
        }
    }

    fn toggle_recording(&mut self) {
        match &self.recording.state {
            State::Off => match self.why_no_recording() {
                Some(why) => self.toasts.news(why),
                None => {
                    self.recording.state = State::Starting;
                    self.recording.told_of_loss = false;
                    self.recording.progress = Progress::default();
                    self.tell(Order::StartRecording(self.recordings_folder()));
                }
            },
            State::On { folder } => {
                let folder = folder.clone();
                self.keep_mark();
                self.recording.state = State::Ending { folder };
                self.tell(Order::StopRecording);
            }
            // Soon done.
            State::Starting | State::Ending { .. } => {}
        }
    }

    fn can_mark(&mut self) -> bool {
        let can = self.recording.is_on();
        if !can {
            self.toasts.news("Marks belong to a recording; start one first");
        }
        can
    }

    fn keep_mark(&mut self) {
        if let Some(OpenMark { at, text, .. }) = self.recording.open_mark.take() {
            self.tell(Order::Mark { at, text: text.trim().to_owned() });
        }
    }

    /// Ends the recording before its session goes, and says what came of it.
    pub(super) fn end_recording(&mut self) {
        self.keep_mark();
        if self.recording.state == State::Off {
            return;
        }
        let events = self.session.as_mut().map(|session| session.end_recording()).unwrap_or_default();
        for event in events {
            self.handle_recording(event);
        }
        self.recording.state = State::Off;
    }

    /// What the session's recorder says.
    pub(super) fn take_recording_events(&mut self, ctx: &Context) {
        let Some(session) = &mut self.session else { return };
        let events = session.take_recording_events();
        self.recording.progress = session.recording().unwrap_or(self.recording.progress);
        for event in events {
            self.handle_recording(event);
        }
        if self.recording.state == State::Off {
            return;
        }
        ctx.request_repaint_after(CLOCK_STEP);
        if self.recording.progress.lost > 0 && !self.recording.told_of_loss {
            self.recording.told_of_loss = true;
            self.toasts.error(
                "The disk or the processor is too slow for the recording: frames are missing from its video. The status \
                 bar counts them; a smaller picture or another disk helps",
            );
        }
    }

    fn handle_recording(&mut self, event: RecordingEvent) {
        match event {
            RecordingEvent::Started(folder) => self.recording.state = State::On { folder },
            RecordingEvent::Marked { at, text } => {
                if let Some(time) = self.recording.media_time(at) {
                    self.recording.ticks.push(Tick { time, text });
                }
            }
            RecordingEvent::Warning(text) => self.toasts.error(text),
            RecordingEvent::Ended { folder, counts, reason } => {
                self.recording.state = State::Off;
                self.keep_nothing_open();
                let Counts { frames, frames_lost, .. } = counts;
                let lost =
                    if frames_lost > 0 { format!(", {frames_lost} could not be recorded") } else { String::new() };
                match reason {
                    None => self.toasts.news(format!("Recorded {frames} frames{lost}: {}", folder.display())),
                    Some(reason) => self.toasts.error(format!(
                        "The recording has ended: {reason}. The {frames} frames up to then are in {}",
                        folder.display()
                    )),
                }
            }
            RecordingEvent::Failed(reason) => {
                self.recording.state = State::Off;
                self.keep_nothing_open();
                self.toasts.error(format!("Nothing is recorded: {reason}"));
            }
        }
    }

    fn keep_nothing_open(&mut self) {
        self.recording.open_mark = None;
    }

    fn take_snapshot(&mut self) {
        let Some(shown) = self.shown.clone() else {
            return self.toasts.news("There is no picture to keep");
        };
        let folder = match &self.recording.state {
            State::On { folder } | State::Ending { folder } => folder.join(SNAPSHOTS),
            State::Off | State::Starting => self.recordings_folder(),
        };
        let name = self.info.as_ref().map_or_else(String::new, |info| info.name.clone());
        self.beside("mien-snapshot", move |_| {
            Report::Snapshot(save_snapshot(&folder, &name, &shown.frame, &shown.faces))
        });
    }

    pub(super) fn learn_folder(&mut self, chosen: anyhow::Result<Option<PathBuf>>) {
        self.recording.choosing_folder = false;
        match chosen {
            Ok(Some(folder)) => self.settings.recordings_folder = Some(folder),
            Ok(None) => {}
            Err(error) => self.toasts.error(format!("{error:#}")),
        }
    }

    pub(super) fn learn_snapshot(&mut self, pictures: Result<Snapshot, SnapshotError>) {
        match pictures {
            Ok(pictures) => self.toasts.news(format!("Picture kept: {}", pictures.clean.display())),
            Err(error) => self.toasts.error(error.to_string()),
        }
    }

    /// The keys 1 to 9 while a recording runs.
    pub(super) fn take_quick_marks(&mut self, ctx: &Context) {
        if !self.recording.is_on() {
            return;
        }
        for (number, key) in (1..).zip(QUICK_MARKS) {
            if ctx.input_mut(|i| i.consume_key(Modifiers::NONE, key)) {
                self.ask(super::Action::Record(Ask::QuickMark(number)));
            }
        }
    }
}
