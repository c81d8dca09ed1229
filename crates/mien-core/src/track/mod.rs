//! Tracks faces: gives stable ids to the boxes that a detector finds frame by frame. Pure arithmetic.
//!
//! Each track predicts where its face will be by moving on at its speed. Boxes are paired with predictions so that the
//! sum of the costs (distance and lack of overlap) is minimal. This and the prediction let two people who cross
//! keep their ids as well as boxes allow. A face is shown only after it was found several times, so that a flickering
//! false box never shows, and its track survives a few frames without a box. Boxes that the detector isn't certain of,
//! or that jump about, aren't shown either. At a cut all tracks end. A face that returns within some seconds gets its id
//! back if it looks similar; at another place, it must look more similar. When a user plays a video, a seek counts as a
//! cut too, and a face at the time and place at which it was shown before gets its id again.

mod appearance;
mod assignment;
mod cut;
mod gone;
mod motion;
mod options;
mod places;

use std::time::Duration;

use crate::detection::{Detection, is_second_box};
use crate::face::FaceId;
use crate::face::FaceRect;
use crate::landmarks::Landmarks;
pub use appearance::Appearance;
pub use cut::CutDetector;
use gone::Gone;
use motion::Motion;
pub use options::{TrackOptions, spacing_steps};
use places::Places;

/// A confirmed face on the current frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// The face's id, counted from 1 in the order of confirmation. Two people never get the same id between two resets.
    pub id: FaceId,
    /// The detector's box, steadied; while the face isn't found, the box where it is expected.
    pub rect: FaceRect,
    /// The detector's score when it last found the face.
    pub score: f32,
    /// Eyes, nose and mouth, if the detector found them on this frame.
    pub landmarks: Option<Landmarks>,
    /// Number of frames since the face was last found; 0 if it was found on this one.
    pub missed: u32,
}

/// Largest distance between a prediction and a box, in box sizes, at which they can be the same face. Faces side by side
/// are at least one size apart; a face that was found a frame ago moves far less.
const REACH: f32 = 0.6;

/// Growth of [`REACH`] per second without a box, as the prediction gets worse.
const REACH_GROWTH: f32 = 1.5;

/// Upper limit of the growing [`REACH`].
const MAX_REACH: f32 = 1.2;

/// Boxes of one face differ in size by at most this factor from one frame to the next.
const MAX_SIZE_RATIO: f32 = 1.8;

/// A face that isn't confirmed yet survives at most this many frames without a box.
const MAX_MISSED_UNCONFIRMED: u32 = 1;

/// Weight of the latest box in the running mean of how far boxes lie from where they were expected.
const JUMP_WEIGHT: f32 = 0.3;

/// Value of the running mean (see `JUMP_WEIGHT`), in box sizes plus the logarithm of the size ratio, above which a track
/// isn't a face. On the demo clip it never rose above 0.05.
const MAX_JUMPS: f32 = 0.2;

/// Time between two measurements of a face's appearance.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Gives ids to faces. See the [module](self).
#[derive(Debug)]
pub struct Tracker {
    options: TrackOptions,
    candidates: Vec<Candidate>,
    gone: Gone,
    /// Where faces were in the video; only if a user plays it.
    places: Option<Places>,
    /// Whether the next frame is from elsewhere in the video.
    has_jumped: bool,
    shown: Vec<Track>,
    named: u32,
    now: Duration,
}

/// A tracked face, confirmed or not.
#[derive(Debug)]
struct Candidate {
    /// Given on confirmation.
    id: Option<FaceId>,
    motion: Motion,
    score: f32,
    landmarks: Option<Landmarks>,
    hits: u32,
    missed: u32,
    first_hit: Duration,
    last_hit: Duration,
    /// When the detector was last certain of it.
    last_certain: Option<Duration>,
    /// Running mean of how far its boxes jump.
    jumps: f32,
    /// What it looked like, and when.
    seen: Option<(Appearance, Duration)>,
}

impl Candidate {
    fn new(detection: &Detection, now: Duration) -> Self {
        let motion = Motion::new(detection.rect);
        Self {
            id: None,
            motion,
            score: detection.score,
            landmarks: detection.landmarks,
            hits: 1,
            missed: 0,
            first_hit: now,
            last_hit: now,
            last_certain: detection.is_certain.then_some(now),
            jumps: 0.0,
            seen: None,
        }
    }

    /// The cost of pairing `detection` with this face, or `None` if it can't be this face.
    fn cost(&self, detection: &Detection, now: Duration) -> Option<f32> {
        let elapsed = now.saturating_sub(self.last_hit).as_secs_f32();
        let expected = self.motion.predict(elapsed);
        let (distance, ratio) = apart(&expected, &detection.rect);
        let reach = (REACH + REACH_GROWTH * elapsed).min(MAX_REACH);
        let possible = distance <= reach && (1.0 / MAX_SIZE_RATIO..=MAX_SIZE_RATIO).contains(&ratio);
        possible.then(|| distance + 1.0 - expected.iou(&detection.rect))
    }

