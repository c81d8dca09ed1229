//! A recording in the window: read beside it, shown as it was recorded, edited, exported.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use super::history::History;
use super::session::{Source, Wake};
use super::{App, Report, Stage};
use crate::face::{Face, FaceId};
use crate::recording::{Edits, EditsFile, Export, ExportProblem, Exported, Mark, OpenError, Recording};

/// Folder in that of the recording into which the window exports.
const EXPORTS: &str = "exports";

/// A mark this near to the present moment is passed over when the one before is asked for: who asks twice in a
/// replay that goes on wants the one before that.
const AT_MARK: Duration = Duration::from_millis(700);

/// Edits that can be taken back, at most.
const MOST_UNDO: usize = 100;

/// What the user wants of a recording.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wish {
    Rename(FaceId, String),
    Hide(FaceId, bool),
    /// All faces of the first are the second's.
    Merge(FaceId, FaceId),
    /// At the present moment.
    AddMark,
    /// The mark at this place in the list gets another text.
    SetMark(usize, String),
    RemoveMark(usize),
    /// To the next mark, or the one before.
    GoToMark {
        forward: bool,
    },
    /// Find and name the faces anew, or show the recorded ones again.
    SetAgain(bool),
    Undo,
    Reset,
    Export,
    StopExport,
}

/// The recording that is open, with what was changed about it.
pub(super) struct Recorded {
    pub(super) recording: Arc<Recording>,
    /// Whether its faces are found and named anew.
    pub(super) again: bool,
    pub(super) edits: Edits,
    /// The edits before each change, the last one last.
    before: Vec<Edits>,
    /// Where edits are kept, if they can be.
    file: Option<EditsFile>,
    /// The faces of the frame on the screen as they were recorded.
    on_screen: Vec<Face>,
    /// The name or text that is being typed, and whose it is.
    pub(super) typing: Option<(egui::Id, String)>,
    pub(super) export: Option<RunningExport>,
}

impl Recorded {
    pub(super) fn marks(&self) -> Vec<Mark> {
        self.edits.marks(&self.recording.marks)
    }

    /// The people of the recording: each recorded face that isn't merged into another.
    pub(super) fn people(&self) -> Vec<FaceId> {
        self.recording.faces.faces().keys().copied().filter(|face| self.edits.person(*face) == *face).collect()
    }

    pub(super) fn can_undo(&self) -> bool {
        !self.before.is_empty()
    }

    /// Everything that each person showed, hidden ones left out.
    fn history(&self) -> History {
        let mut history = History::recorded(self.recording.frames.duration());
        for row in self.recording.faces.rows().iter().filter(|row| !self.edits.is_hidden(row.id())) {
            history.advance(row.time());
            history.record(self.edits.person(row.id()), row.smoothed());
        }
        history
    }
}

/// An export on a thread of its own. Dropped unfinished, it leaves no file.
pub(super) struct RunningExport {
    stop: Arc<AtomicBool>,
    frames_done: Arc<AtomicU64>,
    frames: u64,
    result: Receiver<Result<Exported, ExportProblem>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningExport {
    fn start(export: Export, wake: Wake) -> std::io::Result<Self> {
        let (stop, frames_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let frames = export.recording.frames.len() as u64;
        let (sender, result) = bounded(1);
        let (asked_to_stop, done) = (Arc::clone(&stop), Arc::clone(&frames_done));
        let thread = std::thread::Builder::new().name("mien-export".to_owned()).spawn(move || {
            let mut percent = 0;
            let exported = export.run(&asked_to_stop, |_| {
                let now = (done.fetch_add(1, Ordering::Relaxed) + 1) * 100 / frames.max(1);
                if now > percent {
                    percent = now;
                    wake();
                }
            });
            // A window that is closed meanwhile has taken the files away.
            sender.send(exported).ok();
            wake();
        })?;
        Ok(Self { stop, frames_done, frames, result, thread: Some(thread) })
    }

    pub(super) fn percent(&self) -> u64 {
        (self.frames_done.load(Ordering::Relaxed) * 100 / self.frames.max(1)).min(100)
    }
}

impl Drop for RunningExport {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it failed with was reported by itself.
            drop(thread.join());
        }
    }
}

impl App {
    /// The recording, if what was recorded is shown, and not what is found in it anew.
    pub(super) fn as_recorded(&self) -> Option<&Recorded> {
        self.recorded.as_ref().filter(|recorded| !recorded.again)
    }

