//! Gathers the times of a run, frame by frame.

use std::time::{Duration, Instant};

use hdrhistogram::{CreationError, Histogram};

use super::{Breakdown, StageSummary};
use crate::pipeline::{Scene, StageTimings};

/// Number of slices of a run whose frame rates are compared, to tell how steady it was.
const SLICES: usize = 10;

/// Significant digits that the histograms keep.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Upper limit of the histograms in nanoseconds: an hour. Longer times are recorded as this.
const LONGEST: u64 = 3600 * 1_000_000_000;

/// Measures the frames of a run after the warm-up.
pub struct Stopwatch {
    warmup: u64,
    seen: u64,
    began: Option<Instant>,
    labelled_at: Vec<Instant>,
    faces: u64,
    frames_with_face: u64,
    /// Nanoseconds of each stage.
    stages: [(&'static str, Histogram<u64>); 5],
}

impl Stopwatch {
    /// Starts measuring after `warmup` frames.
    ///
    /// # Errors
    /// When the histograms can't be created.
    pub fn new(warmup: u64) -> Result<Self, CreationError> {
        let empty = Histogram::<u64>::new_with_max(LONGEST, SIGNIFICANT_DIGITS)?;
        let stages = StageTimings::default().each().map(|(name, _)| (name, empty.clone()));
        let began = (warmup == 0).then(Instant::now);
        Ok(Self { warmup, seen: 0, began, labelled_at: Vec::new(), faces: 0, frames_with_face: 0, stages })
    }

    /// Records the next scene of the run.
    pub fn note(&mut self, scene: &Scene) {
        self.note_frame(scene.labelled_at, scene.faces.len() as u64, &scene.timings);
    }

    /// Records a frame that was finished at `at`.
    pub fn note_frame(&mut self, at: Instant, faces: u64, timings: &StageTimings) {
        self.seen += 1;
        if self.seen <= self.warmup {
            if self.seen == self.warmup {
                self.began = Some(at);
            }
            return;
        }
        self.labelled_at.push(at);
        self.faces += faces;
        self.frames_with_face += u64::from(faces > 0);
        for ((name, histogram), (_, time)) in self.stages.iter_mut().zip(timings.each()) {
            // A frame without a face skips these two; counting it as zero would make them look faster.
            if faces > 0 || !matches!(*name, "crop" | "classify") {
                histogram.saturating_record(nanoseconds(time));
            }
        }
    }

    /// Number of measured frames.
    pub fn frames(&self) -> u64 {
        self.labelled_at.len() as u64
    }

    /// Faces in the measured frames, added up over all frames.
    pub fn faces(&self) -> u64 {
        self.faces
    }

    /// Measured frames with at least one face.
    pub fn frames_with_face(&self) -> u64 {
        self.frames_with_face
    }

    /// Time from the end of the warm-up to the last frame.
    pub fn elapsed(&self) -> Duration {
        match (self.began, self.labelled_at.last()) {
            (Some(began), Some(last)) => last.saturating_duration_since(began),
            _ => Duration::ZERO,
        }
    }

    /// Measured frames per second; 0 if there are none.
    pub fn fps(&self) -> f64 {
        let seconds = self.elapsed().as_secs_f64();
        if seconds > 0.0 { self.frames() as f64 / seconds } else { 0.0 }
    }

    /// Standard deviation of the frame rate over equal slices of the run, relative to its mean. `None` if the run is too short for slices
    /// of a few frames.
    pub fn spread(&self) -> Option<f64> {
        const FEWEST_PER_SLICE: usize = 5;
        let per_slice = self.labelled_at.len() / SLICES;
        if per_slice < FEWEST_PER_SLICE {
            return None;
        }
        let ends = self.labelled_at.iter().skip(per_slice - 1).step_by(per_slice).take(SLICES);
        let (rates, _) = ends.fold((Vec::new(), self.began?), |(mut rates, start), end| {
            rates.push(per_slice as f64 / end.saturating_duration_since(start).as_secs_f64());
            (rates, *end)
        });
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (rates.len() - 1) as f64;
        Some(variance.sqrt() / mean).filter(|spread| spread.is_finite())
    }

    /// Summaries of all stages.
    pub fn stages(&self) -> Breakdown {
        let stages = self.stages.iter();
        Breakdown(stages.filter_map(|(name, histogram)| Some((*name, StageSummary::of(histogram)?))).collect())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A run whose frame `i` takes `interval(i)`. All but every fourth frame have one face.
    fn run(warmup: u64, frames: u64, interval: impl Fn(u64) -> Duration) -> Stopwatch {
        let mut stopwatch = Stopwatch::new(warmup).unwrap();
        let mut at = Instant::now();
        stopwatch.began = (warmup == 0).then_some(at);
        for i in 0..warmup + frames {
            at += interval(i);
            let timings =
                StageTimings { detect: MS * u32::try_from(i + 1).unwrap(), classify: 3 * MS, ..Default::default() };
            stopwatch.note_frame(at, u64::from(i % 4 != 0), &timings);
        }
        stopwatch
    }

    #[test]
    fn the_rate_leaves_the_warm_up_out() {
        let stopwatch = run(20, 100, |i| if i < 20 { 500 * MS } else { 10 * MS });
        assert_eq!(stopwatch.frames(), 100);
        assert!((stopwatch.fps() - 100.0).abs() < 0.1, "{}", stopwatch.fps());
        assert_eq!((stopwatch.faces(), stopwatch.frames_with_face()), (75, 75));
    }

    #[test]
    fn percentiles_are_those_of_the_measured_frames() {
        let (_, detect) = run(0, 100, |_| MS).stages().only("detect").0[0];
        assert!((detect.mean_ms - 50.5).abs() < 0.1, "{detect:?}");
        assert!((detect.p50_ms - 50.0).abs() < 0.1, "{detect:?}");
        assert!((detect.p95_ms - 95.0).abs() < 0.1, "{detect:?}");
        assert!((detect.max_ms - 100.0).abs() < 0.2, "{detect:?}");
    }

    #[test]
    fn a_frame_without_a_face_does_not_make_the_network_look_faster() {
        let (_, classify) = run(0, 100, |_| MS).stages().only("classify").0[0];
        assert!((classify.mean_ms - 3.0).abs() < 0.01, "{classify:?}");
    }

    #[test]
    fn a_steady_run_has_no_spread_and_an_unsteady_one_has() {
        assert!(run(10, 200, |_| 10 * MS).spread().unwrap() < 1e-6);
        assert!(run(10, 200, |i| if i < 100 { 10 * MS } else { 20 * MS }).spread().unwrap() > 0.2);
        assert!(run(10, 30, |_| 10 * MS).spread().is_none());
    }

    #[test]
    fn a_run_that_ended_in_the_warm_up_has_measured_nothing() {
        let stopwatch = run(50, 0, |_| MS);
        assert_eq!((stopwatch.frames(), stopwatch.fps(), stopwatch.stages()), (0, 0.0, Breakdown::default()));
    }
}
