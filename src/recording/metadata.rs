//! How a recording was made.

use serde::{Deserialize, Serialize};

use crate::blur::Blur;
use crate::classes::Classes;
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
    /// Frames for which the disk or the encoder was too slow.
    pub frames_lost: u64,
    /// Rows in the table of faces.
    pub faces: u64,
}
