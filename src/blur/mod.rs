//! Makes people unrecognisable in what is written: blurs ellipses over detected heads, or everything except them.
//!
//! A face is often visible shortly before and after it is detected. Pictures are therefore held back for half a second, so that a new face
//! is blurred in them too. A lost face stays blurred for two more seconds around the place where it was last seen. `docs/blur.md` says what
//! this doesn't guarantee.

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
