//! A recording that is open in the window, and its edits.

use std::sync::Arc;
use std::time::Duration;

use super::export::RunningExport;
use super::history::History;
use super::people::People;
use super::player::Player;
use super::session::{Results, Wake};
use super::toasts::Toasts;
use crate::blur::Blur;
use crate::face::{Face, FaceId};
use crate::recording::{EDITS, Edits, EditsFile, Export, Mark, Recording};

/// Folder for exports, in the recording's folder.
const EXPORTS: &str = "exports";

/// While playing, “previous” skips a mark this close behind, so pressing it twice goes back two marks.
const AT_MARK: Duration = Duration::from_millis(700);

/// Maximum number of edits that can be undone.
const MOST_UNDO: usize = 100;

/// No edits, for faces that can't be named: those of a camera, a video, or a recording that is analysed again.
static UNEDITED: Edits = Edits::new();

/// A request about the open recording.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReplayAsk {
    Rename(FaceId, String),
    Hide(FaceId, bool),
    /// Make the faces of the first person the second's.
    Merge(FaceId, FaceId),
    /// Add a mark at the current moment.
    AddMark,
    /// Change the text of this mark.
    SetMark(Mark, String),
    RemoveMark(Mark),
    /// Go to the next mark, or to the previous one.
    GoToMark {
        forward: bool,
    },
    Undo,
    Reset,
}

/// The open recording and its edits.
pub(super) struct Replay {
    pub(super) recording: Arc<Recording>,
    pub(super) results: Results,
    pub(super) edits: Edits,
    /// Derived from the edits when they change, not for each repaint.
    people: Vec<FaceId>,
    marks: Vec<Mark>,
    /// The edits before each change, oldest first.
    before: Vec<Edits>,
    /// Where edits are saved; `None` if that file can't be read.
    file: Option<EditsFile>,
    /// The faces of the frame on the screen, as recorded.
    on_screen: Vec<Face>,
}

/// The edits that name the faces of a recording, or none for anything else that is shown.
pub(super) fn names(replay: Option<&Replay>) -> &Edits {
    results(replay).map_or(&UNEDITED, |replay| &replay.edits)
}

/// The recording, if its recorded results are shown, not new ones.
pub(super) fn results(replay: Option<&Replay>) -> Option<&Replay> {
    replay.filter(|replay| replay.results == Results::Recorded)
}

/// The people of a recording: each recorded face that isn't merged into another.
fn people_of(recording: &Recording, edits: &Edits) -> Vec<FaceId> {
    recording.faces.faces().keys().copied().filter(|face| edits.person(*face) == *face).collect()
}

/// Why edits aren't saved, and for how long.
fn not_saved(problem: &str) -> String {
    format!("{problem}; until then your changes are not saved")
}

impl Replay {
    /// Takes a recording that was just read, and opens its edits.
    pub(super) fn new(recording: Recording, results: Results, toasts: &mut Toasts) -> Self {
        for notice in &recording.notices {
            toasts.error(notice.clone());
        }
        let (file, edits) = match recording.edits() {
            Ok((file, edits)) => (Some(file), edits),
            Err(problem) => {
                toasts.error(not_saved(&problem));
                (None, Edits::default())
            }
        };
        let (people, marks) = (people_of(&recording, &edits), edits.marks(&recording.marks));
        let recording = Arc::new(recording);
        Self { recording, results, edits, people, marks, before: Vec::new(), file, on_screen: Vec::new() }
    }

    /// Reads the edits if they couldn't be read before: the file may have been moved away or repaired since. Changes made
    /// meanwhile are then saved, unless they would replace repaired edits.
    pub(super) fn look_for_edits(&mut self, toasts: &mut Toasts) {
        if self.file.is_some() {
            return;
        }
        let (file, read) = match self.recording.edits() {
            Ok(found) => found,
            Err(problem) => return toasts.error(not_saved(&problem)),
        };
        self.file = Some(file);
        if read.is_empty() {
            return self.save(toasts);
        }
        let changed = self.set_edits(read);
        if !changed.is_empty() {
            self.remember(changed);
            toasts.news(format!("{EDITS} can be read again and is used now; Undo brings back what you had changed"));
        }
    }

    /// Switches to these results.
    pub(super) fn show(&mut self, results: Results) {
        self.results = results;
        self.on_screen.clear();
    }

    /// The recorded marks, unless they were edited.
    pub(super) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The people of the recording, in order of their numbers.
    pub(super) fn people(&self) -> &[FaceId] {
        &self.people
    }

    pub(super) fn can_undo(&self) -> bool {
        !self.before.is_empty()
    }

    /// The curves of all people who aren't hidden.
    pub(super) fn history(&self) -> History {
        let frames = &self.recording.frames;
        let mut history = History::recorded(frames.duration()).with_interval(frames.interval());
        for row in self.recording.faces.rows().filter(|row| !self.edits.is_hidden(row.id())) {
            history.advance(row.time());
            history.record(self.edits.person(row.id()), row.smoothed());
        }
        history
    }

    /// Applies the edits to the faces of a scene.
    pub(super) fn as_edited(&mut self, faces: Vec<Face>) -> Vec<Face> {
        if self.results == Results::Anew {
            return faces;
        }
        let shown = self.edits.shown(&faces);
        self.on_screen = faces;
        shown
    }

