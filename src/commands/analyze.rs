//! `mien analyze`: tables, annotated copies and reports of many videos and pictures.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use super::labels::LabelArgs;
use super::numbers::share;
use super::times::media_time;
use crate::batch::{Batch, Inputs, Job, Lacking, Orders, Product, ProgressForm};
use crate::blur::Blur;
use crate::cluster::{Manifest, Shard};
use crate::console::tell;
use crate::exit::{BadInputs, TryAgain, WrongUsage};
use crate::export::{FaceLines, LinesError, TableFormat};
use crate::interrupt;
use crate::pixels::PixelLimit;
use crate::source::{Span, limit_decoder_threads};
use crate::stages::{SharedNetwork, StageChoices};

/// As an input: write to standard output.
const STANDARD_OUTPUT: &str = "-";

/// Write tables of what is seen in videos and pictures
///
/// Takes videos, pictures, folders with everything below them, and patterns such as 'day*/*.mp4'. Each video gets its own table,
/// and all pictures share one, with a row for each face on each frame; docs/tables.md describes the columns.
///
/// If a run was interrupted, the same command resumes it: finished files are skipped. The same command with more
/// outputs adds what is missing. A file that can't be read doesn't stop the others; it is listed at the end.
///
/// With --manifest it takes one shard of what `mien plan` found. --shard says which one; without it, Slurm's SLURM_ARRAY_TASK_ID and
/// SLURM_ARRAY_TASK_COUNT or Kubernetes' JOB_COMPLETION_INDEX do, and MIEN_SHARDS says how many shards there are.
///
/// Exit codes: 0; 1 nothing was done, or there are results of other options; 2 wrong usage; 3 done, but some inputs are bad; 75 try
/// again (the disk is full, a device or the output folder is in use); 130 interrupted.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mien analyze recordings                          every video and picture in and below a folder
  mien analyze 'day*/*.mp4' --skip 4 --output out  every fifth frame
  mien analyze talk.mp4 --from 1:30 --to 2:00      half a minute
  mien analyze talk.mp4 --video --summary          with an annotated copy and a report
  mien analyze recordings --summary --together     one table over all files, and a page with links to all")]
pub struct AnalyzeArgs {
    /// Videos, pictures, folders or patterns
    #[arg(required_unless_present = "manifest", conflicts_with = "manifest", value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,

    /// Take the files from what `mien plan` printed
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Take shard I of N of the manifest, balanced by duration: the same on every machine [default: the scheduler's, else all]
    #[arg(long, value_name = "I/N", requires = "manifest", conflicts_with = "inputs")]
    pub shard: Option<Shard>,

    /// Folder for the results
    #[arg(long, value_name = "FOLDER", default_value = "mien-results")]
    pub output: PathBuf,

    /// Write CSV tables (the default)
    #[arg(long)]
    pub csv: bool,

    /// Write tables as JSON lines; `--jsonl -` writes the lines to standard output as they come, and no files
    #[arg(long)]
    pub jsonl: bool,

    /// Write tables in Apache Parquet
    #[arg(long)]
    pub parquet: bool,

    /// Also write a table for each file with a row for each analysed frame, even those without a face: frame, time, number of faces
    #[arg(long)]
    pub frames: bool,

    /// Write an annotated copy of each video, with its sound where ffmpeg is installed, and of each picture with a face
    #[arg(long)]
    pub video: bool,

    /// Write a summary of each video, and of all pictures together: a table and a page to read
    #[arg(long)]
    pub summary: bool,

    /// Also write each kind of table over all files of this command, and a page with each file's emotions
    #[arg(long)]
    pub together: bool,

    /// Leave out this many frames after each one that is analysed: 4 analyses every fifth
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,

    /// Begin at this time of each video: seconds, m:ss or h:mm:ss
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = media_time)]
    pub from: Duration,

    /// End before this time of each video
    #[arg(long, value_name = "TIME", value_parser = media_time)]
    pub to: Option<Duration>,

    /// Analyse this many files at once; one alone keeps two to three cores busy
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,

    /// Leave out faces whose picture has a lower quality, from 0 to 1: small, blurred, badly lit or turned away (docs/tables.md)
    #[arg(long, value_name = "QUALITY", value_parser = share::<f32>)]
    pub quality_at_least: Option<f32>,

    /// Make people unrecognisable in annotated copies and reports: blur their faces, or everything else (docs/blur.md)
    #[arg(long, value_enum, value_name = "WHAT")]
    pub blur: Option<Blur>,

    /// Threads of libtorch and of the video decoder, which otherwise has one per core. The pipeline's three stages have one thread
    /// each in addition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// How progress is reported
    #[arg(long, value_enum, default_value_t)]
    pub progress: ProgressForm,

    /// End with exit code 0 even if some inputs are bad; they are still listed
    #[arg(long)]
    pub allow_bad: bool,

    /// Refuse pictures with more megapixels than this
    #[arg(long, value_name = "N", default_value_t)]
    pub max_megapixels: PixelLimit,

    /// Replace results that were made with other options or other arithmetic, that have problems, or that are of files that have changed
    /// since; all others stay
    #[arg(long)]
    pub force: bool,

    /// How faces are looked for and labelled
    #[command(flatten)]
    pub labels: LabelArgs,
}

