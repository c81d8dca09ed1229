//! Processes many videos and pictures: what to analyse, what to write for each, and the records that tell the next run what is done.

mod below;
mod facts;
mod index;
mod inputs;
mod job;
mod mpeg_clock;
mod outcome;
mod part;
mod products;
mod progress;
mod record;
mod results;
mod run;
mod state;
mod step;
mod summaries;
mod task;
mod together;

pub use self::below::RecordsBelow;
pub use self::index::write_index;
pub use self::inputs::{Input, InputError, Inputs, PICTURES_NAME, is_picture};
pub use self::job::{Job, Lacking};
pub use self::mpeg_clock::clock_begins_again;
pub use self::outcome::{Problem, RUN_REPORT, RunReport};
pub use self::part::Part;
pub use self::products::{Product, Wanted};
pub use self::progress::ProgressForm;
pub use self::record::{Record, RecordError, Results, Work};
pub use self::run::{Batch, Orders, RECORD_ENDING};
pub use self::state::{FileState, Output};
use self::task::Task;
pub use self::together::{TablesRecord, different_arithmetic};
