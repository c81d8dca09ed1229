//! All faces of a file.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::face::Shown;
use super::{Counts, FaceFigures, FaceSummary, Sighting, Strongest, Timeline};
use crate::face::FaceId;

/// Faces that are kept with timeline and pictures: more than anybody looks through in a report.
const DETAILED_FACES: usize = 12;

/// Assumed duration of the only frame of a file that doesn't declare its rate.
const FALLBACK_INTERVAL: Duration = Duration::from_millis(40);

/// Adds up a file's faces, scene by scene; `T` is a picture of a face.
#[derive(Debug)]
pub struct Summarizer<T> {
    /// Faces that may return.
    present: BTreeMap<FaceId, FaceSummary<T>>,
    /// When each face was last present, counted or not.
    last_seen: BTreeMap<FaceId, Duration>,
    summary: FileSummary<T>,
    /// The previous frame: the next one tells how long it is shown.
    pending: Option<(Duration, Vec<Sighting>)>,
    interval: Option<Duration>,
    gone_after: Duration,
}

/// What a file's faces showed.
#[derive(Debug)]
pub struct FileSummary<T> {
    /// Frames that were analysed.
    pub frames: u64,
    /// Of these, frames with a face.
    pub frames_with_face: u64,
    /// The number of different faces.
    pub people: u64,
    /// All faces together: two in a frame count twice.
    pub counts: Counts,
    /// The faces that were there longest, in the order of their numbers.
    pub faces: Vec<FaceSummary<T>>,
}

impl<T> Summarizer<T> {
    /// For faces that get another number if they return after more than `gone_after`.
    pub fn new(gone_after: Duration) -> Self {
        let summary =
            FileSummary { frames: 0, frames_with_face: 0, people: 0, counts: Counts::default(), faces: Vec::new() };
        let (present, last_seen) = (BTreeMap::new(), BTreeMap::new());
        Self { present, last_seen, summary, pending: None, interval: None, gone_after }
    }

    /// Notes that a face is present, whether it is counted or not.
    pub fn note_present(&mut self, face: FaceId, time: Duration) {
        let last = self.last_seen.entry(face).or_insert(time);
        *last = time.max(*last);
    }

    /// Adds the faces of the next frame. `picture` makes a picture of the face with this index in `sightings`, when one is needed. Returns
    /// the figures of faces that are gone for good.
    ///
    /// # Errors
    /// When `picture` fails.
    pub fn push<E>(
        &mut self,
        time: Duration,
        sightings: Vec<Sighting>,
        mut picture: impl FnMut(usize) -> Result<T, E>,
    ) -> Result<Vec<FaceFigures>, E> {
        if let Some((earlier, _)) = &self.pending {
            let interval = time.saturating_sub(*earlier);
            self.interval = Some(interval);
            self.settle(interval);
        }
        for (index, sighting) in sightings.iter().enumerate() {
            self.note_present(sighting.id, time);
            let face = self.present.entry(sighting.id).or_insert_with(|| {
                self.summary.people += 1;
                FaceSummary {
                    figures: FaceFigures::new(sighting.id, time),
                    timeline: Timeline::new(time),
                    strongest: Strongest::new(1),
                }
            });
            face.strongest.offer(time, &sighting.probabilities, || picture(index))?;
        }
        self.pending = Some((time, sightings));
        let gone_after = self.gone_after;
        self.last_seen.retain(|_, last| time.saturating_sub(*last) <= gone_after);
        Ok(self.hand_out(false))
    }

    /// Ends the file. `interval` is the declared time between frames, if any. Returns the summary, and the figures of the remaining faces.
    pub fn finish(mut self, interval: Option<Duration>) -> (FileSummary<T>, Vec<FaceFigures>) {
        self.settle(self.interval.or(interval).unwrap_or(FALLBACK_INTERVAL));
        let rest = self.hand_out(true);
        self.summary.faces.sort_by_key(|face| face.figures.id);
        (self.summary, rest)
    }

    /// Counts the previous frame, now that its duration is known.
    fn settle(&mut self, length: Duration) {
        let Some((time, sightings)) = self.pending.take() else { return };
        let summary = &mut self.summary;
        let shown = Shown { frame: summary.frames, time, length };
        summary.frames += 1;
        summary.frames_with_face += u64::from(!sightings.is_empty());
        for sighting in &sightings {
            summary.counts.add(sighting, length);
            if let Some(face) = self.present.get_mut(&sighting.id) {
                face.figures.add(shown, sighting);
                face.timeline.add(time, length, &sighting.probabilities);
            }
        }
    }

