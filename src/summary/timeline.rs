//! Probabilities over media time in a bounded number of buckets.

use std::time::Duration;

use crate::classes::MOST_CLASSES;
use crate::probabilities::Probabilities;

/// Most buckets: the widest chart shows no more. When full, neighbours are merged, so a long timeline keeps at least half.
const CAPACITY: usize = 400;

/// Length of a bucket at first, in seconds: a frame of most videos.
const FIRST_WIDTH: f64 = 0.04;

/// The probabilities in one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    sums: [f64; MOST_CLASSES],
    /// Seconds in which the face was seen.
    weight: f64,
    /// The lowest probability of each class.
    pub lowest: [f32; MOST_CLASSES],
    /// The highest.
    pub highest: [f32; MOST_CLASSES],
}

/// The probabilities of all classes over time: means, lowest and highest in stretches of equal length, which grow with the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    origin: Duration,
    width: f64,
    buckets: Vec<Bucket>,
}

impl Bucket {
    const EMPTY: Self =
        Self { sums: [0.0; MOST_CLASSES], weight: 0.0, lowest: [1.0; MOST_CLASSES], highest: [0.0; MOST_CLASSES] };

    /// The mean probabilities, or `None` where no face was seen.
    pub fn means(&self) -> Option<[f64; MOST_CLASSES]> {
        (self.weight > 0.0).then(|| self.sums.map(|sum| sum / self.weight))
    }

    fn add(&mut self, probabilities: &Probabilities, seconds: f64) {
        self.weight += seconds;
        for (index, p) in probabilities.as_slice().iter().enumerate() {
            self.sums[index] += f64::from(*p) * seconds;
            self.lowest[index] = self.lowest[index].min(*p);
            self.highest[index] = self.highest[index].max(*p);
        }
    }

    fn merge(mut self, other: &Self) -> Self {
        self.weight += other.weight;
        for index in 0..MOST_CLASSES {
            self.sums[index] += other.sums[index];
            self.lowest[index] = self.lowest[index].min(other.lowest[index]);
            self.highest[index] = self.highest[index].max(other.highest[index]);
        }
        self
    }
}

impl Timeline {
    /// Begins at this media time.
    pub fn new(origin: Duration) -> Self {
        Self { origin, width: FIRST_WIDTH, buckets: Vec::new() }
    }

    /// Adds a face in a frame that is shown from `time` on, for as long as `shown`. Times must not go back.
    pub fn add(&mut self, time: Duration, shown: Duration, probabilities: &Probabilities) {
        let begin = time.saturating_sub(self.origin).as_secs_f64();
        let end = begin + shown.as_secs_f64();
        while end / self.width > CAPACITY as f64 {
            self.widen();
        }
        let (first, last) = ((begin / self.width) as usize, (end / self.width).ceil() as usize);
        for index in first..last.max(first + 1).min(CAPACITY) {
            let (left, right) = (index as f64 * self.width, (index + 1) as f64 * self.width);
            let seconds = right.min(end) - left.max(begin);
            if seconds > 0.0 {
                if self.buckets.len() <= index {
                    self.buckets.resize(index + 1, Bucket::EMPTY);
                }
                self.buckets[index].add(probabilities, seconds);
            }
        }
    }

    /// Merges neighbours, so that each bucket is twice as long.
    fn widen(&mut self) {
        self.width *= 2.0;
        let merged = self.buckets.chunks(2).map(|pair| pair[1..].iter().fold(pair[0], Bucket::merge));
        self.buckets = merged.collect();
    }

    /// When it begins.
    pub fn origin(&self) -> Duration {
        self.origin
    }

    /// Length of each bucket, in seconds.
    pub fn bucket_secs(&self) -> f64 {
        self.width
    }

    /// The buckets, from the beginning.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::summary::testing::probabilities;

    #[test]
    fn however_long_it_gets_it_has_so_many_buckets_and_the_same_mean() {
        let mut timeline = Timeline::new(Duration::from_secs(7));
        let step = Duration::from_millis(40);
        let frames = 90_000; // an hour
        for frame in 0..frames {
            let p = if frame % 10 == 0 { 0.8 } else { 0.3 };
            timeline.add(Duration::from_secs(7) + step * frame, step, &probabilities(Emotion::Happy, p));
        }
        let buckets = timeline.buckets();
        assert!((CAPACITY / 2..=CAPACITY).contains(&buckets.len()), "{}", buckets.len());
        let length = buckets.len() as f64 * timeline.bucket_secs();
        assert!((3600.0..3600.0 + timeline.bucket_secs()).contains(&length), "{length}");
        for bucket in &buckets[..buckets.len() - 1] {
            let happy = Emotion::Happy.index();
            assert!((bucket.means().unwrap()[happy] - 0.35).abs() < 0.01);
            assert!((bucket.lowest[happy] - 0.3).abs() < 1e-6 && (bucket.highest[happy] - 0.8).abs() < 1e-6);
        }
    }

    #[test]
    fn a_frame_that_stays_fills_its_time_and_an_absence_stays_empty() {
        let mut timeline = Timeline::new(Duration::ZERO);
        let happy = probabilities(Emotion::Happy, 0.9);
        timeline.add(Duration::ZERO, Duration::from_millis(400), &happy);
        timeline.add(Duration::from_millis(800), Duration::from_millis(200), &happy);
        let is_seen: Vec<bool> = timeline.buckets().iter().map(|bucket| bucket.means().is_some()).collect();
        assert_eq!(is_seen, [[true; 10].as_slice(), &[false; 10], &[true; 5]].concat());
    }

    #[test]
    fn a_single_frame_of_hours_fits() {
        let mut timeline = Timeline::new(Duration::ZERO);
        timeline.add(Duration::ZERO, Duration::from_secs(36_000), &probabilities(Emotion::Sad, 0.9));
        assert!(timeline.buckets().len() <= CAPACITY);
        assert!(timeline.buckets().iter().all(|bucket| bucket.means().is_some()));
    }
}
