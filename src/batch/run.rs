//! Processes the files of a batch, one after another or side by side.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, anyhow, bail};
use serde_json::json;

use super::facts::facts;
use super::index::write_index;
use super::inputs::Inputs;
use super::job::Job;
use super::outcome::{BatchOutcome, Outcome, Problem};
use super::products::{Place, Product, Wanted};
use super::progress::{BatchProgress, ProgressForm};
use super::record::{Record, Results, Work};
use super::state::FileState;
use super::step::Step;
use super::task::Task;
use super::together::{different_arithmetic, write_together};
use crate::blur::Blur;
use crate::exit::TryAgain;
use crate::export::{Existing, ExportError, SCHEMA_VERSION, Staging, remove_leftovers};
use crate::interrupt::Interrupted;
use crate::network::NetworkInUse;
use crate::pixels::PixelLimit;
use crate::prior::PriorChoice;
use crate::report::Fact;
use crate::source::Span;
use crate::stages::{SharedNetwork, StageChoices};
use crate::version::Versions;

/// The file that locks an output folder. Two runs in one folder would take each other's unfinished files for leftovers.
pub const LOCK: &str = ".mien-lock";

/// The end of a record's file name.
pub const RECORD_ENDING: &str = ".mien.json";

/// What all tasks of a run share.
struct Round<'a> {
    in_use: NetworkInUse,
    /// All options that results depend on.
    options: serde_json::Value,
    /// What reports say about model, options and versions.
    facts: Vec<Fact>,
    job: Job<'a>,
    progress: BatchProgress,
}

/// What to write for the files of a batch.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The products for each file.
    pub wanted: Wanted,
    /// Whether there is to be a table over all files as well.
    pub together: bool,
    /// Whether results of other options are replaced.
    pub force: bool,
    /// How progress is reported.
    pub progress: ProgressForm,
    /// Which shard of the planned files this is, in words. `None` without a plan: then no report is written for a merge.
    pub shard: Option<String>,
    /// Faces of lower quality are left out.
    pub least_quality: Option<f32>,
    /// What is blurred in copies and reports.
    pub blur: Option<Blur>,
}

/// Everything that is the same for all files.
pub struct Batch<'a> {
    output: PathBuf,
    choices: StageChoices,
    span: Span,
    orders: Orders,
    stop: &'a AtomicBool,
    /// Held until the batch ends.
    _lock: File,
}

impl<'a> Batch<'a> {
    /// Creates and locks the output folder.
    ///
    /// # Errors
    /// When it can't be created or written to, or another run writes to it.
    pub fn open(
        output: &Path,
        choices: StageChoices,
        span: Span,
        orders: Orders,
        stop: &'a AtomicBool,
    ) -> anyhow::Result<Self> {
        let cannot = || format!("cannot write to the folder {}", output.display());
        fs::create_dir_all(output).with_context(cannot)?;
        let output = output.canonicalize().with_context(cannot)?;
        let lock = File::create(output.join(LOCK)).with_context(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(TryAgain(format!(
                "another `mien analyze` is writing to {}; wait for it, or name another folder with --output",
                output.display()
            ))),
            // Some network drives don't support locks. Users then must avoid two runs themselves.
            Err(TryLockError::Error(error)) => tracing::warn!("{} can't be locked: {error}", output.display()),
        }
        Ok(Self { output, choices, span, orders, stop, _lock: lock })
    }

