//! What can be set about face detection.

use clap::ValueEnum;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};
use mien_core::numbers::within;
use mien_net::faces::ScanOptions;
use serde::{Deserialize, Serialize};

/// Default of the least height in pixels to which pictures are shrunk before a full scan; smaller pictures are used as
/// they are.
///
/// At this height, [`MIN_FACE`] is the smallest face that the cascade can find, 24 pixels: more height would find no more.
/// On the demo clip, every height from 100 to 240 found the face in at least 99 % of the frames and with the same
/// overlap (0.95 to 0.97); more height only adds smaller faces. Time of a scan at 200, on one thread: 8 ms without a
/// face in the picture, 13 to 18 ms with a large one.
pub const WORKING_HEIGHT: u32 = 200;

/// Side in pixels of the smallest face that the cascade can find: it was trained on windows of this size.
pub(super) const CASCADE_WINDOW: i32 = 24;

/// Growth of the searched size from one step of a scan to the next. 1.1 takes twice as long as 1.2, and found the demo
/// clip's face in no additional frame.
pub const SCALE_FACTOR: f64 = 1.2;

/// Hits that must agree on a face. On the demo clip, full scans and following together found the face in 98.9 % of the
/// frames with 4 hits and in all of them with 3, which gave no false box in 289 frames without a face; the tracker
/// requires three frames in a row anyway.
pub const MIN_NEIGHBORS: u32 = 3;

/// Smallest face that Haar looks for, as a share of the picture's height: a person at about three metres from a usual webcam.
pub const MIN_FACE: f32 = 0.12;

/// Smallest face that the network looks for: 11 pixels in a wide picture shrunk to 320×180, which is as small as it can find.
pub const MIN_NETWORK_FACE: f32 = 0.06;

/// Frames from one full scan to the next while all faces are found near where they were: a person who enters is seen
/// within half a second at 30 frames a second. Full scans take a third of the detection time with Haar, an eighth with the network.
pub const FULL_SCAN_INTERVAL: u32 = 15;

/// What finds faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DetectorKind {
    /// Mien's own network: heads that tilt and turn too, with eyes, nose and mouth
    #[default]
    Faces,
    /// OpenCV's Haar cascade: upright faces that look at the camera
    Haar,
}

impl DetectorKind {
    /// The detector of recordings that name none.
    fn before_there_was_a_choice() -> Self {
        Self::Haar
    }
}

/// How faces are looked for.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectionOptions {
    /// What finds faces
    #[arg(long, value_enum, value_name = "DETECTOR", default_value_t)]
    #[serde(default = "DetectorKind::before_there_was_a_choice")]
    pub detector: DetectorKind,
    /// Height in pixels that a picture is shrunk to before all of it is searched for faces; less is faster, more
    /// finds smaller faces [default: what --min-face needs; at least 320 for the longer side, 200 for the height with haar]
    #[arg(long = "detect-height", value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(64..=4320))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_height: Option<u32>,
    /// Growth from one searched face size to the next (haar); nearer to 1 is slower and finds more
    #[arg(long = "detect-scale", value_name = "FACTOR", default_value_t = SCALE_FACTOR, value_parser = scale_factor)]
    pub scale_factor: f64,
    /// Hits that must agree on a face (haar); more means fewer false faces and more missed ones
    #[arg(long = "detect-neighbors", value_name = "COUNT", default_value_t = MIN_NEIGHBORS, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub min_neighbors: u32,
    /// Smallest face, as a share of the picture's height; a larger share is faster [default: 0.06, with haar 0.12]
    #[arg(long = "min-face", value_name = "SHARE", value_parser = share)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_face: Option<f32>,
    /// Frames from one search of the whole picture to the next, while known faces are followed in between; at least once a second. 1
    /// searches every frame completely
    #[arg(long = "full-scan-every", value_name = "FRAMES", default_value_t = FULL_SCAN_INTERVAL, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub full_scan_interval: u32,
    /// Stretch the contrast before searching (haar): helps in dark rooms, and finds more false faces
    #[arg(long = "equalize")]
    pub equalize: bool,
}

impl Default for DetectionOptions {
    fn default() -> Self {
        Self {
            detector: DetectorKind::default(),
            working_height: None,
            scale_factor: SCALE_FACTOR,
            min_neighbors: MIN_NEIGHBORS,
            min_face: None,
            full_scan_interval: FULL_SCAN_INTERVAL,
            equalize: false,
        }
    }
}

impl DetectionOptions {
    /// Smallest face, as a share of the picture's height: the chosen one, else the detector's default.
    #[must_use]
    pub fn smallest_face(&self) -> f32 {
        self.min_face.unwrap_or(match self.detector {
            DetectorKind::Faces => MIN_NETWORK_FACE,
            DetectorKind::Haar => MIN_FACE,
        })
    }

    /// The options for a full scan with the network.
    #[must_use]
    pub fn scan(&self) -> ScanOptions {
        ScanOptions { smallest_face: self.smallest_face(), working_height: self.working_height }
    }

    /// Whether both options give the same detector. How often the whole picture is searched doesn't matter, nor do Haar's options for the
    /// network.
    #[must_use]
    pub(crate) fn make_the_same_as(&self, others: &Self) -> bool {
        self.detector == others.detector
            && match self.detector {
                DetectorKind::Faces => self.scan() == others.scan(),
                DetectorKind::Haar => *self == Self { full_scan_interval: self.full_scan_interval, ..*others },
            }
    }

