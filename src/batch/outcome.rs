//! The outcome of a batch, reported to the user at the end, and to the caller by the exit code.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::record::{Results, write_json};
use super::run::Orders;
use super::together::left_in_words;
use super::{Product, Task};
use crate::console::{counted, describe, print, tell, visible};
use crate::exit::{BadInputs, TryAgain, is_temporary};
use crate::export::ExportError;

/// File name of a run's report in its output folder.
pub const RUN_REPORT: &str = "mien-run.json";

/// The outcome of a task.
pub enum Outcome {
    Done {
        results: Results,
        /// Older results that stay beside them, as far as the user wasn't told before.
        left: Vec<PathBuf>,
    },
    DoneBefore(Results),
    /// There are results of other options, or of another state of the file.
    OtherWork,
    Failed(Problem),
}

/// Why an input has no results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The name that its results would have.
    pub name: PathBuf,
    /// What is wrong, for the user.
    pub reason: String,
    /// Whether another try may succeed.
    pub try_again: bool,
}

/// The outcome of a run, for merging the results of many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// Which shard of the files it processed, such as `2/10`; empty for all.
    #[serde(default)]
    pub shard: String,
    /// How many files have results now.
    pub done: usize,
    /// The inputs that have none.
    pub problems: Vec<Problem>,
}

/// Everything that is reported about a run.
pub struct BatchOutcome<'a> {
    /// The outcome of each task, in order.
    pub outcomes: Vec<(&'a Task, Outcome)>,
    /// Inputs that no task could be made for.
    pub unreadable: Vec<Problem>,
    /// Errors with tables over all files and with the index.
    pub trouble: Vec<anyhow::Error>,
    /// Notes on tables over all files.
    pub notes: Vec<String>,
    /// The network in words.
    pub network: String,
}

impl Outcome {
    /// The results, made now or before.
    pub fn results(&self) -> Option<&Results> {
        match self {
            Self::Done { results, .. } | Self::DoneBefore(results) => Some(results),
            Self::OtherWork | Self::Failed(_) => None,
        }
    }
}

impl Problem {
    /// Describes an error.
    pub fn of(name: &Path, error: &anyhow::Error) -> Self {
        Self { name: name.to_owned(), reason: describe(error), try_again: may_pass(error) }
    }
}

/// Whether another try may succeed. It may if a result can't be written, which isn't the input's fault, unless its name is impossible.
fn may_pass(error: &anyhow::Error) -> bool {
    use ExportError::{Folder, Incomplete, OpenCv, Write, WriterDied};
    use io::ErrorKind::InvalidFilename;
    let is_of_writing = |error: &ExportError| match error {
        // Not only if the kind says so: writers of tables wrap the system's error.
        Folder { reason, .. } | Write { reason, .. } => reason.kind() != InvalidFilename,
        Incomplete { .. } | OpenCv(_) | WriterDied => true,
        _ => false,
    };
    is_temporary(error) || error.downcast_ref().is_some_and(is_of_writing)
}

impl RunReport {
    /// Reads the report at `path`.
    ///
    /// # Errors
    /// When it can't be read, or isn't a report.
    pub fn read(path: &Path) -> io::Result<Self> {
        let damaged = |_where| {
            let words = "it is damaged, and the next run into its folder writes it anew";
            io::Error::new(io::ErrorKind::InvalidData, words)
        };
        serde_json::from_slice(&std::fs::read(path)?).map_err(damaged)
    }
}

