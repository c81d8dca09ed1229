//! Faces over time: stable names for the boxes that a detector finds frame by frame. Pure arithmetic on boxes.
//!
//! Each track predicts where its face will be by moving on at its speed. Boxes are paired with predictions so that the
//! sum of the costs (distance and lack of overlap) is the smallest; this and the prediction let two people who cross
//! keep their names as well as boxes allow. A track is shown only when it was found several times, so that a false box
//! that flickers never shows, and it outlives a few frames without a box. What the detector isn't certain of, or what
//! jumps about, isn't shown either. At a cut all tracks end; a face that is back within some seconds, at its place and alike,
//! gets its number back.

mod appearance;
mod assignment;
mod cut;
mod gone;
mod motion;

use std::time::Duration;

use crate::detection::Detection;
use crate::face::FaceId;
use crate::face::FaceRect;
use crate::landmarks::Landmarks;
pub use appearance::Appearance;
pub use cut::CutDetector;
use gone::Gone;
use motion::Motion;

/// How the tracker decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// How often a face must be found before it is shown.
    pub confirm_after: u32,
    /// A face that isn't found is shown on, where it is expected, for this long …
    pub show_missed_for: Duration,
    /// … and for at least this many frames, for sources with few frames a second.
    pub show_missed_frames: u32,
    /// A face that isn't found for this long (and isn't shown any more) is forgotten: coming back, it is another one.
    pub forget_after: Duration,
    /// A face whose last box is older than this when a frame comes is another one, even if no frame came in between: the
    /// camera was paused or lost.
    pub max_gap: Duration,
    /// A face that the detector wasn't certain of for this long is given up; one that it never was certain of isn't shown.
    /// `None` takes every box for a face, as single pictures must.
    pub doubt_for: Option<Duration>,
    /// A face that was given up, or was there before a cut, gets its number back for this long, if it looks alike.
    pub remember_for: Duration,
}

/// How long a face may take to be confirmed, and how long after it was last found it may be shown. A glance at the camera
/// lasts about as long: a table that waited longer would lack it, one that guessed longer would make it up.
const LONGEST_GUESS: Duration = Duration::from_millis(500);

/// Steps between two looks after which a face that wasn't found is given up, where looks are far apart: one look may fail,
/// and the stamps of a variable frame rate may be late by half a step.
const STEPS_TO_FORGET: f64 = 2.5;

/// Looks further apart than this can't tell by the place that a face is the same: within some seconds people keep their
/// seats, later somebody else may sit there.
const LONGEST_MEMORY: Duration = Duration::from_secs(10);

impl TrackOptions {
    /// For a source that is looked at every `spacing` of media time.
    ///
    /// At the rates of cameras these are the defaults. The further the looks are apart, the fewer of them confirm a face and
    /// show it on when it isn't found, so that neither takes longer than [`LONGEST_GUESS`]; beyond that a face is shown on
    /// exactly those frames that it is found on, as in pictures. It keeps its number while looks are at most 10 s apart.
    #[must_use]
    pub fn for_spacing(spacing: Duration) -> Self {
        let usual = Self::default();
        let looks = spacing_steps(LONGEST_GUESS, spacing);
        let memory = spacing.min(LONGEST_MEMORY).mul_f64(STEPS_TO_FORGET).min(LONGEST_MEMORY);
        Self {
            confirm_after: usual.confirm_after.min(looks.saturating_add(1)),
            show_missed_frames: usual.show_missed_frames.min(looks),
            show_missed_for: usual.show_missed_for,
            forget_after: usual.forget_after.max(memory),
            max_gap: usual.max_gap.max(memory),
            doubt_for: usual.doubt_for.map(|time| time.max(memory)),
            remember_for: usual.remember_for.max(memory),
        }
    }
}

/// How many whole steps of `spacing` fit into `time`.
#[must_use]
pub fn spacing_steps(time: Duration, spacing: Duration) -> u32 {
    let steps = time.as_nanos().checked_div(spacing.as_nanos());
    steps.and_then(|steps| u32::try_from(steps).ok()).unwrap_or(u32::MAX)
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self {
            // False boxes of the Haar cascade seldom stay for more than two frames; 0.1 s isn't felt as a delay.
            confirm_after: 3,
            // A blink of the detector at 30 frames a second is one to five frames.
            show_missed_for: Duration::from_millis(200),
            show_missed_frames: 2,
            forget_after: Duration::from_secs(1),
            max_gap: Duration::from_secs(2),
            // Four full scans at 30 frames a second. On the demo clip the detector was never unsure for longer than 0.6 s.
            doubt_for: Some(Duration::from_secs(2)),
            // Films come back to a face after a few seconds; later somebody else may sit there.
            remember_for: Duration::from_secs(5),
        }
    }
}

/// A confirmed face on the current frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Who. Counted from 1 in the order of confirmation; never given twice between two resets.
    pub id: FaceId,
    /// Where: the box of the detector, steadied; while the face isn't found, where it is expected.
    pub rect: FaceRect,
    /// The detector's score when it last found the face.
    pub score: f32,
    /// Eyes, nose and mouth, if the detector found them on this frame.
    pub landmarks: Option<Landmarks>,
    /// For how many frames the face hasn't been found; 0 if it was found on this one.
    pub missed: u32,
}

/// Distance between a prediction and a box, in box sizes, up to which they can be the same face. Faces side by side
/// are at least one size apart; a face that was found a frame ago moves far less.
const REACH: f32 = 0.6;

/// By how much [`REACH`] grows in each second without a box, as the prediction gets worse …
const REACH_GROWTH: f32 = 1.5;

