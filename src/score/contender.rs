//! One of the smoothings that are compared.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Interval, Truth};
use crate::classes::Classes;
use crate::face::{Face, FaceId};
use crate::smooth::Smoother;
use crate::verdict::Verdict;

/// A smoothing at work on a video, and its score so far.
#[derive(Debug)]
pub(super) struct Contender {
    classes: Classes,
    smoothing: Option<Duration>,
    smoother: Smoother,
    parts: Vec<Part>,
    /// The current verdict on the scored face; `None` without a face.
    verdict: Option<Verdict>,
    /// The last label while the answer was known (`Some(None)` is unsure), and how often it changed.
    label: Option<Option<usize>>,
    changes: u64,
}

/// A part of the truth, and for how many seconds it was seen, labelled right and unsure.
#[derive(Clone, Debug)]
struct Part {
    interval: Interval,
    seen: f64,
    right: f64,
    unsure: f64,
    delay: Option<f64>,
}

/// How good the labels are under one smoothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Time constant in seconds; 0 means that each frame is taken by itself.
    pub smoothing_secs: f64,
    /// Share of the time with known answers in which the label was right, 0 to 1. Time without a face counts as wrong.
    pub right: f64,
    /// Mean over the classes of [`Self::recall`].
    pub balanced: f64,
    /// The same share for each class that the video displays.
    pub recall: Recalls,
    /// Share of the same time in which no class led clearly.
    pub unsure: f64,
    /// Median of the seconds from the start of a part to its first right label, over the parts that have one.
    pub delay_secs: Option<f64>,
    /// Parts that never had a right label.
    pub never: usize,
    /// Label changes per minute with known answers. A change between two parts counts too, so the ideal is as many changes as the truth
    /// has, not 0.
    pub changes_per_minute: f64,
    /// The score of each part.
    pub intervals: Vec<IntervalScore>,
}

/// Shares keyed by class, in the order of the classes. In JSON, an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recalls(pub Vec<(String, f64)>);

impl Serialize for Recalls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, share)| (key, share)))
    }
}

/// The score of one part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntervalScore {
    /// In seconds.
    pub start: f64,
    /// In seconds.
    pub end: f64,
    /// What is displayed, if it is one of the seven emotions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emotion: Option<String>,
    /// What is displayed, if it is one of the model's own classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Share of the part in which the label was right.
    pub right: f64,
    /// Seconds until the first right label.
    pub delay_secs: Option<f64>,
}

impl Contender {
    /// Creates a contender with this time constant; `None` takes each frame by itself.
    pub(super) fn new(smoothing: Option<Duration>, truth: &Truth) -> Self {
        let part = |interval: &Interval| Part { interval: *interval, seen: 0.0, right: 0.0, unsure: 0.0, delay: None };
        Self {
            classes: truth.classes().clone(),
            smoothing,
            smoother: Smoother::new(smoothing),
            parts: truth.intervals().iter().map(part).collect(),
            verdict: None,
            label: None,
            changes: 0,
        }
    }

    /// Processes a frame in part number `part` of the truth, which refers to the face `whose`.
    pub(super) fn look(&mut self, part: Option<usize>, time: Duration, faces: &[Face], whose: Option<FaceId>) {
        self.smoother.retain(|id| faces.iter().any(|face| face.id == id));
        self.verdict = None;
        for face in faces {
            let smoothed = self.smoother.update(face.id, time, face.raw);
            if Some(face.id) == whose {
                self.verdict = Some(Verdict::of(&Face { smoothed, ..*face }));
            }
        }
        let (Some(verdict), Some(part)) = (self.verdict, part) else { return };
        let label = leader(verdict);
        self.changes += u64::from(self.label.is_some_and(|before| before != label));
        self.label = Some(label);
        let part = &mut self.parts[part];
        if label == Some(part.interval.class) {
            part.delay.get_or_insert(time.as_secs_f64() - part.interval.start);
        }
    }

    /// Counts `seconds` of part number `part` for the current verdict.
    pub(super) fn book(&mut self, part: usize, seconds: f64) {
        let part = &mut self.parts[part];
        part.seen += seconds;
        match self.verdict {
            Some(verdict) if leader(verdict) == Some(part.interval.class) => part.right += seconds,
            Some(Verdict::Unsure) => part.unsure += seconds,
            Some(Verdict::Leads(..)) | None => {}
        }
    }

    /// Returns the score. Parts that the video didn't reach are left out.
    pub(super) fn score(self) -> Score {
        let parts: Vec<&Part> = self.parts.iter().filter(|part| part.seen > 0.0).collect();
        let sum = |seconds: fn(&Part) -> f64| parts.iter().map(|part| seconds(part)).sum::<f64>();
        let seen = sum(|part| part.seen);
        let recall: Vec<(String, f64)> = (0..self.classes.len())
            .filter_map(|class| {
                let of_it = || parts.iter().filter(|part| part.interval.class == class);
                let seen: f64 = of_it().map(|part| part.seen).sum();
                (seen > 0.0)
                    .then(|| (self.classes.key(class).to_owned(), of_it().map(|part| part.right).sum::<f64>() / seen))
            })
            .collect();
        let mut delays: Vec<f64> = parts.iter().filter_map(|part| part.delay).collect();
        delays.sort_by(f64::total_cmp);
        Score {
            smoothing_secs: self.smoothing.map_or(0.0, |constant| constant.as_secs_f64()),
            right: share(sum(|part| part.right), seen),
            balanced: share(recall.iter().map(|(_, recall)| recall).sum(), recall.len() as f64),
            recall: Recalls(recall),
            unsure: share(sum(|part| part.unsure), seen),
            never: parts.len() - delays.len(),
            delay_secs: median(&delays),
            changes_per_minute: share(60.0 * self.changes as f64, seen),
            intervals: parts.into_iter().map(|part| part.score(&self.classes)).collect(),
        }
    }
}

impl Part {
    fn score(&self, classes: &Classes) -> IntervalScore {
        let Self { interval, seen, right, delay, .. } = self;
        let Interval { start, end, class } = *interval;
        let key = Some(classes.key(class).to_owned());
        let (emotion, class) = if classes.are_emotions() { (key, None) } else { (None, key) };
        IntervalScore { start, end, emotion, class, right: share(*right, *seen), delay_secs: *delay }
    }
}

fn leader(verdict: Verdict) -> Option<usize> {
    match verdict {
        Verdict::Leads(class, _) => Some(class),
        Verdict::Unsure => None,
    }
}

/// The median of sorted values: the middle one, or the mean of the middle two.
fn median(ordered: &[f64]) -> Option<f64> {
    let upper = ordered.get(ordered.len() / 2)?;
    let lower = ordered.get((ordered.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// `part / whole`, or 0 if `whole` is 0.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