    /// Whether the network saw this frame when it was recorded; `None` if the recording doesn't say.
    pub(super) fn was_analysed(&self, frame: u64) -> Option<bool> {
        let analysed = self.recording.analysed.as_ref().filter(|_| self.results == Results::Recorded);
        analysed.map(|analysed| analysed.contains(frame))
    }

    /// Changes names, merges, hidden faces or marks, or goes to a mark.
    pub(super) fn change(&mut self, ask: ReplayAsk, player: &mut Player, people: &mut People, toasts: &mut Toasts) {
        let mut edits = self.edits.clone();
        match ask {
            ReplayAsk::Rename(face, name) => edits.rename(face, &name),
            ReplayAsk::Hide(face, hidden) => edits.set_hidden(face, hidden),
            ReplayAsk::Merge(face, other) => edits.merge(face, other),
            ReplayAsk::AddMark if !player.is_open() => {
                return toasts.news("Start the recording again to mark a moment of it");
            }
            ReplayAsk::AddMark => {
                let mark = Mark { time: player.moment(), text: String::new() };
                self.edit_marks(&mut edits, |marks| marks.push(mark));
            }
            ReplayAsk::SetMark(old, text) => self.edit_marks(&mut edits, |marks| {
                if let Some(mark) = marks.iter_mut().find(|mark| **mark == old) {
                    mark.text = text;
                }
            }),
            ReplayAsk::RemoveMark(old) => self.edit_marks(&mut edits, |marks| {
                if let Some(place) = marks.iter().position(|mark| *mark == old) {
                    marks.remove(place);
                }
            }),
            ReplayAsk::Undo => {
                if let Some(last) = self.before.pop() {
                    self.show_edits(last, people, toasts);
                }
                return;
            }
            ReplayAsk::Reset => edits = Edits::default(),
            ReplayAsk::GoToMark { forward } => return self.go_to_mark(forward, player),
        }
        if edits == self.edits {
            return;
        }
        self.remember(self.edits.clone());
        self.show_edits(edits, people, toasts);
    }

    /// Keeps edits for undo.
    fn remember(&mut self, edits: Edits) {
        self.before.push(edits);
        if self.before.len() > MOST_UNDO {
            self.before.remove(0);
        }
    }

    fn edit_marks(&self, edits: &mut Edits, change: impl FnOnce(&mut Vec<Mark>)) {
        let mut marks = edits.marks(&self.recording.marks);
        change(&mut marks);
        edits.set_marks(marks, &self.recording.marks);
    }

    fn show_edits(&mut self, edits: Edits, people: &mut People, toasts: &mut Toasts) {
        let before = self.set_edits(edits);
        self.save(toasts);
        if self.results == Results::Anew {
            return;
        }
        // Names and marks don't affect the curves, and rebuilding those of hours takes a moment.
        if !self.shows_as(&before) {
            people.set_history(self.history(), |face| self.edits.person(face));
        }
        people.replace(self.edits.shown(&self.on_screen));
    }

    /// Replaces the edits, and returns the previous ones.
    fn set_edits(&mut self, edits: Edits) -> Edits {
        self.people = people_of(&self.recording, &edits);
        self.marks = edits.marks(&self.recording.marks);
        std::mem::replace(&mut self.edits, edits)
    }

    /// Whether both edits show the same faces, as the same people.
    fn shows_as(&self, other: &Edits) -> bool {
        let shown = |edits: &Edits, face: FaceId| (edits.person(face), edits.is_hidden(face));
        self.recording.faces.faces().keys().all(|face| shown(&self.edits, *face) == shown(other, *face))
    }

    fn save(&mut self, toasts: &mut Toasts) {
        let Some(file) = &mut self.file else { return };
        match file.save(&self.edits) {
            Ok(None) => {}
            Ok(Some(theirs)) => {
                // Undoing here would revert the changes made there.
                self.before.clear();
                self.set_edits(theirs);
                toasts.error(format!(
                    "Another window has changed {EDITS}: what it saved is shown now, and your last change isn't saved; make it again"
                ));
            }
            Err(error) => {
                let folder = self.recording.folder().display();
                toasts.error(format!(
                    "Names, merges and marks can't be saved to {folder} ({error}); they last until this window is closed"
                ));
            }
        }
    }

    fn go_to_mark(&self, forward: bool, player: &mut Player) {
        let now = player.moment();
        let times = self.marks.iter().map(|mark| mark.time);
        let target = if forward {
            // A jump to a mark ends at the last frame that isn't after it. By that frame's time, the same mark would be the next one.
            let place = |time| self.recording.frames.place_at(time);
            times.filter(|time| place(*time) > place(now)).min()
        } else {
            let before = if player.paused { now } else { now.saturating_sub(AT_MARK) };
            times.filter(|time| *time < before).max()
        };
        if let Some(target) = target {
            player.seek(target);
        }
    }

    /// Starts an export with the current edits.
    ///
    /// # Errors
    /// When the system can't start another thread.
    pub(super) fn export(&self, blur: Option<Blur>, wake: Wake) -> std::io::Result<RunningExport> {
        let recording = Arc::clone(&self.recording);
        let folder = recording.folder().join(EXPORTS);
        RunningExport::start(Export { recording, edits: self.edits.clone(), blur, folder }, wake)
    }
}