    /// Processes all files, `jobs` at a time, and prints the outcome.
    ///
    /// # Errors
    /// When the network can't be loaded, the user interrupted it, or a file could not be analysed.
    pub fn run(&self, inputs: Inputs, jobs: usize, pixels: PixelLimit) -> anyhow::Result<()> {
        let network = self.choices.load_network()?;
        let in_use = network.in_use;
        let (options, facts) = (self.options(&in_use), facts(&self.choices, &in_use, self.span));
        let shared = SharedNetwork::new(network.classifier, self.choices.threads);
        let job = Job { choices: &self.choices, network: &shared, span: self.span, pixels, stop: self.stop };

        let problem = |(name, reason): &(PathBuf, String)| Problem {
            name: name.clone(),
            reason: reason.clone(),
            try_again: false,
        };
        let unreadable: Vec<_> = inputs.unreadable.iter().map(problem).collect();
        let mut trouble = Vec::new();
        let tasks = Task::all(inputs);
        self.clean_up(&tasks)?;
        let bytes = tasks.iter().map(Task::bytes).sum();
        let progress = BatchProgress::new(self.orders.progress, tasks.len(), bytes)?;
        let round = Round { in_use, options, facts, job, progress };
        let outcomes = Mutex::new(Vec::new());
        let waiting = Mutex::new(tasks.iter().enumerate());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            for _ in 0..jobs.min(tasks.len()) {
                scope.spawn(|| {
                    while let Some((number, task)) = next().filter(|_| !self.stop.load(Ordering::Relaxed)) {
                        let outcome = self.work(task, &round);
                        outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
                    }
                });
            }
        });
        let Round { in_use, options, .. } = round;
        let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcomes.sort_by_key(|(number, _)| *number);
        let outcomes: Vec<_> = outcomes.into_iter().map(|(number, outcome)| (&tasks[number], outcome)).collect();
        let is_stopped = self.stop.load(Ordering::Relaxed);
        let mut notes = Vec::new();
        if self.orders.together && !is_stopped {
            match self.write_together(&outcomes, &options) {
                Ok(said) => notes = said,
                Err(error) => trouble.push(error),
            }
        }
        if self.orders.together || self.orders.wanted.contains(&Product::Summary) {
            trouble.extend(write_index(&self.output).err());
        }
        if is_stopped {
            let done = outcomes.iter().filter(|(_, outcome)| outcome.results().is_some()).count();
            let all = tasks.len();
            bail!(Interrupted(format!("{done} of {all} are finished and kept; the same command resumes from there")));
        }
        let outcome = BatchOutcome { outcomes, unreadable, trouble, notes, network: in_use.to_string() };
        if let Some(shard) = &self.orders.shard {
            outcome.note(&self.output, shard.clone())?;
        }
        outcome.report(&self.output, &self.orders)
    }

    /// Writes the tables over all finished files. Returns notes for the user.
    fn write_together(
        &self,
        outcomes: &[(&Task, Outcome)],
        options: &serde_json::Value,
    ) -> anyhow::Result<Vec<String>> {
        let mut sum = Results { products: self.orders.wanted.clone(), ..Results::default() };
        let (mut files, mut arithmetic) = (Vec::new(), Vec::<BTreeSet<&str>>::new());
        for (task, outcome) in outcomes {
            let Some(results) = outcome.results() else { continue };
            files.push(self.output.join(&task.name));
            arithmetic.push(results.arithmetic.iter().map(String::as_str).collect());
            sum.take_in(task.file(), results);
        }
        sum.notes.extend(different_arithmetic(&arithmetic));
        write_together(&self.output, &files, options, sum, self.orders.force)
    }

    /// All options that results depend on. The device isn't one: a file may be resumed anywhere, and its results record the arithmetic.
    fn options(&self, network: &NetworkInUse) -> serde_json::Value {
        let Span { from, to, skip } = self.span;
        // In earlier versions, the weights of a file had another effect.
        let is_given = matches!(self.choices.prior, Some(PriorChoice::Given { .. }));
        let mut options = json!({
            "model": self.choices.model.to_string(),
            "model_sha256": network.sha256,
            "prior": network.prior,
            "flip": network.flip,
            "smoothing_secs": self.choices.smoothing.map_or(0.0, |constant| constant.as_secs_f64()),
            "detection": self.choices.detection,
            // Other weights find other faces.
            "detector": crate::detect::version(&self.choices.detection),
            "from_secs": from.as_secs_f64(),
            "to_secs": to.map(|to| to.as_secs_f64()),
            "skip": skip,
            "quality_at_least": self.orders.least_quality,
            "blur": self.orders.blur,
        });
        if is_given {
            options["prior_multiplies"] = "uniform".into();
        }
        options
    }

    /// Removes what a killed run left under temporary names.
    fn clean_up(&self, tasks: &[Task]) -> anyhow::Result<()> {
        let folders: BTreeSet<PathBuf> =
            tasks.iter().filter_map(|task| Some(self.output.join(&task.name).parent()?.to_owned())).collect();
        for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
            remove_leftovers(&folder)
                .with_context(|| format!("can't remove what an earlier run left in {}", folder.display()))?;
        }
        Ok(())
    }

    fn work(&self, task: &Task, round: &Round<'_>) -> Outcome {
        match self.try_work(task, round) {
            Ok(outcome) => outcome,
            Err(error) => {
                let problem = Problem::of(&task.name, &error);
                if !error.is::<Interrupted>() {
                    round.progress.failed(&problem);
                }
                Outcome::Failed(problem)
            }
        }
    }

    fn try_work(&self, task: &Task, round: &Round<'_>) -> anyhow::Result<Outcome> {
        let record_path = self.output.join(format!("{}{RECORD_ENDING}", task.name.to_string_lossy()));
        let work = round.work_of(task);
        let Orders { wanted, force, .. } = &self.orders;
        let to_write = match Step::next(&record_path, &work, wanted, *force, round.in_use.arithmetic.as_deref()) {
            Step::Write(to_write) => to_write,
            other => {
                round.progress.pass_over(task.bytes());
                return Ok(if let Step::Skip(results) = other {
                    Outcome::DoneBefore(results)
                } else {
                    Outcome::OtherWork
                });
            }
        };
        let folder = record_path.parent().unwrap_or(&self.output);
        // Refuse now, not after hours of analysis.
        let names = task.result_names(&to_write.wanted);
        let mut paths = names.iter().map(|name| folder.join(name));
        if let Some(path) = paths.find(|path| path.exists() && !to_write.ours.contains(path)) {
            return Err(is_taken(&path));
        }
        let staging = Staging::create(folder)?;
        if let Some(path) = names.iter().chain([&record_path]).find(|path| is_too_long(staging.path(), path)) {
            let name = path.file_name().unwrap_or_default().display();
            bail!("{name} would be too long as the name of a file; rename the video or picture that it belongs to");
        }

        let results = self.make(task, round, &to_write.wanted, &staging)?;
        let begun = Record {
            schema: SCHEMA_VERSION,
            name: Some(task.file().to_owned()),
            part: task.part(),
            versions: Some(Versions::here()),
            work,
            adding: to_write.before.is_some(),
            results: to_write.before,
            left: to_write.left,
        };
        publish(&record_path, begun, staging, to_write.existing, results)
    }

    /// Analyses the inputs of a task and writes what is wanted into `staging`. The results list the files by the names that they will get.
    fn make(&self, task: &Task, round: &Round<'_>, wanted: &Wanted, staging: &Staging) -> anyhow::Result<Results> {
        let Round { in_use, facts, job, progress, .. } = round;
        let (name, file_name, file) = (task.name.to_string_lossy(), task.file_name(), task.file().to_string_lossy());
        let place = Place {
            folder: staging.path(),
            name: &file_name,
            file: &file,
            wanted,
            least_quality: self.orders.least_quality,
            blur: self.orders.blur,
            classes: &in_use.classes,
            facts,
        };
        let begin = |frames| progress.begin(&name, task.bytes(), frames);
        let results = match task.inputs.as_slice() {
            [input] if task.is_video => job.video(input, place, begin),
            pictures => job.pictures(pictures, place, begin(Some(pictures.len() as u64))),
        };
        let mut results = results.map_err(|error| with_names(error, staging))?;
        results.arithmetic.extend(in_use.arithmetic.clone());
        for output in &mut results.outputs {
            output.file.path = staging.destination_of(&output.file.path);
        }
        Ok(results)
    }
}

