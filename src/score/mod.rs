//! How accurate, prompt and steady the labels are on a video with known answers.
//!
//! A network is measured on pictures (`lab::metrics`). What somebody sees in front of a camera also depends on whether the face is found,
//! how long a label takes to follow an expression, and how often it flickers. The last two conflict: stronger smoothing flickers less, but
//! reacts later.

mod contender;
mod report;
mod table;
#[cfg(test)]
mod tests;
mod truth;

use std::time::Duration;

use serde::Serialize;

use contender::Contender;
pub use contender::{IntervalScore, Recalls, Score};
pub use report::Report;
pub use truth::{IGNORE, Interval, LeftOut, Truth, TruthError};

use crate::face::Face;
use crate::pipeline::Scene;

/// Scores the labels of a video under several smoothings at once, frame by frame, in constant memory.
///
/// If a frame has several faces, the truth refers to the largest.
#[derive(Debug)]
pub struct Scorer {
    truth: Truth,
    contenders: Vec<Contender>,
    /// The previous frame, which is shown until the next one.
    shown: Option<Shown>,
    seconds: f64,
    seconds_without_face: f64,
}

/// A frame that is being shown.
#[derive(Clone, Copy, Debug)]
struct Shown {
    since: f64,
    has_face: bool,
}

/// What the scores were measured on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ground {
    /// Seconds of the video with known answers.
    pub seconds: f64,
    /// Seconds of known answers after the end of the video, which don't count.
    pub seconds_beyond: f64,
    /// Share of [`Self::seconds`] in which no face was found, 0 to 1.
    pub no_face: f64,
    /// Time that the truth lists but that isn't scored.
    #[serde(flatten)]
    pub left_out: LeftOut,
}

impl Scorer {
    /// Creates a scorer for labels under each of these smoothings.
    pub fn new(truth: Truth, smoothings: impl IntoIterator<Item = Option<Duration>>) -> Self {
        let contenders = smoothings.into_iter().map(|smoothing| Contender::new(smoothing, &truth)).collect();
        Self { truth, contenders, shown: None, seconds: 0.0, seconds_without_face: 0.0 }
    }

    /// Takes the next frame.
    pub fn push(&mut self, scene: &Scene) {
        let time = scene.frame.media_time;
        self.book_until(time.as_secs_f64());
        let part = self.truth.at(time.as_secs_f64());
        let largest = scene.faces.iter().max_by(|a, b| area(a).total_cmp(&area(b))).map(|face| face.id);
        for contender in &mut self.contenders {
            contender.look(part, time, &scene.faces, largest);
        }
        self.shown = Some(Shown { since: time.as_secs_f64(), has_face: largest.is_some() });
    }

    /// Ends the video, whose last frame is shown for `last_frame`. Returns a score for each smoothing, in their order.
    pub fn finish(mut self, last_frame: Duration) -> (Ground, Vec<Score>) {
        if let Some(Shown { since, .. }) = self.shown {
            self.book_until(since + last_frame.as_secs_f64());
        }
        let ground = Ground {
            seconds: self.seconds,
            seconds_beyond: (self.truth.seconds() - self.seconds).max(0.0),
            left_out: self.truth.left_out(),
            no_face: if self.seconds > 0.0 { self.seconds_without_face / self.seconds } else { 0.0 },
        };
        (ground, self.contenders.into_iter().map(Contender::score).collect())
    }

    /// Counts the time from the previous frame until `now`.
    fn book_until(&mut self, now: f64) {
        let Some(Shown { since, has_face }) = self.shown else { return };
        for (part, seconds) in self.truth.overlaps(since, now) {
            self.seconds += seconds;
            if !has_face {
                self.seconds_without_face += seconds;
            }
            for contender in &mut self.contenders {
                contender.book(part, seconds);
            }
        }
    }
}

fn area(face: &Face) -> f32 {
    face.rect.width * face.rect.height
}
