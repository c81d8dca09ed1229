//! Work divided among many machines: a plan that names the files, the shard of it that each machine takes, and the results of all
//! of them as one table. What starts the machines is an engine's: Snakemake, Slurm, Kubernetes.

mod films;
mod found;
mod merge;
mod plan;
mod planned;
mod select;
mod shard;
mod split;
mod verify;

pub use self::merge::{Allowed, Merge, Merged};
pub use self::plan::{Plan, PlanError};
pub use self::planned::{Kind, Planned};
pub use self::shard::Shard;
pub use self::split::Split;
pub use self::verify::{Verified, verify};