    /// Removes the faces that won't return, or all of them, and returns their figures. Keeps the longest in full.
    fn hand_out(&mut self, all: bool) -> Vec<FaceFigures> {
        let last_seen = &self.last_seen;
        let gone = self.present.extract_if(.., |face, _| all || !last_seen.contains_key(face));
        let gone: Vec<FaceSummary<T>> = gone.map(|(_, face)| face).collect();
        if gone.is_empty() {
            return Vec::new();
        }
        let figures = gone.iter().map(|face| face.figures.clone()).collect();
        let faces = &mut self.summary.faces;
        faces.extend(gone);
        faces.sort_by_key(|face| Reverse(Duration::from_secs_f64(face.figures.counts.seconds())));
        faces.truncate(DETAILED_FACES);
        figures
    }
}

impl<T> FileSummary<T> {
    /// The number of faces of which only the figures were handed out.
    pub fn faces_left_out(&self) -> u64 {
        self.people.saturating_sub(self.faces.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::emotion::Emotion;
    use crate::summary::testing::sighting;

    const GONE_AFTER: Duration = Duration::from_secs(2);

    fn no_picture(_: usize) -> Result<(), Infallible> {
        Ok(())
    }

    #[test]
    fn frames_count_for_as_long_as_they_are_shown() {
        let mut summarizer = Summarizer::new(GONE_AFTER);
        let at = [0, 100, 1100, 1200].map(Duration::from_millis);
        let labels = [Emotion::Happy, Emotion::Sad, Emotion::Happy, Emotion::Happy];
        for (time, emotion) in at.into_iter().zip(labels) {
            summarizer.push(time, vec![sighting(1, emotion, 0.8)], no_picture).unwrap();
        }
        let (summary, rest) = summarizer.finish(Some(Duration::from_secs(9)));
        assert_eq!((summary.frames, summary.frames_with_face, summary.people, rest.len()), (4, 4, 1, 1));
        // 0.1 s, 0.1 s, and the last frame for as long as the one before it.
        assert!((summary.counts.seconds_of(Emotion::Happy.index()) - 0.3).abs() < 1e-9);
        assert!((summary.counts.seconds_of(Emotion::Sad.index()) - 1.0).abs() < 1e-9);
        assert_eq!(rest[0].counts, summary.counts);
    }

    #[test]
    fn of_many_faces_the_longest_are_kept_and_each_is_handed_out_once() {
        let mut summarizer = Summarizer::new(GONE_AFTER);
        let (mut handed_out, mut most_present, mut time) = (Vec::new(), 0, Duration::ZERO);
        for id in 1..=100 {
            // Face 50 is there for five seconds, the others for a half.
            for _ in 0..if id == 50 { 50 } else { 5 } {
                let gone = summarizer.push(time, vec![sighting(id, Emotion::Neutral, 0.9)], no_picture).unwrap();
                handed_out.extend(gone.into_iter().map(|face| face.id.0));
                most_present = most_present.max(summarizer.present.len() + summarizer.summary.faces.len());
                time += Duration::from_millis(100);
            }
        }
        let (summary, rest) = summarizer.finish(None);
        handed_out.extend(rest.into_iter().map(|face| face.id.0));
        assert_eq!(handed_out, (1..=100).collect::<Vec<_>>());
        assert_eq!((summary.people, summary.faces.len(), summary.faces_left_out()), (100, 12, 88));
        assert!(summary.faces.iter().any(|face| face.figures.id == FaceId(50)));
        assert!(most_present < 20, "{most_present}");
    }

    #[test]
    fn a_face_that_is_there_but_left_out_for_a_while_stays_one() {
        let mut summarizer = Summarizer::new(GONE_AFTER);
        let mut handed_out = 0;
        for second in 0..20 {
            let time = Duration::from_secs(second);
            summarizer.note_present(FaceId(1), time);
            // Of too little quality for ten seconds.
            let counted = if (5..15).contains(&second) { vec![] } else { vec![sighting(1, Emotion::Happy, 0.8)] };
            handed_out += summarizer.push(time, counted, no_picture).unwrap().len();
        }
        let (summary, rest) = summarizer.finish(None);
        assert_eq!((handed_out, summary.people, rest.len()), (0, 1, 1));
    }

    #[test]
    fn a_file_of_one_frame_and_one_without_any_are_summed_up() {
        let mut summarizer = Summarizer::new(GONE_AFTER);
        summarizer.push(Duration::ZERO, vec![sighting(1, Emotion::Fear, 0.9)], no_picture).unwrap();
        let (summary, _) = summarizer.finish(Some(Duration::from_millis(20)));
        assert!((summary.counts.seconds() - 0.02).abs() < 1e-9);
        let (summary, rest) = Summarizer::<()>::new(GONE_AFTER).finish(None);
        assert_eq!((summary.frames, summary.people, rest.len()), (0, 0, 0));
    }
}