    fn hit(&mut self, detection: &Detection, now: Duration) {
        let elapsed = now.saturating_sub(self.last_hit).as_secs_f32();
        let (distance, ratio) = apart(&self.motion.predict(elapsed), &detection.rect);
        // Movement that a head can make in that time isn't a jump.
        let jump = (distance + ratio.ln().abs() - REACH_GROWTH * elapsed).max(0.0);
        self.jumps += (jump - self.jumps) * JUMP_WEIGHT;
        self.motion.update(detection.rect, elapsed);
        self.score = detection.score;
        self.landmarks = detection.landmarks;
        self.hits += 1;
        self.missed = 0;
        self.last_hit = now;
        if detection.is_certain {
            self.last_certain = Some(now);
        }
    }

    /// Whether the track counts as a face: the detector is certain of it, and its boxes don't jump about.
    fn is_believed(&self, options: &TrackOptions, now: Duration) -> bool {
        let is_certain = options
            .doubt_for
            .is_none_or(|limit| self.last_certain.is_some_and(|last| now.saturating_sub(last) <= limit));
        is_certain && self.jumps <= MAX_JUMPS
    }

    fn is_shown(&self, options: &TrackOptions, now: Duration) -> bool {
        self.missed <= options.show_missed_frames || now.saturating_sub(self.last_hit) <= options.show_missed_for
    }

    fn is_alive(&self, options: &TrackOptions, now: Duration) -> bool {
        match self.id {
            Some(_) if !self.is_believed(options, now) => false,
            Some(_) => self.is_shown(options, now) || now.saturating_sub(self.last_hit) <= options.forget_after,
            None => self.missed <= MAX_MISSED_UNCONFIRMED,
        }
    }
}

impl Tracker {
    /// Creates a tracker without any faces.
    pub fn new(options: TrackOptions) -> Self {
        Self {
            options,
            candidates: Vec::new(),
            gone: Gone::default(),
            places: None,
            has_jumped: false,
            shown: Vec::new(),
            named: 0,
            now: Duration::ZERO,
        }
    }

    /// The options in use.
    pub fn options(&self) -> &TrackOptions {
        &self.options
    }

    /// Uses other options from now on; the faces stay.
    pub fn set_options(&mut self, options: TrackOptions) {
        self.options = options;
    }

    /// From now on, notes where the faces are at which time, so that they can be recognised by it after a jump. Only useful for a
    /// video that a user plays: a camera never returns to a time, nor does a video that is read once from beginning to end.
    pub fn note_places(&mut self) {
        self.places = Some(Places::default());
    }

    /// Forgets all faces and counts from 1 again, like a new tracker.
    pub fn reset(&mut self) {
        *self = Self::new(self.options);
    }

    /// Where to look for faces at `media_time`, including those that aren't confirmed yet.
    pub fn expected(&self, media_time: Duration) -> Vec<FaceRect> {
        self.candidates
            .iter()
            .map(|candidate| candidate.motion.predict(media_time.saturating_sub(candidate.last_hit).as_secs_f32()))
            .collect()
    }

    /// Ends all tracks at a cut, after which positions mean nothing. Faces from before it get their ids back like faces
    /// that were away.
    pub fn cut(&mut self) {
        self.gone.extend(self.candidates.drain(..));
    }

    /// Ends all tracks because the next frame is from elsewhere in the video, earlier or later. Faces get their ids back if they
    /// were noted at that time and place, or look like somebody from just before the jump; others get new ids.
    pub fn jump(&mut self) {
        self.cut();
        self.has_jumped = true;
    }