    /// Height in pixels to which pictures are shrunk before a full scan with Haar: the chosen one, else the one at which the smallest
    /// face is as large as the cascade's window, but at least `WORKING_HEIGHT`.
    #[must_use]
    pub fn scan_height(&self) -> u32 {
        let needed = (CASCADE_WINDOW as f32 / self.smallest_face()).ceil() as u32;
        self.working_height.unwrap_or(needed.max(WORKING_HEIGHT))
    }
}

/// The options from a command line, and which of them were given there. A default that was given explicitly counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GivenDetection {
    /// All of them, with defaults for those that were left out.
    pub options: DetectionOptions,
    /// Names of the fields that were given.
    given: Vec<String>,
}

impl GivenDetection {
    /// `others`, with the given options in place of theirs.
    pub fn over(&self, others: &DetectionOptions) -> DetectionOptions {
        let as_fields = |options: &DetectionOptions| match serde_json::to_value(options) {
            Ok(serde_json::Value::Object(fields)) => Some(fields),
            _ => None,
        };
        // Arguments and fields have the same names: clap and serde both take them from the struct.
        let (Some(own), Some(mut merged)) = (as_fields(&self.options), as_fields(others)) else { return self.options };
        merged.extend(own.into_iter().filter(|(name, _)| self.given.contains(name)));
        serde_json::from_value(serde_json::Value::Object(merged)).unwrap_or(self.options)
    }
}

impl Args for GivenDetection {
    fn augment_args(command: clap::Command) -> clap::Command {
        DetectionOptions::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        DetectionOptions::augment_args_for_update(command)
    }
}

impl FromArgMatches for GivenDetection {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let options = DetectionOptions::from_arg_matches(matches)?;
        let known = DetectionOptions::augment_args(clap::Command::new(""));
        let names = known.get_arguments().map(|argument| argument.get_id().as_str());
        let given = names.filter(|name| matches.value_source(name) == Some(ValueSource::CommandLine));
        Ok(Self { options, given: given.map(str::to_owned).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn scale_factor(word: &str) -> Result<f64, String> {
    within(word, 1.01..=2.0)
}

fn share(word: &str) -> Result<f32, String> {
    within(word, 0.01..=1.0)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        options: DetectionOptions,
    }

    #[test]
    fn the_command_line_has_the_same_defaults_as_the_code() {
        assert_eq!(Command::parse_from(["x"]).options, DetectionOptions::default());
    }

    #[derive(Debug, Parser)]
    struct Given {
        #[command(flatten)]
        detection: GivenDetection,
    }

    #[test]
    fn what_is_written_counts_also_if_it_is_the_default_and_the_rest_stays() {
        let saved = DetectionOptions {
            detector: DetectorKind::Faces,
            working_height: Some(333),
            scale_factor: 1.3,
            min_neighbors: 9,
            min_face: Some(0.25),
            full_scan_interval: 4,
            equalize: false,
        };
        let over = |words: &[&str]| Given::parse_from(["x"].iter().chain(words)).detection.over(&saved);
        assert_eq!(over(&[]), saved);
        assert_eq!(over(&["--equalize"]), DetectionOptions { equalize: true, ..saved });
        let written = MIN_NEIGHBORS.to_string();
        assert_eq!(over(&["--detect-neighbors", &written]), DetectionOptions { min_neighbors: MIN_NEIGHBORS, ..saved });
    }

    #[test]
    fn what_a_detector_does_not_look_at_makes_no_other_one() {
        let network = DetectionOptions::default();
        let haar = DetectionOptions { detector: DetectorKind::Haar, ..network };
        type Change = fn(DetectionOptions) -> DetectionOptions;
        let changes: [(Change, bool, bool); 7] = [
            (|it| it, true, true),
            (|it| DetectionOptions { full_scan_interval: 7, ..it }, true, true),
            (|it| DetectionOptions { scale_factor: 1.3, ..it }, true, false),
            (|it| DetectionOptions { min_neighbors: 9, ..it }, true, false),
            (|it| DetectionOptions { equalize: true, ..it }, true, false),
            (|it| DetectionOptions { min_face: Some(0.3), ..it }, false, false),
            (|it| DetectionOptions { working_height: Some(333), ..it }, false, false),
        ];
        for (number, (change, same_network, same_haar)) in changes.into_iter().enumerate() {
            assert_eq!(change(network).make_the_same_as(&network), same_network, "network, change {number}");
            assert_eq!(change(haar).make_the_same_as(&haar), same_haar, "Haar, change {number}");
        }
        assert!(!haar.make_the_same_as(&network) && !network.make_the_same_as(&haar));
    }

    #[test]
    fn the_height_of_a_scan_follows_from_the_smallest_face_unless_one_is_asked_for() {
        let height =
            |words: &[&str]| Command::parse_from([&["x", "--detector", "haar"], words].concat()).options.scan_height();
        assert_eq!(height(&[]), WORKING_HEIGHT);
        assert_eq!(height(&["--min-face", "0.05"]), 480);
        assert_eq!(height(&["--min-face", "0.01"]), 2400);
        assert_eq!(height(&["--min-face", "0.5"]), WORKING_HEIGHT);
        assert_eq!(height(&["--min-face", "0.05", "--detect-height", "200"]), 200);
    }

    #[test]
    fn settings_that_no_scan_can_work_with_are_refused() {
        for words in
            [["--detect-scale", "1.0"], ["--detect-scale", "NaN"], ["--min-face", "0"], ["--full-scan-every", "0"]]
        {
            assert!(Command::try_parse_from(["x"].into_iter().chain(words)).is_err(), "{words:?}");
        }
    }
}