impl Round<'_> {
    /// What the results of a task depend on.
    fn work_of(&self, task: &Task) -> Work {
        let inputs = task.inputs.iter().filter_map(|input| FileState::of(&input.path).ok()).collect();
        let mut options = self.options.clone();
        if !task.is_video {
            // A picture that was too large may be read with another limit.
            options["max_megapixels"] = json!(self.job.pixels.to_string());
        }
        if let Some(part) = task.part() {
            options["part"] = json!(part);
        }
        Work { inputs, options }
    }
}

/// Moves results from `staging` to their names, in three steps: writes the record `begun`, which claims the files for Mien and says what
/// was there before; moves the files; completes the record. The outcome has all results that the record then lists.
///
/// # Errors
/// When a file of such a name exists and must be kept, or something can't be written.
fn publish(
    record_path: &Path,
    begun: Record,
    staging: Staging,
    existing: Existing,
    results: Results,
) -> anyhow::Result<Outcome> {
    // Written before anything is moved, so that after a kill the next run knows these files are Mien's.
    begun.write(record_path)?;
    if let Err(error) = staging.publish(existing) {
        if existing == Existing::Keep {
            // What was moved has been removed again. If the record can't be removed, the results count as unfinished.
            fs::remove_file(record_path).ok();
        }
        return Err(match error {
            ExportError::Exists(path) => is_taken(&path),
            other => other.into(),
        });
    }
    // Not all that the same work made before is made again: a picture may have no copy because no face is found in it any more.
    let before = begun.results.iter().flat_map(|before| &before.outputs).map(|output| &output.file.path);
    let earlier: Vec<PathBuf> = before.chain(&begun.left).cloned().collect();
    let results = match begun.results {
        Some(before) => results.added_to(before),
        None => results,
    };
    let listed: BTreeSet<&Path> = results.outputs.iter().map(|output| output.file.path.as_path()).collect();
    let left: Vec<_> = earlier.into_iter().filter(|path| path.exists() && !listed.contains(path.as_path())).collect();
    // The user was told about these when they were left.
    let known = if begun.adding { begun.left.clone() } else { Vec::new() };
    Record { results: Some(results.clone()), adding: false, left: left.clone(), ..begun }.write(record_path)?;
    Ok(Outcome::Done { results, left: left.into_iter().filter(|path| !known.contains(path)).collect() })
}

