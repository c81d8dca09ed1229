//! The people in the picture: their faces, bars and curves, and whose curves the timeline shows.

use std::time::Duration;

use super::bars::Bars;
use super::history::History;
use crate::classes::Classes;
use crate::face::{Face, FaceId};

/// The timeline keeps showing a face that is away for less than this: people turn around and come back.
const AWAY: Duration = Duration::from_secs(5);

/// How long no face must be found before the picture says so: the detector may miss a face briefly.
const NOBODY_AFTER: Duration = Duration::from_millis(700);

/// Who is in the picture, and who was.
pub(super) struct People {
    /// The classes of their probabilities.
    classes: Classes,
    faces: Vec<Face>,
    pub(super) history: History,
    pub(super) bars: Bars,
    /// The face whose curves the user chose.
    chosen: Option<FaceId>,
    /// The face whose curves are shown if the user chose none, and when it was last seen.
    followed: Option<(FaceId, Duration)>,
    /// Media time at which any face was last seen.
    face_seen: Option<Duration>,
}

impl People {
    pub(super) fn new(history: History) -> Self {
        let classes = Classes::emotions();
        Self {
            classes,
            faces: Vec::new(),
            history,
            bars: Bars::default(),
            chosen: None,
            followed: None,
            face_seen: None,
        }
    }

    /// The faces on the screen.
    pub(super) fn faces(&self) -> &[Face] {
        &self.faces
    }

    pub(super) fn is_on_screen(&self, face: FaceId) -> bool {
        self.faces.iter().any(|other| other.id == face)
    }

    /// The classes of the network, or of the recording that is shown.
    pub(super) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Sets the classes of the next scenes. Ignored while any faces or curves are shown.
    pub(super) fn expect(&mut self, classes: &Classes) {
        if self.faces.is_empty() && self.history.faces().next().is_none() {
            self.classes = classes.clone();
        }
    }

    /// Replaces the curves and their classes.
    pub(super) fn begin(&mut self, history: History, classes: &Classes) {
        (self.history, self.classes) = (history, classes.clone());
    }

    /// Shows the faces of a scene, and adds them to the curves if `record` is set. If the classes have changed, the curves start again.
    pub(super) fn show(&mut self, faces: Vec<Face>, classes: &Classes, now: Duration, record: bool) {
        if self.classes != *classes {
            self.classes = classes.clone();
            self.history.clear();
        }
        self.history.advance(now);
        for face in faces.iter().filter(|_| record) {
            self.history.record(face.id, face.smoothed);
        }
        if !faces.is_empty() {
            self.face_seen = Some(now);
        }
        self.replace(faces);
    }

    /// Shows other faces on the same picture.
    pub(super) fn replace(&mut self, faces: Vec<Face>) {
        self.faces = faces;
        self.bars.retain(|id| self.faces.iter().any(|face| face.id == id));
        self.follow();
    }

    /// Replaces the curves after a merge or hide; `person` maps old ids to new ones.
    pub(super) fn set_history(&mut self, mut history: History, person: impl Fn(FaceId) -> FaceId) {
        history.advance(self.history.now());
        self.history = history;
        self.chosen = self.chosen.map(&person);
        self.followed = self.followed.map(|(face, seen)| (person(face), seen));
    }

    /// Chooses the face whose curves are shown; `None` follows whoever is in the picture.
    pub(super) fn choose(&mut self, face: Option<FaceId>) {
        self.chosen = face;
        self.follow();
    }

    pub(super) fn chosen(&self) -> Option<FaceId> {
        self.chosen.filter(|face| self.has_curve(*face))
    }

    /// The face whose curves the timeline shows: the chosen one while it has any, else the followed one, also while it is
    /// away for a moment, else the newest face with curves.
    pub(super) fn of_timeline(&self) -> Option<FaceId> {
        let followed = self.followed.map(|(face, _)| face).filter(|face| self.has_curve(*face));
        self.chosen().or(followed).or_else(|| self.history.faces().last())
    }

    /// Whether no face has been found for longer than a brief miss of the detector.
    pub(super) fn nobody_at(&self, now: Duration) -> bool {
        self.faces.is_empty() && now.abs_diff(self.face_seen.unwrap_or_default()) >= NOBODY_AFTER
    }

