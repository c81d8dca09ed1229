//! The demo clip, which set-up fetches into the user's cache folder: a talking face for machines without a camera.

use std::path::PathBuf;

use directories::BaseDirs;

/// Environment variable that overrides where the demo clip is looked for.
pub const CLIP_VARIABLE: &str = "MIEN_DEMO_CLIP";

/// Where `scripts/setup.sh` puts the clip, below the user's cache folder.
const CLIP_IN_CACHE: &str = "mien/demo.mp4";

/// The demo clip, if it is on this machine: the file named by [`CLIP_VARIABLE`], else the one that set-up fetched.
///
/// `None` means that the named file doesn't exist, or that set-up has not run for this user or had no network.
#[must_use]
pub fn clip() -> Option<PathBuf> {
    let named = std::env::var_os(CLIP_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let clip = named.or_else(|| BaseDirs::new().map(|user| user.cache_dir().join(CLIP_IN_CACHE)))?;
    clip.is_file().then_some(clip)
}
