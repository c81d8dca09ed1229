//! One face over time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Counts, Sighting, Strongest, Timeline};
use crate::face::FaceId;

/// A stretch of analysed frames, one after another, on which the face is there and shows the same class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// Media time of the first frame.
    pub start: Duration,
    /// Time until the end of the last frame.
    pub length: Duration,
}

/// The figures of a face, as its rows in the summary hold them.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceFigures {
    /// Which face.
    pub id: FaceId,
    /// Media time of the first frame with it.
    pub first: Duration,
    /// When the last frame with it ends.
    pub end: Duration,
    /// How often and how long each class led.
    pub counts: Counts,
    /// The longest episode of each class that led.
    longest: BTreeMap<usize, Episode>,
    /// How often the label changed from one class to another.
    changes: BTreeMap<(usize, usize), u64>,
    current: Option<Current>,
}

/// The current episode, or the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Current {
    class: usize,
    episode: Episode,
    /// Number of its last frame, counting analysed frames.
    frame: u64,
}

/// Everything that is kept about a face; `T` is a picture of it.
#[derive(Clone, Debug)]
pub struct FaceSummary<T> {
    /// The figures.
    pub figures: FaceFigures,
    /// The probabilities over time.
    pub timeline: Timeline,
    /// The strongest moment of each class.
    pub strongest: Strongest<T>,
}

/// A frame as a face's figures see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// Its number, counting analysed frames.
    pub frame: u64,
    pub time: Duration,
    /// Time until the next analysed frame.
    pub length: Duration,
}

impl FaceFigures {
    pub(super) fn new(id: FaceId, first: Duration) -> Self {
        let (longest, changes) = (BTreeMap::new(), BTreeMap::new());
        Self { id, first, end: first, counts: Counts::default(), longest, changes, current: None }
    }

    /// Adds the next frame with the face.
    pub(super) fn add(&mut self, shown: Shown, sighting: &Sighting) {
        let class = sighting.probabilities.top().0;
        let Shown { frame, time, length } = shown;
        self.counts.add(sighting, length);
        self.end = time + length;
        let fresh = Current { class, episode: Episode { start: time, length }, frame };
        let current = match self.current {
            Some(last) if last.class == class && last.frame + 1 == frame => {
                Current { episode: Episode { length: last.episode.length + length, ..last.episode }, frame, ..last }
            }
            Some(last) => {
                if last.class != class {
                    *self.changes.entry((last.class, class)).or_default() += 1;
                }
                fresh
            }
            None => fresh,
        };
        let longest = self.longest.entry(class).or_insert(current.episode);
        if longest.length < current.episode.length {
            *longest = current.episode;
        }
        self.current = Some(current);
    }

    /// The longest episode of `class`, the first of equals; `None` if it never led.
    pub fn longest(&self, class: usize) -> Option<Episode> {
        self.longest.get(&class).copied()
    }

    /// How often the label changed from one class to another, between two consecutive frames with the face.
    pub fn changes(&self, from: usize, to: usize) -> u64 {
        self.changes.get(&(from, to)).copied().unwrap_or_default()
    }

    /// All changes of the label.
    pub fn all_changes(&self) -> u64 {
        self.changes.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::summary::testing::sighting;

    #[test]
    fn episodes_end_at_a_change_and_at_a_frame_without_the_face() {
        let mut face = FaceFigures::new(FaceId(1), Duration::ZERO);
        use Emotion::{Happy, Sad};
        // Frame 5 is without the face.
        let frames = [(0, Happy), (1, Happy), (2, Sad), (3, Happy), (4, Happy), (6, Happy), (7, Happy), (8, Happy)];
        for (frame, emotion) in frames {
            let shown = Shown { frame, time: Duration::from_secs(frame), length: Duration::from_secs(1) };
            face.add(shown, &sighting(1, emotion, 0.9));
        }
        let secs = Duration::from_secs;
        assert_eq!(face.longest(Happy.index()), Some(Episode { start: secs(6), length: secs(3) }));
        assert_eq!(face.longest(Sad.index()), Some(Episode { start: secs(2), length: secs(1) }));
        assert_eq!(face.longest(Emotion::Fear.index()), None);
        assert_eq!(
            (face.changes(Happy.index(), Sad.index()), face.changes(Sad.index(), Happy.index()), face.all_changes()),
            (1, 1, 2)
        );
        assert_eq!((face.first, face.end), (secs(0), secs(9)));
    }
}
