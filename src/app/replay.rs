//! A recording in the window: shown as it was recorded, edited.

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

/// Folder in that of the recording into which the window exports.
const EXPORTS: &str = "exports";

/// While playing, “previous” skips a mark this close behind, so pressing it twice goes back two marks.
const AT_MARK: Duration = Duration::from_millis(700);

/// Edits that can be taken back, at most.
const MOST_UNDO: usize = 100;

/// For faces that can't be named: those of a camera, a video, or a recording that is analysed again.
static UNEDITED: Edits = Edits::new();

/// What the user asks for about a recording.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReplayAsk {
    Rename(FaceId, String),
    Hide(FaceId, bool),
    /// All faces of the first are the second's.
    Merge(FaceId, FaceId),
    /// At the present moment.
    AddMark,
    /// This mark gets another text.
    SetMark(Mark, String),
    RemoveMark(Mark),
    /// To the next mark, or the one before.
    GoToMark {
        forward: bool,
    },
    Undo,
    Reset,
}

/// The recording that is open, with what was changed about it.
pub(super) struct Replay {
    pub(super) recording: Arc<Recording>,
    pub(super) results: Results,
    pub(super) edits: Edits,
    /// What follows from the edits, worked out when they change and not for each picture.
    people: Vec<FaceId>,
    marks: Vec<Mark>,
    /// The edits before each change, the last one last.
    before: Vec<Edits>,
    /// Where edits are kept, if they can be.
    file: Option<EditsFile>,
    /// The faces of the frame on the screen as they were recorded.
    on_screen: Vec<Face>,
}

/// What to call the faces of a recording, or of whatever else is shown.
pub(super) fn names(replay: Option<&Replay>) -> &Edits {
    results(replay).map_or(&UNEDITED, |replay| &replay.edits)
}

/// The recording, if what was recorded is shown, and not what is found in it again.
pub(super) fn results(replay: Option<&Replay>) -> Option<&Replay> {
    replay.filter(|replay| replay.results == Results::Recorded)
}

/// The people of a recording: each recorded face that isn't merged into another.
fn people_of(recording: &Recording, edits: &Edits) -> Vec<FaceId> {
    recording.faces.faces().keys().copied().filter(|face| edits.person(*face) == *face).collect()
}

/// Why edits aren't saved, and until when.
fn not_saved(problem: &str) -> String {
    format!("{problem}; until then your changes are not saved")
}

impl Replay {
    /// A recording as it was read, with what was changed about it before.
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

    /// Reads the edits if they couldn't be read before: they may have been moved away or mended since. What was changed
    /// meanwhile is saved then, unless that would replace edits that were mended.
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
            self.before.push(changed);
            toasts.news(format!("{EDITS} can be read again and is used now; Undo brings back what you had changed"));
        }
    }

    /// Shows these from now on.
    pub(super) fn show(&mut self, results: Results) {
        self.results = results;
        self.on_screen.clear();
    }

    /// Those recorded, unless they were changed.
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

    /// Everything that each person showed, hidden ones left out.
    pub(super) fn history(&self) -> History {
        let mut history = History::recorded(self.recording.frames.duration());
        for row in self.recording.faces.rows().filter(|row| !self.edits.is_hidden(row.id())) {
            history.advance(row.time());
            history.record(self.edits.person(row.id()), row.smoothed());
        }
        history
    }

    /// The faces of a scene as they are to be shown.
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

    /// Changes names, merges, hidden faces or marks.
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
        self.before.push(self.edits.clone());
        if self.before.len() > MOST_UNDO {
            self.before.remove(0);
        }
        self.show_edits(edits, people, toasts);
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
        // Of a name or a mark the curves know nothing, and those of hours take a moment.
        if !self.shows_as(&before) {
            people.set_history(self.history(), |face| self.edits.person(face));
        }
        people.replace(self.edits.shown(&self.on_screen));
    }

    /// Lets other edits hold, and gives those before.
    fn set_edits(&mut self, edits: Edits) -> Edits {
        self.people = people_of(&self.recording, &edits);
        self.marks = edits.marks(&self.recording.marks);
        std::mem::replace(&mut self.edits, edits)
    }

    /// Whether each face is shown with these edits too, and as the same person.
    fn shows_as(&self, other: &Edits) -> bool {
        let shown = |edits: &Edits, face: FaceId| (edits.person(face), edits.is_hidden(face));
        self.recording.faces.faces().keys().all(|face| shown(&self.edits, *face) == shown(other, *face))
    }

    fn save(&mut self, toasts: &mut Toasts) {
        let Some(file) = &mut self.file else { return };
        match file.save(&self.edits) {
            Ok(None) => {}
            Ok(Some(theirs)) => {
                // What could be undone here would take away what was changed there.
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

    /// Starts an export of what is shown now.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn export(&self, blur: Option<Blur>, wake: Wake) -> std::io::Result<RunningExport> {
        let recording = Arc::clone(&self.recording);
        let folder = recording.folder().join(EXPORTS);
        RunningExport::start(Export { recording, edits: self.edits.clone(), blur, folder }, wake)
    }
}