impl AnalyzeArgs {
    /// Processes the inputs and reports what failed.
    ///
    /// # Errors
    /// When there is nothing to analyse, model, device or folder can't be used, a file could not be analysed (after all
    /// others were), or the user interrupted it.
    pub fn run(self) -> anyhow::Result<()> {
        let allow_bad = self.allow_bad;
        match self.process() {
            Err(error) if allow_bad && error.is::<BadInputs>() => Ok(()),
            ended => ended,
        }
    }

    fn process(self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let span = Span { from: self.from, to: self.to, skip: self.skip };
        let is_in_order = span.to.is_none_or(|to| span.from < to);
        anyhow::ensure!(is_in_order, WrongUsage("--to has to be later than --from".to_owned()));
        if let Some(threads) = self.threads {
            limit_decoder_threads(threads)?;
        }
        if self.inputs.iter().any(|input| input.as_os_str() == STANDARD_OUTPUT) {
            return self.stream(span, stop);
        }
        if let Some(file) = self.output.ancestors().find(|path| path.exists() && !path.is_dir()) {
            anyhow::bail!(WrongUsage(format!("{} is a file; --output has to name a folder", file.display())));
        }
        let (inputs, shard) = self.inputs()?;
        let asked =
            [(self.csv, TableFormat::Csv), (self.jsonl, TableFormat::Jsonl), (self.parquet, TableFormat::Parquet)];
        let mut formats: Vec<_> = asked.iter().filter(|(is_asked, _)| *is_asked).map(|(_, format)| *format).collect();
        if formats.is_empty() {
            formats.push(TableFormat::Csv);
        }
        let choices = self.choices();
        let tables = formats.iter().map(|format| Product::Faces(*format));
        let frames = formats.iter().filter(|_| self.frames).map(|format| Product::Frames(*format));
        let others = [(self.video, Product::Annotated), (self.summary, Product::Summary)];
        let others = others.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, product)| product);
        let wanted = tables.chain(frames).chain(others).collect();
        let orders = Orders {
            wanted,
            together: self.together,
            force: self.force,
            progress: self.progress,
            shard: shard.map(|shard| shard.to_string()),
            least_quality: self.quality_at_least,
            blur: self.blur,
        };
        let batch = Batch::open(&self.output, choices, span, orders, stop)?;
        batch.run(inputs, self.jobs.into(), self.max_megapixels)
    }

    /// How frames are processed.
    fn choices(&self) -> StageChoices {
        let mut choices = self.labels.stages();
        choices.threads = self.threads.unwrap_or(choices.threads);
        choices
    }

    /// The files to analyse, and their shard if they come from a manifest.
    fn inputs(&self) -> anyhow::Result<(Inputs, Option<Shard>)> {
        let Some(path) = &self.manifest else {
            return Ok((self.found()?, None));
        };
        let engine = || Shard::from_environment(|name| std::env::var(name).ok()).map_err(anyhow::Error::msg);
        let shard = self.shard.map_or_else(engine, |shard| Ok(Some(shard)))?.unwrap_or(Shard::WHOLE);
        let manifest = Manifest::read(path)?;
        if manifest.has_parts() {
            anyhow::ensure!(
                !(self.video || self.summary || self.together),
                "films in parts have only tables: leave out --video, --summary and --together, or make the manifest without --split"
            );
            anyhow::ensure!(
                self.from.is_zero() && self.to.is_none(),
                "the manifest says where each part begins and ends; leave out --from and --to"
            );
        }
        Ok((manifest.inputs(shard), Some(shard)))
    }

    /// Finds the named files, and tells the user about those that are left out.
    fn found(&self) -> anyhow::Result<Inputs> {
        let inputs = Inputs::find(&self.inputs, &self.output)?;
        inputs.notes_on_left_out().for_each(|note| tell(&note));
        Ok(inputs)
    }

    /// Writes JSON lines for all inputs to standard output.
    fn stream(mut self, span: Span, stop: &AtomicBool) -> anyhow::Result<()> {
        let wants_files = self.csv || self.parquet || self.frames || self.video || self.summary || self.together;
        if !self.jsonl || wants_files {
            let words =
                "- means standard output, which gets JSON lines and nothing else: mien analyze --jsonl - clip.mp4";
            anyhow::bail!(WrongUsage(words.to_owned()));
        }
        self.inputs.retain(|input| input.as_os_str() != STANDARD_OUTPUT);
        let has_inputs = !self.inputs.is_empty();
        anyhow::ensure!(has_inputs, WrongUsage("name videos or pictures in addition to -".to_owned()));
        let inputs = self.found()?;
        let choices = self.choices();
        let network = choices.load_network()?;
        let classes = network.in_use.classes;
        let network = SharedNetwork::new(network.classifier, choices.threads);
        let job = Job { choices: &choices, network: &network, span, pixels: self.max_megapixels, stop };
        match job.stream(&inputs, self.quality_at_least, &mut FaceLines::new(std::io::stdout(), &classes)) {
            Ok(Lacking { files: 0, .. }) => Ok(()),
            Ok(Lacking { files, may_pass }) => {
                let words =
                    format!("{files} of the inputs could not be analysed, or only in part; the lines above say why");
                Err(if may_pass { TryAgain(words).into() } else { BadInputs(words).into() })
            }
            Err(error) => match error.downcast_ref() {
                Some(LinesError::Closed) => Ok(()),
                _ => Err(error),
            },
        }
    }
}
