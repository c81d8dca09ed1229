//! When to search the whole picture, and when only around the faces that are known.

use std::time::Duration;

use super::DetectionOptions;
use mien_core::detection::{DetectError, Detection, FaceDetector, SAME_FACE_OVERLAP, one_a_face};
use mien_core::face::{FaceRect, GrayView};
use mien_core::track::spacing_steps;
use tch::Device;

/// Frames from one full scan to the next while there is no face to follow, or a lost face hasn't come back.
const SEARCHING_INTERVAL: u32 = 3;

/// Longest time between full scans, even if frames are far apart, so that somebody who enters isn't missed. The default interval,
/// 15 frames, is no longer than this from 15 frames a second on.
const LONGEST_UNSEARCHED: Duration = Duration::from_secs(1);

/// Follows known faces between full scans.
///
/// A full scan is made at the start, every [`DetectionOptions::full_scan_interval`] frames, at least once a second, in the very frame
/// in which a known face isn't found near its place, and every few frames while no face is known or a lost one is missing. In all
/// other frames, only the surroundings of known faces are searched, which is several times cheaper. If frames come less often than
/// the source declares, a full scan is made once a second too, but not in more than every third frame: that would slow down a busy
/// machine even further.
pub struct ScheduledDetector {
    detector: Box<dyn FaceDetector>,
    full_scan_interval: u32,
    /// Most frames from one full scan to the next, given the time between frames.
    longest_interval: u32,
    /// Frames since the last full scan; `None` before the first.
    since_full_scan: Option<u32>,
    /// Media time of the last full scan.
    scanned_at: Duration,
    /// Whether a known face was missing in the previous frame.
    was_missing: bool,
}

impl ScheduledDetector {
    /// Makes the chosen detector, a network on `device`, and schedules it.
    ///
    /// # Errors
    /// When it can't be loaded.
    pub fn make(options: &DetectionOptions, device: Device) -> Result<Self, DetectError> {
        Ok(Self::new(super::make(options, device)?, options))
    }

    /// Schedules a detector.
    pub fn new(detector: Box<dyn FaceDetector>, options: &DetectionOptions) -> Self {
        let mut scheduled = Self {
            detector,
            full_scan_interval: 1,
            longest_interval: u32::MAX,
            since_full_scan: None,
            scanned_at: Duration::ZERO,
            was_missing: false,
        };
        scheduled.schedule(options);
        scheduled
    }

    /// Changes how often the whole picture is searched, from now on.
    pub fn schedule(&mut self, options: &DetectionOptions) {
        self.full_scan_interval = options.full_scan_interval.max(1);
    }

    /// Sets the time between frames, so that the whole picture is searched at least once a second of media time.
    pub fn set_spacing(&mut self, spacing: Duration) {
        self.longest_interval = spacing_steps(LONGEST_UNSEARCHED, spacing).max(1);
    }

    /// Forgets what was seen: the next frame gets a full scan. For a new source and after a seek.
    pub fn reset(&mut self) {
        self.since_full_scan = None;
        self.was_missing = false;
    }

    /// The faces of the next frame, which is at `media_time`. `tracks` is where the known faces are expected in it.
    ///
    /// # Errors
    /// When the detector fails.
    pub fn detect(
        &mut self,
        picture: GrayView<'_>,
        tracks: &[FaceRect],
        media_time: Duration,
    ) -> Result<Vec<Detection>, DetectError> {
        let elapsed = self.since_full_scan.map(|frames| frames + 1);
        let is_due = |interval: u32| elapsed.is_none_or(|frames| frames >= interval);
        let interval = self.full_scan_interval.min(self.longest_interval);
        // If frames come as often as declared, `longest_interval` ends before this, so the rounding of their times changes nothing.
        let is_overdue = media_time.saturating_sub(self.scanned_at) >= LONGEST_UNSEARCHED;
        if is_due(interval) || ((tracks.is_empty() || is_overdue) && is_due(SEARCHING_INTERVAL)) {
            return self.full_scan(picture, tracks, media_time);
        }
        let refreshed = if tracks.is_empty() { Vec::new() } else { self.detector.refresh(picture, tracks)? };
        let found: Vec<Detection> = refreshed.into_iter().flatten().collect();
        let is_missing = found.len() < tracks.len();
        // At once when a face is lost, then every few frames while it stays away: it may turn up elsewhere.
        if is_missing && (!self.was_missing || is_due(SEARCHING_INTERVAL)) {
            return self.full_scan(picture, tracks, media_time);
        }
        self.was_missing = is_missing;
        self.since_full_scan = elapsed;
        Ok(one_a_face(found))
    }

