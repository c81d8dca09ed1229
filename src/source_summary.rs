//! A camera or video in figures: one description for all reports of what was processed.

use serde::Serialize;

use crate::digits::rounded;
#[cfg(feature = "vision")]
use crate::source::SourceInfo;

/// Where frames came from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceSummary {
    /// The camera's name or the file's.
    pub name: String,
    /// Width of its frames in pixels.
    pub width: usize,
    /// Height of its frames in pixels.
    pub height: usize,
    /// Its declared frames per second; 0 if unknown.
    pub fps: f64,
    /// Its pixel format or codec as four characters; empty if unknown.
    pub codec: String,
}

impl SourceSummary {
    /// Declared frames per second for display, rounded to three decimals: films have 23.976.
    pub fn shown_fps(&self) -> f64 {
        rounded(self.fps, 3)
    }
}

#[cfg(feature = "vision")]
impl From<&SourceInfo> for SourceSummary {
    fn from(info: &SourceInfo) -> Self {
        let SourceInfo { name, width, height, fps, fourcc, .. } = info.clone();
        Self { name, width, height, fps, codec: fourcc }
    }
}
