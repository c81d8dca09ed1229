//! Work divided among many machines: a plan that names the files, the shard of it that each machine takes, and the results of all
//! of them as one table. What starts the machines is an engine's: Snakemake, Slurm, Kubernetes.

mod films;
mod found;
mod merge;
mod plan;
mod select;
mod shard;
mod verify;

pub use self::merge::{Allowed, Merge, Merged};
pub use self::plan::{Kind, Plan, PlanError, Planned, Split};
pub use self::shard::Shard;
pub use self::verify::{Verified, verify};
