//! Divides work among many machines: a manifest lists the files, each machine processes one shard of it, and a merge joins all results. An
//! engine (Snakemake, Slurm, Kubernetes) starts the machines.

mod entry;
mod films;
mod found;
mod line;
mod manifest;
mod merge;
mod select;
mod shard;
mod split;
mod verify;

pub use self::line::{Kind, ManifestLine};
pub use self::manifest::{Manifest, ManifestError};
pub use self::merge::{Allowed, Merge, Merged};
pub use self::shard::Shard;
pub use self::split::Split;
pub use self::verify::{Verified, verify};
