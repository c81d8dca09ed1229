//! How a recording was made.

use serde::{Deserialize, Serialize};

use crate::blur::Blur;
use crate::classes::Classes;
use crate::console::counted;
use crate::detect::DetectionOptions;
use crate::network::NetworkInUse;
use crate::version::Versions;

/// Schema of recordings. Changes when the meaning of a field or a file changes.
pub const RECORDING_SCHEMA: u32 = 1;

/// Schema of recordings with custom classes: other columns, so readers of schema 1 must refuse them.
pub const OWN_CLASSES_SCHEMA: u32 = 2;

/// How a recording was made: the contents of [`super::METADATA`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// [`RECORDING_SCHEMA`], or [`OWN_CLASSES_SCHEMA`].
    pub schema: u32,
    /// When it began: RFC 3339 with the offset of the local zone.
    pub started: String,
    /// When it ended; `None` while it runs, and after a kill.
    pub ended: Option<String>,
    /// The camera's name.
    pub device: String,
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// Frame rate that the camera declares.
    pub fps: f64,
    /// The camera's pixel format; empty if it doesn't say.
    pub fourcc: String,
    /// The model's name.
    pub model: String,
    /// SHA-256 of its weights.
    pub model_sha256: String,
    /// The prior that it assumed.
    pub prior: String,
    /// Its classes; left out for the seven emotions.
    #[serde(default, skip_serializing_if = "Classes::are_emotions")]
    pub classes: Classes,
    /// Whether it also evaluated each face mirrored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
    /// Where it ran.
    pub network_device: String,
    /// Time constant of the smoothing in seconds; 0 is off.
    pub smoothing_secs: f64,
    /// How faces were detected.
    pub detection: DetectionOptions,
    /// What was blurred before it was written. If anything was, the video has only the analysed frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<Blur>,
    /// Versions of the program and its libraries.
    pub versions: Versions,
    /// Totals; `None` while it runs, and after a kill.
    pub counts: Option<Counts>,
}

impl Metadata {
    /// The network that it was made with.
    pub fn network(&self) -> NetworkInUse {
        let Self { model, model_sha256: sha256, prior, classes, flip, network_device: device, .. } = self.clone();
        NetworkInUse { model, sha256, prior, flip, device, classes, ..NetworkInUse::default() }
    }
}

/// Totals of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Frames in the video.
    pub frames: u64,
    /// Frames missing from it: the disk or the encoder was too slow, or the disk was full.
    pub frames_lost: u64,
    /// Frames whose labels could not be written; not counted in recordings of older versions.
    #[serde(default)]
    pub labels_lost: u64,
    /// Marks that could not be written; not counted in recordings of older versions.
    #[serde(default)]
    pub marks_lost: u64,
    /// Rows in the table of faces.
    pub faces: u64,
}

impl Counts {
    /// What could not be recorded, in words; `None` if everything was.
    pub fn lost(&self) -> Option<String> {
        let Self { frames_lost, labels_lost, marks_lost, .. } = *self;
        let parts = [
            (frames_lost, counted(frames_lost, "frame", "frames")),
            (marks_lost, counted(marks_lost, "mark", "marks")),
            (labels_lost, format!("the labels of {}", counted(labels_lost, "frame", "frames"))),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, words)| words).collect();
        let (last, others) = parts.split_last()?;
        Some(if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_one_list_in_words() {
        let words = |frames_lost, marks_lost, labels_lost| {
            Counts { frames_lost, marks_lost, labels_lost, ..Counts::default() }.lost()
        };
        assert_eq!(words(0, 0, 0), None);
        assert_eq!(words(1, 0, 0).unwrap(), "1 frame");
        assert_eq!(words(0, 2, 1).unwrap(), "2 marks and the labels of 1 frame");
        assert_eq!(words(12, 1, 3).unwrap(), "12 frames, 1 mark and the labels of 3 frames");
    }

    #[test]
    fn totals_of_older_versions_can_be_read() {
        let counts: Counts = serde_json::from_str(r#"{ "frames": 9, "frames_lost": 3, "faces": 4 }"#).unwrap();
        assert_eq!(counts, Counts { frames: 9, frames_lost: 3, faces: 4, ..Counts::default() });
    }
}
