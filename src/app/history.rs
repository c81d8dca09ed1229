//! What each face showed over time, for the timeline. Bounded, however long the window stays open.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::face::FaceId;
use crate::probabilities::Probabilities;

/// How far back the timeline of a camera goes.
pub const LIVE_SPAN: Duration = Duration::from_secs(60);

/// Maximum number of points per face. A line needs no more points than the plot has pixels.
pub const MAX_POINTS: usize = 1200;

/// Maximum number of faces. The one unseen for longest is forgotten first.
pub const MAX_FACES: usize = 32;

/// Shortest interval between two points: that of a camera's frames.
const FINEST: Duration = Duration::from_millis(33);

/// A face unseen for longer than this, and for longer than [`GAP_INTERVALS`], gets a gap in its line.
const GAP: Duration = Duration::from_millis(500);

/// Number of intervals between frames: the face may be missed on one frame, and stamps may be late by half an interval.
const GAP_INTERVALS: f64 = 2.5;

/// Probabilities of one face over a stretch of time without a gap.
pub type Segment = Vec<(Duration, Probabilities)>;

/// The probabilities of each face over media time.
#[derive(Clone, Debug)]
pub struct History {
    span: Option<Duration>,
    resolution: Duration,
    gap: Duration,
    now: Duration,
    faces: BTreeMap<FaceId, BTreeMap<u64, Probabilities>>,
    most_faces: usize,
}

impl History {
    /// The last [`LIVE_SPAN`] of a camera.
    pub fn live() -> Self {
        Self { span: Some(LIVE_SPAN), ..Self::clip(Some(LIVE_SPAN)) }
    }

    /// A whole clip. If its duration is unknown, the resolution becomes coarser as it gets longer.
    pub fn clip(duration: Option<Duration>) -> Self {
        let resolution = duration.map_or(FINEST, |d| (d / MAX_POINTS as u32).max(FINEST));
        let (now, faces) = (Duration::ZERO, BTreeMap::new());
        Self { span: None, resolution, gap: GAP, now, faces, most_faces: MAX_FACES }
    }

    /// A whole recording. None of its faces is forgotten.
    pub fn recorded(duration: Duration) -> Self {
        Self { most_faces: usize::MAX, ..Self::clip(Some(duration)) }
    }

    /// Sets the time from one frame to the next.
    #[must_use]
    pub fn with_interval(self, interval: Duration) -> Self {
        Self { gap: GAP.max(interval.mul_f64(GAP_INTERVALS)), ..self }
    }

    /// The media time last passed to [`Self::advance`].
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Sets the media time of the frame on screen, and forgets points that are too old.
    pub fn advance(&mut self, now: Duration) {
        self.now = now;
        if let Some(begin) = self.span.and_then(|span| now.checked_sub(span)) {
            // Its bucket lies partly before the span, and would be one point too many.
            let oldest = self.bucket(begin);
            for points in self.faces.values_mut() {
                while points.first_key_value().is_some_and(|(bucket, _)| *bucket <= oldest) {
                    points.pop_first();
                }
            }
            self.faces.retain(|_, points| !points.is_empty());
        }
    }

    /// Forgets all points, but keeps the current time.
    pub fn clear(&mut self) {
        self.faces.clear();
    }

    /// Records what a face shows at the current time. Replaces a point that is already there, as after a seek or in a loop.
    pub fn record(&mut self, face: FaceId, probabilities: Probabilities) {
        let bucket = self.bucket(self.now);
        let points = self.faces.entry(face).or_default();
        points.insert(bucket, probabilities);
        if points.len() > MAX_POINTS {
            self.coarsen();
        }
        if self.faces.len() > self.most_faces {
            self.forget_the_longest_gone(face);
        }
    }