    /// What to call a face where a name stands alone: `Anna`, `Face 3`.
    pub(super) fn face_title(&self, face: FaceId) -> String {
        self.as_recorded().map_or_else(|| format!("Face {}", face.0), |recorded| recorded.edits.title(face))
    }

    /// What to call a face within a sentence: `Anna`, `face 3`.
    pub(super) fn face_words(&self, face: FaceId) -> String {
        let name = self.as_recorded().and_then(|recorded| recorded.edits.name(face));
        name.map_or_else(|| format!("face {}", face.0), str::to_owned)
    }

    /// What to call a face on the picture: `Anna`, `3`.
    pub(super) fn face_short(&self, face: FaceId) -> String {
        self.as_recorded().map_or_else(|| face.0.to_string(), |recorded| recorded.edits.short_title(face))
    }

    /// The marks of the recording; none without one.
    pub(super) fn marks(&self) -> Vec<Mark> {
        self.recorded.as_ref().map(Recorded::marks).unwrap_or_default()
    }

    /// Reads a recording on a thread of its own, unless it is open already, and then starts it.
    pub(super) fn open_recording(&mut self, folder: PathBuf, again: bool) {
        match &mut self.recorded {
            Some(recorded) if recorded.recording.folder() == folder => {
                recorded.again = again;
                recorded.on_screen.clear();
                self.start(Source::Recording { folder, again });
            }
            _ => {
                self.recorded = None;
                self.stage = Stage::Opening;
                self.beside("mien-recording", move |_| Report::Recording(Box::new(Recording::open(&folder)), again));
            }
        }
    }

    pub(super) fn learn_recording(&mut self, read: Result<Recording, OpenError>, again: bool) {
        // Another source may have been opened meanwhile.
        let Some(Source::Recording { folder, .. }) = self.source.clone() else { return };
        let recording = match read {
            Ok(recording) if recording.folder() != folder => return,
            Ok(recording) => recording,
            Err(error) => {
                self.stage = Stage::Failed;
                return self.toasts.error(error.to_string());
            }
        };
        for notice in &recording.notices {
            self.toasts.error(notice.clone());
        }
        let (file, edits) = match recording.edits() {
            Ok((file, edits)) => (Some(file), edits),
            Err(problem) => {
                self.toasts.error(format!("{problem}; until then nothing that you change is saved"));
                (None, Edits::default())
            }
        };
        self.recorded = Some(Recorded {
            recording: Arc::new(recording),
            again,
            edits,
            before: Vec::new(),
            file,
            on_screen: Vec::new(),
            typing: None,
            export: None,
        });
        self.start(Source::Recording { folder, again });
    }

    /// What the timeline begins with when a source was opened.
    pub(super) fn first_history(&self) -> History {
        match self.as_recorded() {
            Some(recorded) => recorded.history(),
            None if self.is_video() => History::clip(self.duration()),
            None => History::live(),
        }
    }

    /// The faces of a scene as they are to be shown.
    pub(super) fn as_edited(&mut self, faces: Vec<Face>) -> Vec<Face> {
        match self.recorded.as_mut().filter(|recorded| !recorded.again) {
            Some(recorded) => {
                let shown = recorded.edits.shown(&faces);
                recorded.on_screen = faces;
                shown
            }
            None => faces,
        }
    }

