//! `mien train --all`: trains the recipes of a list, each in its own process and within its time budget, and compares them at the end.
//!
//! libtorch's random generator and number of threads belong to the process, so two trainings in one process would not be reproducible.
//! Also, a training that runs out of memory takes no other with it.

mod given;
mod line;
mod member;

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use tch::Device;

use self::given::Given;
use self::line::{Lines, State};
use self::member::{Event, Member};
use super::TrainArgs;
use crate::commands::compare;
use crate::console::{describe, tell};
use crate::exit::{BadInputs, TRY_AGAIN, TryAgain, is_temporary};
use crate::interrupt::Interrupted;
use crate::lab::recipe::{RecipeList, Scheduled};
use crate::lab::{is_own, lock_folder};
use crate::net::{Ending, ModelSource};

/// How often to check whether the user wants to stop.
const GLANCE: Duration = Duration::from_millis(200);
/// How long a training left over from a list that was killed may need to notice: a step of a large network, and a measurement.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many times to try a training that doesn't fit on the device.
const MOST_TRIES: usize = 5;

/// A recipe that can be trained here.
struct Job {
    /// Its place in the list.
    index: usize,
    /// How often it was tried before in this run.
    tries: usize,
}

impl TrainArgs {
    pub(super) fn train_list(&self, path: &Path, device: Device, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut list = RecipeList::read(path)?.recipes;
        if let Some(minutes) = self.budget {
            list.iter_mut().for_each(|entry| entry.budget = 60.0 * minutes);
        }
        let given = Given::new(&self.data, &self.backbone, self.reading.ferplus.is_some(), &list)?;
        let runs = compare::runs_of(path, self.runs.as_deref());
        std::fs::create_dir_all(&runs).with_context(|| format!("can't make the folder {}", runs.display()))?;
        let _lock = locked(&runs, Duration::ZERO, stop)?;

        let mut lines = Lines::new(&list)?;
        let mut waiting = VecDeque::new();
        for (index, entry) in list.iter().enumerate() {
            let folder = runs.join(&entry.recipe.name);
            if let Some(ending) = ended(entry, &folder) {
                lines.set(index, State::Ended { ending, before: true });
            } else if let Err(missing) = given.of(entry) {
                lines.set(index, State::Skipped(missing));
            } else {
                waiting.push_back(Job { index, tries: 0 });
            }
        }
        let cores = crate::device::cores();
        let jobs = self.jobs.map_or_else(|| if device == Device::Cpu { 1 } else { (cores + 1) / 2 }, i32::from);
        let jobs = jobs.clamp(1, waiting.len().max(1) as i32);
        let threads = self.threads.map_or((cores / jobs).max(1), i32::from);
        tell(&format!("{} of {} recipes to train, {jobs} side by side", waiting.len(), list.len()));

        let work = Work { arguments: self, list: &list, given: &given, runs: &runs, threads };
        let failed = work.run(waiting, jobs as usize, &mut lines, stop)?;
        lines.close();
        compare::show_list(&list, &runs, &failed.places)?;
        failed.result(list.len())
    }
}

/// Why a recipe's training has ended, if nothing is left to do: it was measured on its own data, and this budget wouldn't continue it.
fn ended(entry: &Scheduled, folder: &Path) -> Option<Ending> {
    let model = folder.join(format!("{}.safetensors", entry.recipe.name));
    // A mean of models that was written in its place isn't its training's.
    let card = ModelSource::File(model).card().ok().filter(|card| card.mean_of.is_empty())?;
    // Figures on other data come from manual measurements.
    let ending = card.training.ending.filter(|_| card.evaluation.iter().any(|entry| is_own(&card, entry)))?;
    // The card rounds to whole seconds.
    let is_spent = ending != Ending::BudgetSpent || card.training.wall_seconds + 0.5 >= entry.budget;
    (is_spent && entry.is_in(&card.training.recipe)).then_some(ending)
}

/// Locks a folder; waits for up to `patience` while another process holds it.
fn locked(folder: &Path, patience: Duration, stop: &AtomicBool) -> anyhow::Result<Option<File>> {
    let begun = Instant::now();
    loop {
        match lock_folder(folder) {
            Err(error)
                if error.kind() == std::io::ErrorKind::ResourceBusy
                    && begun.elapsed() < patience
                    && !stop.load(Ordering::Relaxed) =>
            {
                std::thread::sleep(GLANCE);
            }
            result => return result.with_context(|| format!("can't use the folder {}", folder.display())),
        }
    }
}

/// The recipes that failed.
#[derive(Default)]
struct Failures {
    /// Their places in the list.
    places: Vec<usize>,
    /// How many of them another try won't help.
    for_good: usize,
}

impl Failures {
    fn add(&mut self, place: usize, is_temporary: bool) {
        self.places.push(place);
        self.for_good += usize::from(!is_temporary);
    }

    /// # Errors
    /// When any of the `all` recipes failed.
    fn result(&self, all: usize) -> anyhow::Result<()> {
        let words = format!("{} of {all} recipes failed", self.places.len());
        match (self.places.as_slice(), self.for_good) {
            ([], _) => Ok(()),
            (_, 0) => Err(TryAgain(words).into()),
            _ => Err(BadInputs(words).into()),
        }
    }
}

