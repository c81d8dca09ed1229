//! Many videos and pictures processed into files: what is to be analysed, what is written of each, and the manifests by which the
//! next run knows what is done.

mod facts;
mod index;
mod inputs;
mod job;
mod manifest;
mod plan;
mod products;
mod progress;
mod results;
mod run;
mod summaries;
mod together;

pub use self::inputs::{Input, InputError, Inputs};
pub use self::job::Job;
pub use self::products::{Product, Wanted};
pub use self::run::{Batch, Orders};
