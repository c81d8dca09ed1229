//! A training of a list: a process that reports its progress and ends when the list does.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use crossbeam_channel::Sender;

use super::Job;
use crate::commands::train::progress::Told;

/// File in the run folder for a training's messages on standard error.
const LOG: &str = "train.log";

/// What a training sends to its list.
#[derive(Debug)]
pub(super) enum Event {
    /// A report.
    Told(Told),
    /// Its output was closed: it has ended.
    Silent,
}

/// A running training.
pub(super) struct Member {
    pub job: Job,
    child: Child,
    /// Closing it asks the training to stop; the system closes it when the list is killed.
    pipe: Option<ChildStdin>,
    log: PathBuf,
    /// Offset in the log at which this run begins.
    begins: u64,
}

/// A command that runs this program again.
pub(super) fn command() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe().context("can't find the program itself")?))
}

impl Member {
    /// Starts a training; its reports are sent to `events` with its index in the list.
    pub fn start(
        job: Job,
        mut command: Command,
        folder: &Path,
        events: Sender<(usize, Event)>,
    ) -> anyhow::Result<Self> {
        let log = folder.join(LOG);
        let said = OpenOptions::new().create(true).append(true).open(&log);
        let said: File = said.with_context(|| format!("can't write {}", log.display()))?;
        let begins = said.metadata().map_or(0, |data| data.len());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
        let mut child = command.spawn().context("can't start a training")?;
        let pipe = child.stdin.take();
        if let Some(told) = child.stdout.take() {
            let index = job.index;
            let listen = move || {
                for line in BufReader::new(told).lines() {
                    let Ok(line) = line else { break };
                    if let Ok(told) = serde_json::from_str(&line) {
                        // Nobody receives it any more when the list ends.
                        events.send((index, Event::Told(told))).ok();
                    }
                }
                events.send((index, Event::Silent)).ok();
            };
            std::thread::Builder::new()
                .name("member".to_owned())
                .spawn(listen)
                .context("can't read a training's messages")?;
        }
        Ok(Self { job, child, pipe, log, begins })
    }

    /// Asks it to stop after its current step.
    pub fn ask_to_stop(&mut self) {
        self.pipe = None;
    }

    /// Waits for it to end. If it failed, returns its exit code and its last message.
    pub fn end(mut self) -> anyhow::Result<Result<(), (Option<i32>, String)>> {
        let status = self.child.wait().context("can't wait for a training")?;
        if status.success() {
            return Ok(Ok(()));
        }
        let log = std::fs::read(&self.log).unwrap_or_default();
        let said = log.get(self.begins as usize..).map(String::from_utf8_lossy).unwrap_or_default();
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let last = last.strip_prefix("error: ").unwrap_or(last);
        let why = match status.code() {
            Some(_) if !last.is_empty() => last.to_owned(),
            _ => format!("{status}; see {}", self.log.display()),
        };
        Ok(Err((status.code(), why)))
    }
}
