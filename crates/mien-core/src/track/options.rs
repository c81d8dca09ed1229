//! How the tracker decides, at every rate of frames.

use std::time::Duration;

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

    /// For a source that is looked at every `spacing` of media time, and that has so many looks if it declares its length: as
    /// [`Self::for_spacing`], but no face waits for more looks than there are.
    #[must_use]
    pub fn for_source(spacing: Duration, looks: Option<u64>) -> Self {
        let usual = Self::for_spacing(spacing);
        let looks = looks.map_or(u32::MAX, |looks| u32::try_from(looks).unwrap_or(u32::MAX));
        Self { confirm_after: usual.confirm_after.min(looks.max(1)), ..usual }
    }

    /// For pictures that have nothing to do with each other: no second one confirms a face, so each box is taken for one.
    #[must_use]
    pub fn for_single_pictures() -> Self {
        Self { confirm_after: 1, doubt_for: None, ..Self::default() }
    }

    /// For how long a face that isn't seen may still come back under its number.
    #[must_use]
    pub fn longest_absence(&self) -> Duration {
        self.max_gap.max(self.forget_after).max(self.remember_for)
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
