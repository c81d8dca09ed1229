//! A training of a list: a process that tells how far it is and ends when the list does.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use crossbeam_channel::Sender;

use super::Job;
use crate::commands::train::progress::Told;

/// What a training says besides, in its run folder.
const LOG: &str = "train.log";

/// What is heard of a training.
#[derive(Debug)]
pub(super) enum Event {
    /// It told something.
    Told(Told),
    /// It says nothing any more: it has ended.
    Silent,
}

/// A training at work.
pub(super) struct Member {
    pub job: Job,
    child: Child,
    /// Closed, it asks the training to stop; the system closes it when the list is killed.
    pipe: Option<ChildStdin>,
    log: PathBuf,
    /// Where in the log this sitting begins.
    begins: u64,
}

/// This program again.
pub(super) fn command() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe().context("can't find the program itself")?))
}

impl Member {
    /// Starts a training and has what it tells sent to `events`, with its place in the list.
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
                        // Nobody hears it any more when the list ends.
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

    /// Asks it to stop after the step that it is at.
    pub fn ask_to_stop(&mut self) {
        self.pipe = None;
    }

    /// Waits for its end; gives its exit code and what it said last, if it failed.
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