    /// Takes the boxes found on the frame of `media_time` and returns the confirmed faces in the order of their ids. `look`
    /// returns the appearance of the face in a box, if it can be seen; a face without one can't get its id back by its looks.
    ///
    /// If time goes backwards without a [`Self::jump`], all faces are new. After a gap of more than `max_gap`, faces are new unless they
    /// look like one that was found within `remember_for`. Their ids continue the count in both cases.
    pub fn update(
        &mut self,
        detections: &[Detection],
        media_time: Duration,
        mut look: impl FnMut(FaceRect) -> Option<Appearance>,
    ) -> &[Track] {
        if std::mem::take(&mut self.has_jumped) {
            self.gone.jump(media_time);
        } else if media_time < self.now {
            self.candidates.clear();
            self.gone.clear();
        }
        let options = self.options;
        let is_old = |candidate: &mut Candidate| media_time.saturating_sub(candidate.last_hit) > options.max_gap;
        self.gone.extend(self.candidates.extract_if(.., is_old));
        self.gone.forget_before(media_time.saturating_sub(self.options.remember_for));
        self.now = media_time;

        let usable = |d: &&Detection| d.rect.area() > 0.0 && d.rect.x.is_finite() && d.rect.y.is_finite();
        let mut detections: Vec<Detection> = detections.iter().filter(usable).copied().collect();
        // From left to right, so that faces that appear together are always numbered in the same way.
        detections.sort_by(|a, b| a.rect.x.total_cmp(&b.rect.x));

        // Confirmed faces first, so that a new face can't take the box of a known one.
        let mut free = detections;
        for confirmed in [true, false] {
            free = self.pair(confirmed, free);
        }
        for candidate in self.candidates.iter_mut().filter(|c| c.last_hit != media_time) {
            candidate.missed += 1;
        }
        for detection in free {
            // A second box of a face on this frame starts no track.
            let mut on_frame = self.candidates.iter().filter(|c| c.missed == 0);
            if !on_frame.any(|c| is_second_box(&c.motion.measured(), &detection.rect)) {
                self.candidates.push(Candidate::new(&detection, media_time));
            }
        }

        let mut present: Vec<FaceId> = self.candidates.iter().filter_map(|c| c.id).collect();
        for candidate in self.candidates.iter_mut().filter(|c| c.missed == 0) {
            let is_new = candidate.id.is_none();
            if is_new
                && (candidate.hits < self.options.confirm_after || !candidate.is_believed(&self.options, media_time))
            {
                continue;
            }
            let is_due = |(_, last): &(Appearance, Duration)| media_time.saturating_sub(*last) >= LOOK_INTERVAL;
            if candidate.seen.as_ref().is_none_or(is_due)
                && let Some(seen) = look(candidate.motion.measured())
            {
                candidate.seen = Some((seen, media_time));
            }
            if is_new {
                let place = candidate.motion.measured();
                let at_place = self.places.as_ref();
                let at_place = at_place.and_then(|it| it.whose(media_time, place, |id| !present.contains(&id)));
                if at_place.is_none() && self.gone.may_know(candidate, media_time) {
                    continue;
                }
                let id = at_place.or_else(|| self.gone.take(candidate)).unwrap_or_else(|| {
                    self.named += 1;
                    FaceId(self.named)
                });
                self.gone.remove(id);
                present.push(id);
                candidate.id = Some(id);
            }
        }
        self.gone.extend(self.candidates.extract_if(.., |candidate| !candidate.is_alive(&options, media_time)));
        if let Some(places) = &mut self.places {
            let on_frame = self.candidates.iter().filter(|c| c.missed == 0);
            for (id, rect) in on_frame.filter_map(|c| Some((c.id?, c.motion.measured()))) {
                places.note(media_time, id, rect);
            }
        }
        self.show();
        &self.shown
    }

    /// Pairs boxes with the faces that are (or aren't) confirmed; returns the boxes that are left.
    fn pair(&mut self, confirmed: bool, detections: Vec<Detection>) -> Vec<Detection> {
        let now = self.now;
        let mut faces: Vec<&mut Candidate> =
            self.candidates.iter_mut().filter(|c| c.id.is_some() == confirmed).collect();
        let costs: Vec<Vec<Option<f32>>> =
            faces.iter().map(|face| detections.iter().map(|detection| face.cost(detection, now)).collect()).collect();
        let mut taken = vec![false; detections.len()];
        for (face, column) in faces.iter_mut().zip(assignment::assign(&costs)) {
            if let Some((detection, taken)) = column.and_then(|c| detections.get(c).zip(taken.get_mut(c))) {
                face.hit(detection, now);
                *taken = true;
            }
        }
        detections.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(detection, _)| detection).collect()
    }

    fn show(&mut self) {
        self.shown.clear();
        for candidate in &self.candidates {
            if let Some(id) = candidate.id.filter(|_| candidate.is_shown(&self.options, self.now)) {
                let elapsed = self.now.saturating_sub(candidate.last_hit).as_secs_f32();
                let rect = candidate.motion.steady(elapsed);
                let landmarks = candidate.landmarks.filter(|_| candidate.missed == 0);
                let Candidate { score, missed, .. } = *candidate;
                self.shown.push(Track { id, rect, score, landmarks, missed });
            }
        }
        self.shown.sort_by_key(|track| track.id);
    }
}

/// How far two boxes are apart: the distance of their centres in box sizes, and the ratio of their sizes.
fn apart(from: &FaceRect, to: &FaceRect) -> (f32, f32) {
    let size = (from.area() * to.area()).sqrt().sqrt();
    let (dx, dy) = (from.center().0 - to.center().0, from.center().1 - to.center().1);
    (dx.hypot(dy) / size, (to.area() / from.area()).sqrt())
}

#[cfg(test)]
mod tests;
