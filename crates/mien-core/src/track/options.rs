//! The tracker's options, for any frame rate.

use std::time::Duration;

/// When the tracker confirms, shows and forgets faces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackOptions {
    /// How often a face must be found before it is shown.
    pub confirm_after: u32,
    /// How long a face that isn't found is still shown where it is expected.
    pub show_missed_for: Duration,
    /// The least number of frames for which it is still shown, for sources with few frames a second.
    pub show_missed_frames: u32,
    /// The track of a face that isn't found for this long (and isn't shown any more) ends. After that, the face gets its id back only
    /// if it looks similar: see `remember_for`.
    pub forget_after: Duration,
    /// A track whose last box is older than this when a frame comes ends too, even if no frame came in between: the camera
    /// was paused or lost.
    pub max_gap: Duration,
    /// The track of a face that the detector wasn't certain of for this long ends; a face that it was never certain of isn't
    /// shown. `None` accepts every box as a face, as needed for single pictures.
    pub doubt_for: Option<Duration>,
    /// For this long after it was last found, a face whose track has ended (also by a cut) gets its id back if it looks similar.
    pub remember_for: Duration,
}

/// Longest time that a face may take to be confirmed, or may be shown after it was last found. A glance at the camera
/// lasts about as long: waiting longer would miss it, and showing it longer would invent it.
const LONGEST_GUESS: Duration = Duration::from_millis(500);

/// Steps after which the track of a face that wasn't found ends, if analysed frames are far apart: the face may be missed once,
/// and the stamps of a variable frame rate may be late by half a step.
const STEPS_TO_FORGET: f64 = 2.5;

/// If frames are further apart than this, the place can't show that a face is the same: people keep their seats for some
/// seconds; later, somebody else may sit there.
const LONGEST_MEMORY: Duration = Duration::from_secs(10);

impl TrackOptions {
    /// Options for a source of which a frame is analysed every `spacing` of media time.
    ///
    /// At the rates of cameras these are the defaults. The further the frames are apart, the fewer of them confirm a face, and
    /// the fewer show it when it isn't found, so that neither takes longer than `LONGEST_GUESS`. Beyond that spacing, a face is
    /// shown on exactly those frames on which it is found, as in pictures. It keeps its id if frames are at most 10 s apart.
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

    /// Options for a source of which a frame is analysed every `spacing` of media time, `looks` of them if it declares its length.
    /// Like [`Self::for_spacing`], but no face needs more frames to be confirmed than there are.
    #[must_use]
    pub fn for_source(spacing: Duration, looks: Option<u64>) -> Self {
        let usual = Self::for_spacing(spacing);
        let looks = looks.map_or(u32::MAX, |looks| u32::try_from(looks).unwrap_or(u32::MAX));
        Self { confirm_after: usual.confirm_after.min(looks.max(1)), ..usual }
    }

    /// Options for unrelated pictures: no second picture can confirm a face, so every box is accepted.
    #[must_use]
    pub fn for_single_pictures() -> Self {
        Self { confirm_after: 1, doubt_for: None, ..Self::default() }
    }

    /// The longest time for which a face can be away and still get its id back.
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
            // False boxes of the Haar cascade seldom stay for more than two frames; 0.1 s isn't noticeable as a delay.
            confirm_after: 3,
            // At 30 frames a second, the detector loses a face for one to five frames at a time.
            show_missed_for: Duration::from_millis(200),
            show_missed_frames: 2,
            forget_after: Duration::from_secs(1),
            max_gap: Duration::from_secs(2),
            // Four full scans at 30 frames a second. On the demo clip the detector was never unsure for longer than 0.6 s.
            doubt_for: Some(Duration::from_secs(2)),
            // Films cut back to a face after a few seconds; later, somebody else may sit there.
            remember_for: Duration::from_secs(5),
        }
    }
}