    /// Removes faces and bars; the curves stay.
    pub(super) fn clear_screen(&mut self) {
        self.faces.clear();
        self.bars.retain(|_| false);
        self.face_seen = None;
    }

    /// Moves the bars towards what the faces show. Returns whether they have arrived.
    pub(super) fn glide(&mut self, elapsed_secs: f32) -> bool {
        let mut settled = true;
        for face in &self.faces {
            settled &= self.bars.approach(face.id, &face.smoothed, elapsed_secs);
        }
        settled
    }

    fn has_curve(&self, face: FaceId) -> bool {
        self.history.len(face) > 0 || self.is_on_screen(face)
    }

    fn follow(&mut self) {
        let now = self.history.now();
        let stays = |(face, seen): (FaceId, Duration)| {
            let away = !self.is_on_screen(face);
            let long = now.abs_diff(seen) >= AWAY && !self.faces.is_empty();
            let seen = if away { seen } else { now };
            (self.has_curve(face) && !(away && long)).then_some((face, seen))
        };
        self.followed = self.followed.and_then(stays).or_else(|| self.faces.first().map(|face| (face.id, now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::COUNT;
    use crate::face::FaceRect;
    use crate::probabilities::Probabilities;

    fn faces(ids: &[u32]) -> Vec<Face> {
        let rect = FaceRect { x: 0.0, y: 0.0, width: 99.0, height: 99.0 };
        let (raw, smoothed) = (Probabilities::uniform(COUNT), Probabilities::uniform(COUNT));
        ids.iter()
            .map(|id| Face { id: FaceId(*id), rect, score: 5.0, raw, smoothed, landmarks: None, quality: None })
            .collect()
    }

    fn shown_over(seconds: &[(u64, &[u32])]) -> (People, Vec<Option<u32>>) {
        let mut people = People::new(History::live());
        let followed = seconds.iter().map(|(second, ids)| {
            people.show(faces(ids), &Classes::emotions(), Duration::from_secs(*second), true);
            people.of_timeline().map(|face| face.0)
        });
        let followed = followed.collect();
        (people, followed)
    }

    #[test]
    fn a_face_that_is_away_for_a_moment_keeps_its_place_in_the_timeline() {
        let (_, followed) = shown_over(&[(0, &[1]), (1, &[1, 2]), (2, &[2]), (5, &[2]), (6, &[1, 2])]);
        assert_eq!(followed, [Some(1); 5]);
        let (_, followed) = shown_over(&[(0, &[1]), (1, &[2]), (7, &[2])]);
        assert_eq!(followed, [Some(1), Some(1), Some(2)]);
    }

    #[test]
    fn the_curve_of_a_face_that_left_can_be_chosen_as_long_as_there_is_any() {
        let (mut people, _) = shown_over(&[(0, &[1]), (10, &[2]), (20, &[2])]);
        people.choose(Some(FaceId(1)));
        assert_eq!(people.of_timeline(), Some(FaceId(1)));
        people.show(faces(&[2]), &Classes::emotions(), Duration::from_secs(90), true);
        assert_eq!(people.of_timeline(), Some(FaceId(2)), "the curve is older than the timeline");
        people.choose(None);
        assert_eq!(people.of_timeline(), Some(FaceId(2)));
    }

    #[test]
    fn while_nobody_is_there_the_last_curve_stays() {
        let (_, followed) = shown_over(&[(0, &[1]), (1, &[]), (30, &[])]);
        assert_eq!(followed, [Some(1); 3]);
    }

    #[test]
    fn curves_of_other_classes_begin_anew() {
        let (mut people, _) = shown_over(&[(0, &[1]), (1, &[1])]);
        let own = Classes::new(["tired", "awake"].map(str::to_owned).into()).unwrap();
        people.expect(&own);
        assert!(people.classes().are_emotions(), "what is on the screen is of the emotions");
        let probabilities = Probabilities::uniform(2);
        let face = Face { raw: probabilities, smoothed: probabilities, ..faces(&[1])[0] };
        people.show(vec![face], &own, Duration::from_secs(2), true);
        assert_eq!((people.classes(), people.history.len(FaceId(1))), (&own, 1));
        assert_eq!(people.history.at(FaceId(1), Duration::from_secs(2)), Some(probabilities));
    }
}