    pub(super) fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Rename(face, name) => self.edit(|edits, _| edits.rename(face, &name)),
            Wish::Hide(face, hidden) => self.edit(|edits, _| edits.set_hidden(face, hidden)),
            Wish::Merge(face, other) => self.edit(|edits, _| edits.merge(face, other)),
            Wish::AddMark => {
                let time = self.playback.seeking.unwrap_or(self.playback.position);
                self.edit_marks(|marks| marks.push(Mark { time, text: String::new() }));
            }
            Wish::SetMark(place, text) => self.edit_marks(|marks| {
                if let Some(mark) = marks.get_mut(place) {
                    mark.text = text;
                }
            }),
            Wish::RemoveMark(place) => self.edit_marks(|marks| {
                if place < marks.len() {
                    marks.remove(place);
                }
            }),
            Wish::GoToMark { forward } => self.go_to_mark(forward),
            Wish::SetAgain(again) => self.set_again(again),
            Wish::Undo => {
                let last = self.recorded.as_mut().and_then(|recorded| recorded.before.pop());
                if let Some(edits) = last {
                    self.show_edits(edits);
                }
            }
            Wish::Reset => self.edit(|edits, _| *edits = Edits::default()),
            Wish::Export => self.export(),
            Wish::StopExport => {
                if let Some(recorded) = &mut self.recorded {
                    recorded.export = None;
                }
            }
        }
    }

    /// Changes the edits, remembers those before, and saves and shows the new ones.
    fn edit(&mut self, change: impl FnOnce(&mut Edits, &Recording)) {
        let Some(recorded) = &mut self.recorded else { return };
        let mut edits = recorded.edits.clone();
        change(&mut edits, &recorded.recording);
        if edits == recorded.edits {
            return;
        }
        recorded.before.push(recorded.edits.clone());
        if recorded.before.len() > MOST_UNDO {
            recorded.before.remove(0);
        }
        self.show_edits(edits);
    }

    fn edit_marks(&mut self, change: impl FnOnce(&mut Vec<Mark>)) {
        self.edit(|edits, recording| {
            let mut marks = edits.marks(&recording.marks);
            change(&mut marks);
            edits.set_marks(marks, &recording.marks);
        });
    }

    fn show_edits(&mut self, edits: Edits) {
        let Some(recorded) = &mut self.recorded else { return };
        recorded.edits = edits;
        if let Some(file) = &recorded.file
            && let Err(error) = file.save(&recorded.edits)
        {
            let folder = recorded.recording.folder().display();
            self.toasts.error(format!(
                "Names, merges and marks can't be saved to {folder} ({error}); they last until this window is closed"
            ));
        }
        if recorded.again {
            return;
        }
        let on_screen = recorded.edits.shown(&recorded.on_screen);
        self.chosen = self.chosen.map(|face| recorded.edits.person(face));
        let now = self.history.now();
        self.history = recorded.history();
        self.history.advance(now);
        self.bars.retain(|id| on_screen.iter().any(|face| face.id == id));
        if let Some(shown) = &mut self.shown {
            shown.faces = on_screen;
        }
    }

    /// Shows the other results from the same moment on.
    fn set_again(&mut self, again: bool) {
        let Some(recorded) = &self.recorded else { return };
        let folder = recorded.recording.folder().to_owned();
        let moment = self.playback.seeking.unwrap_or(self.playback.position);
        self.open(Source::Recording { folder, again });
        self.seek(moment);
    }

    fn go_to_mark(&mut self, forward: bool) {
        let now = self.playback.seeking.unwrap_or(self.playback.position);
        let times = self.marks().into_iter().map(|mark| mark.time);
        let target = if forward {
            times.filter(|time| *time > now).min()
        } else {
            let before = if self.playback.paused { now } else { now.saturating_sub(AT_MARK) };
            times.filter(|time| *time < before).max()
        };
        if let Some(target) = target {
            self.seek(target);
        }
    }

    fn export(&mut self) {
        let Some(recorded) = self.recorded.as_mut().filter(|recorded| recorded.export.is_none()) else { return };
        let recording = Arc::clone(&recorded.recording);
        let folder = recording.folder().join(EXPORTS);
        match RunningExport::start(Export { recording, edits: recorded.edits.clone(), folder }, self.wake.clone()) {
            Ok(running) => recorded.export = Some(running),
            Err(error) => self.toasts.error(format!("This machine can't start another thread: {error}")),
        }
    }

    /// Looks whether an export has ended, and says so.
    pub(super) fn take_export(&mut self) {
        let Some(recorded) = &mut self.recorded else { return };
        let Some(result) = recorded.export.as_ref().and_then(|export| export.result.try_recv().ok()) else { return };
        recorded.export = None;
        let folder = recorded.recording.folder().display();
        let text = match result {
            Ok(Exported { video, table, marks }) => {
                let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let names = [&video, &table, &marks].map(name).join(", ");
                let text = format!("Exported to {}: {names}", video.parent().unwrap_or(&video).display());
                return self.toasts.news(text);
            }
            Err(ExportProblem::Write(problem)) => {
                format!("{problem}. To export to another folder: mien replay {folder} --headless --output FOLDER")
            }
            Err(problem) => problem.to_string(),
        };
        self.toasts.error(text);
    }
}