    fn full_scan(
        &mut self,
        picture: GrayView<'_>,
        tracks: &[FaceRect],
        media_time: Duration,
    ) -> Result<Vec<Detection>, DetectError> {
        (self.since_full_scan, self.scanned_at) = (Some(0), media_time);
        let found = self.detector.detect(picture)?;
        let is_found = |track: &FaceRect| found.iter().any(|face| face.rect.iou(track) >= SAME_FACE_OVERLAP);
        self.was_missing = !tracks.iter().all(is_found);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Search {
        Full,
        Near,
    }

    /// Finds the faces that it is set to show, and records how it was called.
    #[derive(Clone, Default)]
    struct Fake {
        visible: Arc<Mutex<Vec<FaceRect>>>,
        asked: Arc<Mutex<Vec<Search>>>,
    }

    impl Fake {
        fn shows(&self, faces: &[FaceRect]) {
            *self.visible.lock().unwrap() = faces.to_vec();
        }

        fn asked(&self) -> Vec<Search> {
            std::mem::take(&mut self.asked.lock().unwrap())
        }

        fn faces(&self) -> Vec<Detection> {
            let certain = |rect: &FaceRect| Detection { rect: *rect, score: 9.0, is_certain: true, landmarks: None };
            self.visible.lock().unwrap().iter().map(certain).collect()
        }
    }

    impl FaceDetector for Fake {
        fn detect(&mut self, _picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
            self.asked.lock().unwrap().push(Search::Full);
            Ok(self.faces())
        }

        fn refresh(
            &mut self,
            _picture: GrayView<'_>,
            expected: &[FaceRect],
        ) -> Result<Vec<Option<Detection>>, DetectError> {
            self.asked.lock().unwrap().push(Search::Near);
            let faces = self.faces();
            Ok(expected.iter().map(|place| mien_core::detection::nearest(&faces, *place)).collect())
        }
    }

    const FACE: FaceRect = FaceRect { x: 10.0, y: 10.0, width: 20.0, height: 20.0 };
    const OTHER: FaceRect = FaceRect { x: 60.0, ..FACE };

    fn scheduled(interval: u32) -> (Fake, ScheduledDetector) {
        let fake = Fake::default();
        let options = DetectionOptions { full_scan_interval: interval, ..DetectionOptions::default() };
        (fake.clone(), ScheduledDetector::new(Box::new(fake), &options))
    }

    fn detect(detector: &mut ScheduledDetector, tracks: &[FaceRect]) -> Vec<FaceRect> {
        detect_at(detector, tracks, Duration::ZERO)
    }

    fn detect_at(detector: &mut ScheduledDetector, tracks: &[FaceRect], media_time: Duration) -> Vec<FaceRect> {
        let pixels = [0; 100];
        let picture = GrayView::new(&pixels, 10, 10).unwrap();
        detector.detect(picture, tracks, media_time).unwrap().iter().map(|detection| detection.rect).collect()
    }

    #[test]
    fn the_whole_picture_is_searched_first_and_then_every_few_frames() {
        let (fake, mut detector) = scheduled(4);
        fake.shows(&[FACE]);
        for _ in 0..9 {
            assert_eq!(detect(&mut detector, &[FACE]), [FACE]);
        }
        let full: Vec<_> = fake.asked().iter().map(|search| *search == Search::Full).collect();
        assert_eq!(full, [true, false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn another_interval_counts_from_the_last_full_scan_on() {
        let (fake, mut detector) = scheduled(100);
        fake.shows(&[FACE]);
        (0..3).for_each(|_| drop(detect(&mut detector, &[FACE])));
        detector.schedule(&DetectionOptions { full_scan_interval: 4, ..DetectionOptions::default() });
        fake.asked();
        (0..3).for_each(|_| drop(detect(&mut detector, &[FACE])));
        assert_eq!(fake.asked(), [Search::Near, Search::Full, Search::Near]);
    }

    #[test]
    fn where_frames_lie_apart_all_is_searched_once_a_second_whatever_the_interval() {
        for (spacing, interval, looks) in [(40, 5, 5), (40, 100, 25), (400, 100, 2), (400, 1, 1), (3000, 100, 1)] {
            let (fake, mut detector) = scheduled(interval);
            detector.set_spacing(Duration::from_millis(spacing));
            fake.shows(&[FACE]);
            (0..=looks).for_each(|_| drop(detect(&mut detector, &[FACE])));
            let asked = fake.asked();
            let full =
                |range: std::ops::Range<usize>| asked[range].iter().filter(|search| **search == Search::Full).count();
            assert_eq!((full(0..looks), full(looks..looks + 1)), (1, 1), "{spacing} ms: {asked:?}");
        }
    }

    #[test]
    fn where_fewer_frames_come_than_declared_all_is_searched_once_a_second_but_not_in_every_frame() {
        for (spacing, looks) in [(33, 15), (66, 15), (200, 5), (300, 4), (900, 3), (4000, 3)] {
            let (fake, mut detector) = scheduled(15);
            detector.set_spacing(Duration::from_millis(33));
            fake.shows(&[FACE]);
            for frame in 0..=looks * 2 {
                detect_at(&mut detector, &[FACE], Duration::from_millis(spacing) * frame);
            }
            let asked = fake.asked();
            let full = (0..).zip(&asked).filter(|(_, search)| **search == Search::Full).map(|(frame, _)| frame);
            assert_eq!(full.collect::<Vec<u32>>(), [0, looks, looks * 2], "{spacing} ms: {asked:?}");
        }
    }

    #[test]
    fn an_interval_of_one_searches_all_of_every_frame() {
        let (fake, mut detector) = scheduled(1);
        fake.shows(&[FACE]);
        for _ in 0..3 {
            detect(&mut detector, &[FACE]);
        }
        assert_eq!(fake.asked(), [Search::Full; 3]);
    }

    #[test]
    fn a_face_that_is_lost_is_looked_for_everywhere_in_the_same_frame() {
        let (fake, mut detector) = scheduled(100);
        fake.shows(&[FACE]);
        detect(&mut detector, &[FACE]);
        fake.asked();
        fake.shows(&[OTHER]);
        assert_eq!(detect(&mut detector, &[FACE]), [OTHER]);
        assert_eq!(fake.asked(), [Search::Near, Search::Full]);
    }

    #[test]
    fn a_face_that_stays_away_does_not_cost_a_full_scan_each_frame() {
        let (fake, mut detector) = scheduled(100);
        fake.shows(&[FACE]);
        detect(&mut detector, &[FACE]);
        fake.shows(&[]);
        fake.asked();
        for _ in 0..7 {
            detect(&mut detector, &[FACE]);
        }
        let full = fake.asked().iter().filter(|search| **search == Search::Full).count();
        assert_eq!(full, 3);
    }

    #[test]
    fn without_a_known_face_every_third_frame_is_searched() {
        let (fake, mut detector) = scheduled(100);
        for _ in 0..7 {
            detect(&mut detector, &[]);
        }
        assert_eq!(fake.asked(), [Search::Full; 3]);
        fake.shows(&[FACE]);
        let found: Vec<_> = (0..3).flat_map(|_| detect(&mut detector, &[])).collect();
        assert_eq!(found, [FACE]);
    }

    #[test]
    fn all_known_faces_are_looked_for_in_one_call() {
        let (fake, mut detector) = scheduled(100);
        fake.shows(&[FACE, OTHER]);
        detect(&mut detector, &[FACE, OTHER]);
        fake.asked();
        assert_eq!(detect(&mut detector, &[FACE, OTHER]), [FACE, OTHER]);
        assert_eq!(fake.asked(), [Search::Near]);
    }

    #[test]
    fn after_a_reset_the_next_frame_is_searched_in_full() {
        let (fake, mut detector) = scheduled(100);
        fake.shows(&[FACE]);
        detect(&mut detector, &[FACE]);
        detector.reset();
        fake.asked();
        detect(&mut detector, &[FACE]);
        assert_eq!(fake.asked(), [Search::Full]);
    }

    #[test]
    fn two_tracks_on_one_face_give_one_detection() {
        let (fake, mut detector) = scheduled(100);
        fake.shows(&[FACE, OTHER]);
        detect(&mut detector, &[FACE, OTHER]);
        let shifted = FaceRect { x: 12.0, ..FACE };
        assert_eq!(detect(&mut detector, &[FACE, shifted, OTHER]), [FACE, OTHER]);
    }
}