/// … and its limit.
const MAX_REACH: f32 = 1.2;

/// Boxes of one face don't differ more than this in size from one frame to the next.
const MAX_SIZE_RATIO: f32 = 1.8;

/// A box that shares this much of the smaller of the two with a face that was found on the same frame is a second box
/// of that face and starts no track of its own.
const SECOND_BOX_OVERLAP: f32 = 0.5;

/// A face that isn't confirmed yet is given up after this many frames without a box.
const MAX_MISSED_UNCONFIRMED: u32 = 1;

/// Weight of the latest box in the running mean of how far boxes lie from where they were expected …
const JUMP_WEIGHT: f32 = 0.3;

/// … and the mean, in box sizes (and logarithms of the size's ratio), above which what is followed is no face. On the
/// demo clip it never rose above 0.05.
const MAX_JUMPS: f32 = 0.2;

/// Time between two looks at what a face looks like.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Gives names to faces. See the [module](self).
#[derive(Debug)]
pub struct Tracker {
    options: TrackOptions,
    candidates: Vec<Candidate>,
    gone: Gone,
    shown: Vec<Track>,
    named: u32,
    now: Duration,
}

/// A face that is followed, confirmed or not.
#[derive(Debug)]
struct Candidate {
    /// Given on confirmation.
    id: Option<FaceId>,
    motion: Motion,
    score: f32,
    landmarks: Option<Landmarks>,
    hits: u32,
    missed: u32,
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
            last_hit: now,
            last_certain: detection.is_certain.then_some(now),
            jumps: 0.0,
            seen: None,
        }
    }

    /// What it costs to say that `detection` is this face, or `None` if it can't be.
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
        // What a head may do in that time is no jump.
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

    /// Whether what is followed can be taken for a face: the detector is certain of it, and it doesn't jump about.
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
    /// A tracker that has seen nothing yet.
    pub fn new(options: TrackOptions) -> Self {
        Self {
            options,
            candidates: Vec::new(),
            gone: Gone::default(),
            shown: Vec::new(),
            named: 0,
            now: Duration::ZERO,
        }
    }

    /// What it was made with.
    pub fn options(&self) -> &TrackOptions {
        &self.options
    }

    /// Forgets all faces and counts from 1 again.
    pub fn reset(&mut self) {
        *self = Self::new(self.options);
    }

    /// Where faces are expected at `media_time`, those not yet confirmed included: where to look for them.
    pub fn expected(&self, media_time: Duration) -> Vec<FaceRect> {
        self.candidates
            .iter()
            .map(|candidate| candidate.motion.predict(media_time.saturating_sub(candidate.last_hit).as_secs_f32()))
            .collect()
    }

    /// Ends all tracks at a cut: nobody is where somebody was. Faces of before get their numbers back as faces that were
    /// away do.
    pub fn cut(&mut self) {
        self.gone.extend(self.candidates.drain(..));
    }

    /// Takes the boxes found on the frame of `media_time` and gives the confirmed faces in the order of their ids. `look`
    /// says what the face in a box looks like; without an answer nobody gets a number back.
    ///
    /// After a jump backwards all faces are new, after a long gap those that don't look alike; their numbers continue.
    pub fn update(
        &mut self,
        detections: &[Detection],
        media_time: Duration,
        mut look: impl FnMut(FaceRect) -> Option<Appearance>,
    ) -> &[Track] {
        if media_time < self.now {
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
        // From left to right, so that faces that appear together are always numbered alike.
        detections.sort_by(|a, b| a.rect.x.total_cmp(&b.rect.x));

        // Confirmed faces choose first: a newcomer can't take a box from somebody known.
        let mut free = detections;
        for confirmed in [true, false] {
            free = self.pair(confirmed, free);
        }
        for candidate in self.candidates.iter_mut().filter(|c| c.last_hit != media_time) {
            candidate.missed += 1;
        }
        for detection in free {
            let second_box = self
                .candidates
                .iter()
                .filter(|c| c.missed == 0)
                .any(|c| overlap_of_smaller(&c.motion.measured(), &detection.rect) > SECOND_BOX_OVERLAP);
            if !second_box {
                self.candidates.push(Candidate::new(&detection, media_time));
            }
        }

        for candidate in self.candidates.iter_mut().filter(|c| c.missed == 0) {
            let is_new = candidate.id.is_none();
            if is_new
                && (candidate.hits < self.options.confirm_after || !candidate.is_believed(&self.options, media_time))
            {
                continue;
            }
            let is_due = |(_, last): &(Appearance, Duration)| media_time.saturating_sub(*last) >= LOOK_INTERVAL;
            if candidate.seen.as_ref().is_none_or(is_due) {
                candidate.seen = look(candidate.motion.measured()).map(|seen| (seen, media_time));
            }
            if is_new {
                candidate.id = Some(self.gone.take(candidate).unwrap_or_else(|| {
                    self.named += 1;
                    FaceId(self.named)
                }));
            }
        }
        self.gone.extend(self.candidates.extract_if(.., |candidate| !candidate.is_alive(&options, media_time)));
        self.show();
        &self.shown
    }

    /// Pairs boxes with the faces that are (or aren't) confirmed; gives the boxes that are left.
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

/// The shared area as a share of the smaller box.
fn overlap_of_smaller(a: &FaceRect, b: &FaceRect) -> f32 {
    let iou = a.iou(b);
    let shared = iou * (a.area() + b.area()) / (1.0 + iou);
    let smaller = a.area().min(b.area());
    if smaller > 0.0 { shared / smaller } else { 0.0 }
}

#[cfg(test)]
mod tests;