    /// The segments of a face's line, oldest first. Each has at least one point.
    pub fn segments(&self, face: FaceId) -> Vec<Segment> {
        let Some(points) = self.faces.get(&face) else { return Vec::new() };
        let largest_step = self.largest_step();
        let mut segments: Vec<Segment> = Vec::new();
        let mut previous: Option<u64> = None;
        for (&bucket, &probabilities) in points {
            let point = (self.time_of(bucket), probabilities);
            match segments.last_mut() {
                Some(segment) if previous.is_some_and(|p| bucket - p <= largest_step) => segment.push(point),
                _ => segments.push(vec![point]),
            }
            previous = Some(bucket);
        }
        segments
    }

    /// What a face showed at a time, or shortly before it.
    pub fn at(&self, face: FaceId, time: Duration) -> Option<Probabilities> {
        let bucket = self.bucket(time);
        let (&found, &probabilities) = self.faces.get(&face)?.range(..=bucket).next_back()?;
        (bucket - found <= self.largest_step()).then_some(probabilities)
    }

    /// Faces with at least one point.
    pub fn faces(&self) -> impl Iterator<Item = FaceId> + '_ {
        self.faces.keys().copied()
    }

    /// When a face was last seen, if it is remembered.
    pub fn last_seen(&self, face: FaceId) -> Option<Duration> {
        self.faces.get(&face)?.last_key_value().map(|(bucket, _)| self.time_of(*bucket))
    }

    /// Number of points kept for a face.
    pub fn len(&self, face: FaceId) -> usize {
        self.faces.get(&face).map_or(0, BTreeMap::len)
    }

    fn bucket(&self, time: Duration) -> u64 {
        u64::try_from(time.as_micros() / self.resolution.as_micros().max(1)).unwrap_or(u64::MAX)
    }

    fn time_of(&self, bucket: u64) -> Duration {
        Duration::from_micros(bucket.saturating_mul(u64::try_from(self.resolution.as_micros()).unwrap_or(u64::MAX)))
    }

    fn largest_step(&self) -> u64 {
        self.bucket(self.gap).max(1)
    }

    fn coarsen(&mut self) {
        self.resolution *= 2;
        for points in self.faces.values_mut() {
            *points = std::mem::take(points).into_iter().map(|(bucket, p)| (bucket / 2, p)).collect();
        }
    }

    /// `present` stays: after a seek back, its time may be the earliest.
    fn forget_the_longest_gone(&mut self, present: FaceId) {
        let last_seen = |points: &BTreeMap<u64, Probabilities>| points.last_key_value().map(|(bucket, _)| *bucket);
        let others = self.faces.iter().filter(|(face, _)| **face != present);
        let longest_gone = others.min_by_key(|(_, points)| last_seen(points)).map(|(face, _)| *face);
        if let Some(face) = longest_gone {
            self.faces.remove(&face);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

    fn happy(amount: f32) -> Probabilities {
        let mut weights = [0.0; crate::emotion::COUNT];
        weights[Emotion::Happy.index()] = amount;
        weights[Emotion::Neutral.index()] = 1.0 - amount;
        Probabilities::from_weights(&weights).unwrap()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn show(history: &mut History, face: u32, at: Duration, amount: f32) {
        history.advance(at);
        history.record(FaceId(face), happy(amount));
    }

    #[test]
    fn an_hour_of_camera_keeps_the_last_minute_and_no_more() {
        let mut history = History::live();
        for frame in 0..60 * 60 * 30_u64 {
            show(&mut history, 1, ms(frame * 33), 0.5);
        }
        assert!(history.len(FaceId(1)) <= MAX_POINTS);
        let segments = history.segments(FaceId(1));
        assert_eq!(segments.len(), 1);
        let (first, last) = (segments[0].first().unwrap().0, segments[0].last().unwrap().0);
        assert!(last - first <= LIVE_SPAN && last - first > LIVE_SPAN - ms(200), "{:?}", last - first);
        // Still at the initial resolution.
        assert!(segments[0].len() > MAX_POINTS - 10, "{}", segments[0].len());
    }

    #[test]
    fn a_long_clip_is_thinned_out_and_still_reaches_from_end_to_end() {
        let long = Duration::from_secs(2 * 60 * 60);
        let mut history = History::clip(Some(long));
        for second in 0..long.as_secs() {
            show(&mut history, 1, Duration::from_secs(second), 0.5);
        }
        assert!(history.len(FaceId(1)) <= MAX_POINTS);
        let segments = history.segments(FaceId(1));
        assert_eq!(segments.len(), 1);
        assert!(segments[0].last().unwrap().0 > long - Duration::from_secs(10));
    }

    #[test]
    fn a_clip_of_unknown_length_grows_coarser_instead_of_larger() {
        let mut history = History::clip(None);
        for frame in 0..20_000 {
            show(&mut history, 1, ms(frame * 40), 0.5);
        }
        assert!(history.len(FaceId(1)) <= MAX_POINTS);
        let segments = history.segments(FaceId(1));
        assert_eq!(segments.len(), 1);
        assert!(segments[0].last().unwrap().0 > ms(19_000 * 40));
    }

    #[test]
    fn a_face_that_went_away_leaves_a_gap() {
        let mut history = History::live();
        for frame in (0..30).chain(90..120) {
            show(&mut history, 1, ms(frame * 33), 0.5);
        }
        assert_eq!(history.segments(FaceId(1)).len(), 2);
        assert!(history.at(FaceId(1), ms(60 * 33)).is_none());
        assert!(history.at(FaceId(1), ms(100 * 33)).is_some());
    }

    #[test]
    fn the_line_of_a_time_lapse_is_joined_and_has_a_gap_where_the_face_was_away() {
        for interval in [ms(700), Duration::from_secs(4), Duration::from_secs(100)] {
            let mut history = History::clip(Some(interval * 60)).with_interval(interval);
            for frame in (0..20).chain(21..30).chain(33..60) {
                show(&mut history, 1, interval * frame, 0.5);
            }
            let lengths: Vec<usize> = history.segments(FaceId(1)).iter().map(Vec::len).collect();
            assert_eq!(lengths, [29, 27], "{interval:?}");
            assert!(history.at(FaceId(1), interval * 20).is_some() && history.at(FaceId(1), interval * 32).is_none());
        }
        let mut usual = History::clip(Some(Duration::from_secs(60))).with_interval(ms(40));
        [0, 480, 1100].into_iter().for_each(|time| show(&mut usual, 1, ms(time), 0.5));
        assert_eq!(usual.segments(FaceId(1)).len(), 2);
    }

    #[test]
    fn a_second_round_of_a_clip_replaces_the_first() {
        let mut history = History::clip(Some(Duration::from_secs(2)));
        for amount in [0.2, 0.9] {
            for frame in 0..50 {
                show(&mut history, 1, ms(frame * 40), amount);
            }
        }
        let segments = history.segments(FaceId(1));
        assert_eq!(segments.iter().map(Vec::len).sum::<usize>(), 50);
        assert!(segments[0].iter().all(|(_, p)| (p.of(Emotion::Happy.index()) - 0.9).abs() < 1e-6));
    }

    #[test]
    fn a_crowd_passing_by_does_not_pile_up() {
        let mut history = History::clip(None);
        for face in 0..500 {
            show(&mut history, face, ms(u64::from(face) * 100), 0.5);
        }
        assert_eq!(history.faces().count(), MAX_FACES);
        assert!(history.faces().any(|face| face == FaceId(499)));
    }

    #[test]
    fn whoever_is_in_the_picture_after_a_jump_back_is_kept() {
        let mut history = History::clip(Some(Duration::from_secs(20)));
        (0..MAX_FACES as u32).for_each(|face| show(&mut history, face, ms(10_000), 1.0));
        show(&mut history, 999, ms(1_000), 1.0);
        assert_eq!(history.faces().count(), MAX_FACES);
        assert!(history.faces().any(|face| face == FaceId(999)));
    }

    #[test]
    fn nobody_in_a_recording_is_forgotten() {
        let mut history = History::recorded(Duration::from_secs(100));
        for face in 0..500 {
            show(&mut history, face, ms(u64::from(face) * 100), 0.5);
        }
        assert_eq!(history.faces().count(), 500);
    }
}