/// What all trainings of a run share.
struct Work<'a> {
    arguments: &'a TrainArgs,
    list: &'a [Scheduled],
    given: &'a Given,
    runs: &'a Path,
    threads: i32,
}

impl Work<'_> {
    /// Trains until nothing is waiting or running; returns what failed.
    fn run(
        &self,
        mut waiting: VecDeque<Job>,
        jobs: usize,
        lines: &mut Lines,
        stop: &AtomicBool,
    ) -> anyhow::Result<Failures> {
        // Unbounded, because trainings report only twice a second and at the end of an epoch, so only a few messages ever wait.
        let (events, heard) = unbounded();
        let mut working: Vec<Member> = Vec::new();
        let mut failed = Failures::default();
        // Lowered when the device has no room for one more.
        let mut room = jobs;
        while !waiting.is_empty() || !working.is_empty() {
            while working.len() < room && !stop.load(Ordering::Relaxed) {
                let Some(job) = waiting.pop_front() else { break };
                let index = job.index;
                match self.begin(job, events.clone(), stop) {
                    Ok(member) => working.push(member),
                    // The user stopped it while it waited for a folder.
                    Err(_) if stop.load(Ordering::Relaxed) => {}
                    Err(error) => {
                        failed.add(index, is_temporary(&error));
                        lines.set(index, State::Failed(describe(&error)));
                    }
                }
            }
            if stop.load(Ordering::Relaxed) {
                return interrupted(working, &heard, lines);
            }
            let (index, event) = match heard.recv_timeout(GLANCE) {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => bail!("the trainings' messages can't be read"),
            };
            let Event::Silent = event else {
                lines.hear(index, &event);
                continue;
            };
            // Ctrl-C reaches the trainings too; one that it ended hasn't failed.
            if stop.load(Ordering::Relaxed) {
                continue;
            }
            let Some(place) = working.iter().position(|member| member.job.index == index) else { continue };
            let member = working.swap_remove(place);
            let tries = member.job.tries + 1;
            match member.end()? {
                Ok(()) => {
                    let folder = self.folder(index);
                    match ended(&self.list[index], &folder) {
                        Some(ending) => lines.set(index, State::Ended { ending, before: false }),
                        None => {
                            failed.add(index, false);
                            lines.set(index, State::Failed(format!("{} holds no measured model", folder.display())));
                        }
                    }
                }
                Err((Some(code), _)) if code == i32::from(TRY_AGAIN) && tries < MOST_TRIES && !working.is_empty() => {
                    room = room.min(working.len());
                    lines.set(index, State::Waiting);
                    waiting.push_back(Job { index, tries });
                }
                Err((code, why)) => {
                    failed.add(index, code == Some(TRY_AGAIN.into()));
                    lines.set(index, State::Failed(why));
                }
            }
        }
        Ok(failed)
    }

    fn begin(
        &self,
        job: Job,
        events: crossbeam_channel::Sender<(usize, Event)>,
        stop: &AtomicBool,
    ) -> anyhow::Result<Member> {
        let entry = &self.list[job.index];
        let folder = self.folder(job.index);
        std::fs::create_dir_all(&folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
        // Only to check that it is free: the training itself will lock it.
        drop(locked(&folder, PATIENCE, stop)?);
        let mut command = member::command()?;
        command.arg("train").arg(&entry.path).args(["--member", "--measure", "--run"]).arg(&folder);
        command.args(["--budget", &(entry.budget / 60.0).to_string(), "--threads", &self.threads.to_string()]);
        command.args(["--device", &self.arguments.device.to_string()]);
        command.args(self.arguments.reading.arguments(entry.recipe.target.needs_votes()));
        let (data, weights) = self.given.of(entry).map_err(anyhow::Error::msg)?;
        for (option, path) in
            data.iter().map(|path| ("--data", path)).chain(weights.iter().map(|path| ("--backbone", path)))
        {
            command.arg(option).arg(path);
        }
        Member::start(job, command, &folder, events)
    }

    fn folder(&self, index: usize) -> PathBuf {
        self.runs.join(&self.list[index].recipe.name)
    }
}

/// Ends all trainings that are at work; what they have done up to their last whole epoch is kept.
fn interrupted(working: Vec<Member>, heard: &Receiver<(usize, Event)>, lines: &mut Lines) -> anyhow::Result<Failures> {
    let mut working = working;
    working.iter_mut().for_each(Member::ask_to_stop);
    for member in working {
        // How it ended doesn't matter: an interrupted training exits with an error.
        member.end()?.ok();
    }
    heard.try_iter().for_each(|(index, event)| lines.hear(index, &event));
    lines.close();
    Err(Interrupted("whole epochs are kept; the same command resumes from there".to_owned()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn a_list_is_worth_another_try_if_every_failure_is() {
        let code = |failures: &[bool]| {
            let mut failed = Failures::default();
            failures.iter().enumerate().for_each(|(place, is_temporary)| failed.add(place, *is_temporary));
            failed.result(3).err().map(|error| exit::code(&error))
        };
        assert_eq!(code(&[]), None);
        assert_eq!(code(&[true, true]), Some(TRY_AGAIN));
        assert_eq!(code(&[true, false]), Some(3));
    }
}
