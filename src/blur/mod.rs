//! People made unrecognisable in what is written: ellipses over the heads that were found, blurred, or all but those.
//!
//! A face that is found only later, or not any more for a moment, was there all the same. So pictures wait for half a second
//! before they are given away, and a face that appears is blurred in those before it too; one that is lost is blurred for two more
//! seconds around the place where it was last seen. `docs/blur.md` says what that doesn't promise.

mod ellipse;
mod paint;
mod scene;
mod timeline;

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use paint::blur_still;
pub use scene::SceneBlurrer;
pub use timeline::Blurrer;

/// What is blurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Blur {
    /// The faces
    Faces,
    /// Everything but the faces
    Background,
}

impl fmt::Display for Blur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Faces => "faces",
            Self::Background => "background",
        })
    }
}
