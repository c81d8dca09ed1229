//! Work divided among many machines: a manifest that names the files, the shard of it that each machine takes, and the results of all
//! of them as one table. What starts the machines is an engine's: Snakemake, Slurm, Kubernetes.

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