impl BatchOutcome<'_> {
    /// Writes the report into the folder.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn note(&self, folder: &Path, shard: String) -> Result<(), ExportError> {
        let path = folder.join(RUN_REPORT);
        let failed = self.outcomes.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(problem) => Some(problem),
            _ => None,
        });
        let problems = self.unreadable.iter().chain(failed).cloned().collect();
        let done = self.outcomes.iter().filter_map(|(_, outcome)| outcome.results()).count();
        write_json(&path, &RunReport { shard, done, problems })
    }

    /// Prints the outcome.
    ///
    /// # Errors
    /// When an input has no complete results, or the tables over all files or the index couldn't be written: [`TryAgain`] if another try
    /// may succeed, [`BadInputs`] if only inputs are at fault, otherwise a plain error.
    pub fn report(self, output: &Path, orders: &Orders) -> anyhow::Result<()> {
        let (mut new, mut before, mut frames, mut faces, mut below_quality) = (0, 0, 0, 0, 0);
        let (mut other_work, mut left) = (Vec::new(), Vec::new());
        let mut is_worth_a_try = self.unreadable.iter().any(|problem| problem.try_again);
        let unreadable = self.unreadable.iter().map(|it| format!("{}: {}", it.name.display(), it.reason));
        let mut complaints: Vec<_> = unreadable.collect();
        for (task, outcome) in &self.outcomes {
            let name = task.name.display();
            match outcome {
                Outcome::Done { left: older, .. } => {
                    new += 1;
                    left.extend(older.iter().cloned());
                }
                Outcome::DoneBefore(_) => before += 1,
                Outcome::OtherWork => other_work.push(task.name.as_path()),
                Outcome::Failed(problem) => {
                    is_worth_a_try |= problem.try_again;
                    complaints.push(format!("{name}: {}", problem.reason));
                }
            }
            let Some(results) = outcome.results() else { continue };
            frames += results.frames;
            faces += results.faces;
            below_quality += results.below_quality;
            complaints.extend(results.complaints.iter().map(|complaint| format!("{name}: {complaint}")));
        }
        let bad = complaints.len() + other_work.len();
        complaints.extend(refusal(&other_work));
        complaints.extend(self.trouble.iter().map(describe));
        is_worth_a_try |= self.trouble.iter().any(may_pass);
        if !orders.progress.is_json() {
            let is_copied_or_summed_up =
                [Product::Annotated, Product::Summary].iter().any(|it| orders.wanted.contains(it));
            let what = if is_copied_or_summed_up { "Results" } else { "Tables" };
            print(&format!(
                "{new} analysed, {before} done before: {}, {} ({})\n{what} in {}\n",
                counted(frames, "frame", "frames"),
                counted(faces, "face", "faces"),
                self.network,
                output.display()
            ))?;
            if let Some(least) = orders.least_quality {
                let poor = counted(below_quality, "face", "faces");
                tell(&format!("{poor} of a quality below {least} left out"));
            }
            if !complaints.is_empty() {
                let lines: Vec<_> = complaints.iter().map(|complaint| visible(complaint)).collect();
                print(&format!("\nProblems:\n  {}\n", lines.join("\n  ")))?;
            }
        }
        left_in_words(&left).iter().chain(&self.notes).for_each(|note| tell(note));
        orders.progress.end(new, before, &complaints)?;
        if complaints.is_empty() {
            return Ok(());
        }
        let what = if bad > 0 {
            format!("{bad} of the inputs could not be analysed, or only in part")
        } else {
            "all inputs are analysed, but the tables over all of them, or the index, could not be written".to_owned()
        };
        let summary = format!("{what}; the list above says why");
        if is_worth_a_try {
            bail!(TryAgain(summary));
        }
        if other_work.is_empty() && self.trouble.is_empty() {
            bail!(BadInputs(summary));
        }
        bail!(summary)
    }
}

/// One line for all files that have results of other work.
fn refusal(names: &[&Path]) -> Option<String> {
    let [first, others @ ..] = names else { return None };
    let them = match others {
        [] => format!(
            "{}: was analysed with other options or by an older Mien, or it or its results have changed since",
            first.display()
        ),
        [other] => format!("{} and {}: were", first.display(), other.display()),
        more => format!("{} and {} more files: were", first.display(), more.len()),
    };
    let rest = if others.is_empty() {
        ""
    } else {
        " analysed with other options or by an older Mien, or they or their results have changed since"
    };
    Some(format!("{them}{rest}; use --force to replace the results, or another --output to keep them"))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::{InvalidFilename, Other, PermissionDenied, ReadOnlyFilesystem, StorageFull};

    use super::*;

    #[test]
    fn a_result_with_an_impossible_name_is_no_reason_to_try_again() {
        let path = PathBuf::from("a.csv");
        let may_be_written = |kind: io::ErrorKind| {
            let write = ExportError::Write { path: path.clone(), reason: kind.into() };
            let folder = ExportError::Folder { folder: path.clone(), reason: kind.into() };
            [write, folder].map(|error| Problem::of(&path, &error.into()).try_again)
        };
        for kind in [StorageFull, Other, PermissionDenied, ReadOnlyFilesystem] {
            assert_eq!(may_be_written(kind), [true, true], "{kind}");
        }
        assert_eq!(may_be_written(InvalidFilename), [false, false]);
    }
}
