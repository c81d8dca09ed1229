//! Versions of Mien and of the libraries that decide what it computes and how fast.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Commit that the program was built from, or `unknown` outside a git checkout.
pub const GIT_COMMIT: &str = env!("MIEN_GIT_COMMIT");

/// Versions of Mien and its libraries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Mien's version.
    pub mien: String,
    /// The commit that it was built from; `unknown` outside a git checkout.
    pub commit: String,
    /// The libtorch that it was linked with.
    pub libtorch: String,
    /// The OpenCV that is loaded; `None` in a build without it.
    pub opencv: Option<String>,
}

impl Versions {
    /// Versions of the running program.
    #[must_use]
    pub fn here() -> Self {
        Self {
            mien: env!("CARGO_PKG_VERSION").to_owned(),
            commit: GIT_COMMIT.to_owned(),
            libtorch: env!("MIEN_LIBTORCH_VERSION").to_owned(),
            opencv: opencv_version(),
        }
    }
}

#[cfg(feature = "vision")]
fn opencv_version() -> Option<String> {
    opencv::core::get_version_string().ok()
}

#[cfg(not(feature = "vision"))]
fn opencv_version() -> Option<String> {
    None
}

/// The text after the program's name in `mien --version`.
pub fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let Versions { mien, commit, libtorch, opencv } = Versions::here();
        let opencv = opencv.unwrap_or_else(|| "not built in".into());
        let profile = if cfg!(debug_assertions) { ", debug build" } else { "" };
        format!("{mien} (commit {commit}{profile})\nlibtorch {libtorch}\nOpenCV {opencv}")
    });
    &TEXT
}
