//! `mien plan`: the manifest of the files to analyse, which many machines share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use super::times::part_length;
use crate::batch::Inputs;
use crate::clock::hours_and_minutes;
use crate::cluster::{Manifest, Split};
use crate::console::{counted, print, shown, tell, visible};
use crate::exit::WrongUsage;
use crate::interrupt;

/// Print a manifest of the files to analyse, for many machines to share
///
/// One line of JSON for each video, part of a video or picture: id, path, name in results, bytes, modification time, seconds and frames as the
/// file declares them. Videos come first, then pictures, each in order of their paths. A file that can't be read has a line that says why.
///
/// The id is the beginning of the SHA-256 of name, bytes, modification time and number of the part: it says nothing about the contents.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mien plan recordings > manifest.jsonl
  mien analyze --manifest manifest.jsonl --shard 1/4 --output results/1   on the first of four machines
  mien merge results --manifest manifest.jsonl --output all.parquet       when all are done
  mien plan recordings --split 10m > manifest.jsonl                       long films in parts")]
pub struct PlanArgs {
    /// Videos, pictures, folders or patterns, as for `mien analyze`
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,

    /// Skip files in this folder, where the results go
    #[arg(long, value_name = "FOLDER", default_value = "mien-results")]
    pub output: PathBuf,

    /// Cut films into equal parts no longer than this: `10m`, `90s`, `1h` or m:ss. One whose clock starts again in the middle stays whole
    #[arg(long, value_name = "TIME", value_parser = part_length)]
    pub split: Option<Duration>,

    /// Start the analysis of each part this much earlier, so that faces are known and probabilities are smoothed when it begins
    #[arg(long, value_name = "TIME", value_parser = part_length, default_value = "15s", requires = "split")]
    pub overlap: Duration,
}

impl PlanArgs {
    /// Looks at all inputs and prints the manifest.
    ///
    /// # Errors
    /// When there is nothing to analyse, or the user interrupted it.
    pub fn run(self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let split =
            self.split.map(|longest| Split { longest: longest.as_secs_f64(), overlap: self.overlap.as_secs_f64() });
        anyhow::ensure!(
            split.is_none_or(|split| split.longest >= 2.0 * split.overlap),
            WrongUsage("--split has to be at least twice as long as --overlap".to_owned())
        );
        let inputs = Inputs::find(&self.inputs, &self.output)?;
        inputs.notes_on_left_out().for_each(|note| tell(&note));
        let bar = ProgressBar::new((inputs.videos.len() + inputs.pictures.len()) as u64);
        let (manifest, uncut) = Manifest::make(&inputs, split, stop, || bar.inc(1))?;
        bar.finish_and_clear();
        let problems: Vec<_> = manifest.problems().collect();
        for (name, reason) in &problems {
            tell(&format!("warning: {}: {}", shown(name), visible(reason)));
        }
        for name in &uncut {
            tell(&format!(
                "warning: {} stays whole: its clock starts again in the middle, as in files that were joined end to end; with a single \
                 clock it can be cut (docs/scaling.md)",
                shown(name)
            ));
        }
        print(&manifest.to_lines()?)?;
        let whole = manifest.0.iter().filter(|line| line.part.is_none_or(|part| part.number == 1));
        let seconds: Vec<f64> = whole.filter_map(|line| line.seconds).collect();
        let bad = match (problems.len(), manifest.0.len()) {
            (0, _) => String::new(),
            (_, 1) => ", which can't be read".to_owned(),
            (bad, _) => format!(", {bad} of them can't be read"),
        };
        let length = match seconds.as_slice() {
            [] => String::new(),
            seconds => format!("; {} of video", hours_and_minutes(seconds.iter().sum())),
        };
        tell(&format!("{}{bad}{length}", counted(manifest.0.len() as u64, "line", "lines")));
        Ok(())
    }
}