fn is_taken(path: &Path) -> anyhow::Error {
    anyhow!("{} exists already and was left alone; choose another folder with --output", path.display())
}

/// Whether no file in `folder` can have the name of `path`, because the system allows only shorter ones.
fn is_too_long(folder: &Path, path: &Path) -> bool {
    let there = path.file_name().map(|name| fs::symlink_metadata(folder.join(name)));
    matches!(there, Some(Err(error)) if error.kind() == io::ErrorKind::InvalidFilename)
}

/// Puts the final name of a file into an error about it.
fn with_names(error: anyhow::Error, staging: &Staging) -> anyhow::Error {
    error.downcast::<ExportError>().map_or_else(|other| other, |error| staging.with_final_name(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Output;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_the_system_does_not_allow_is_known_before_a_file_gets_it() {
        let home = tempfile::tempdir().unwrap();
        let is_too_long = |bytes: usize| is_too_long(home.path(), &Path::new("day1").join("x".repeat(bytes)));
        assert!(!is_too_long(255) && is_too_long(256));
    }

    #[test]
    fn results_that_are_not_made_again_stay_and_are_noted_as_left() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let copies = |names: &[&str]| {
            let output = |name: &&str| {
                fs::write(path(name), "copy").unwrap();
                Output::of(Product::Annotated, &path(name)).unwrap()
            };
            let outputs = names.iter().map(output).collect();
            Results { outputs, products: [Product::Annotated].into(), ..Results::default() }
        };
        let before = copies(&["a.png", "b.png"]);
        fs::write(path("pictures.jsonl"), "of other options").unwrap();
        let begun = Record {
            schema: SCHEMA_VERSION,
            adding: true,
            results: Some(before),
            left: ["pictures.jsonl", "removed.csv"].map(path).to_vec(),
            ..Record::default()
        };
        let staging = Staging::create(home.path()).unwrap();
        fs::write(staging.path().join("a.png"), "new copy").unwrap();
        let record_path = path("pictures.mien.json");
        let outcome = publish(&record_path, begun, staging, Existing::Replace, copies(&["a.png"])).unwrap();
        let Outcome::Done { results, left } = outcome else { panic!("nothing was done") };
        assert_eq!(results.outputs.iter().map(|output| &output.file.path).collect::<Vec<_>>(), [&path("a.png")]);
        assert_eq!(Record::read(&record_path).unwrap().left, ["b.png", "pictures.jsonl"].map(path));
        // The other one was left by an earlier run.
        assert_eq!(left, [path("b.png")]);
    }
}
