//! A line for each recipe of a list: drawn in place on a terminal, printed for each epoch elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::member::Event;
use crate::clock::hours_and_minutes;
use crate::commands::train::progress::Told;
use crate::console::tell;
use crate::lab::recipe::Scheduled;
use crate::net::Ending;

/// The state of a recipe.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// It waits to be tried again.
    Waiting,
    /// Something that it needs is missing.
    Skipped(String),
    /// Its training has ended, `before` this run or in it.
    Ended { ending: Ending, before: bool },
    /// It failed.
    Failed(String),
}

/// The lines of all recipes.
pub(super) struct Lines {
    screen: MultiProgress,
    lines: Vec<Line>,
}

struct Line {
    bar: ProgressBar,
    name: String,
    epochs: usize,
    budget: f64,
    /// The message of the last whole epoch.
    last: String,
}

impl Lines {
    pub fn new(list: &[Scheduled]) -> anyhow::Result<Self> {
        let screen = MultiProgress::new();
        let width = list.iter().map(|entry| entry.recipe.name.chars().count()).max().unwrap_or(0);
        let style = ProgressStyle::with_template(&format!("{{prefix:{width}}} [{{bar:12}}] {{wide_msg}}"))?;
        let line = |entry: &Scheduled| {
            let bar = screen.add(ProgressBar::new(entry.recipe.epochs as u64).with_style(style.clone()));
            bar.set_prefix(entry.recipe.name.clone());
            bar.set_message("waiting");
            let (name, epochs, budget) = (entry.recipe.name.clone(), entry.recipe.epochs, entry.budget);
            Line { bar, name, epochs, budget, last: String::new() }
        };
        let lines = list.iter().map(line).collect();
        Ok(Self { screen, lines })
    }

    /// Shows the state of a recipe.
    pub fn set(&mut self, index: usize, state: State) {
        let line = &mut self.lines[index];
        let words = match state {
            State::Waiting => "waiting: there is too little free memory or disk space now".to_owned(),
            State::Skipped(why) => format!("skipped: {why}"),
            State::Ended { ending, before } => {
                let how = match ending {
                    Ending::Finished => "all epochs are done",
                    Ending::StoppedEarly => "stopped early",
                    Ending::BudgetSpent => "its time is spent",
                };
                let before = if before { "ended before: " } else { "" };
                format!("{before}{how}{}", line.epoch_behind())
            }
            State::Failed(why) => format!("failed: {why}"),
        };
        line.say(words);
    }

    /// Shows what a training reported.
    pub fn hear(&mut self, index: usize, event: &Event) {
        let line = &mut self.lines[index];
        match event {
            Event::Told(Told::Epoch { epochs, seconds, best_epoch, best }) => {
                let (of, spent, budget) = (line.epochs, hours_and_minutes(*seconds), hours_and_minutes(line.budget));
                line.last = format!("epoch {epochs} of {of}, best {best_epoch}: {best}, {spent} of {budget}");
                line.bar.set_position(*epochs as u64);
                line.say(line.last.clone());
            }
            Event::Told(Told::Step { epoch, step, steps }) => {
                line.bar.set_message(format!("epoch {epoch}, step {step} of {steps}{}", line.epoch_behind()));
            }
            Event::Silent => {}
        }
    }

    /// Leaves the lines on the screen as they are.
    pub fn close(&self) {
        self.lines.iter().for_each(|line| line.bar.abandon());
        self.screen.set_move_cursor(false);
    }
}

impl Line {
    /// The message of the last whole epoch, to be appended to another.
    fn epoch_behind(&self) -> String {
        if self.last.is_empty() { String::new() } else { format!("; {}", self.last) }
    }

    fn say(&self, words: String) {
        if self.bar.is_hidden() {
            tell(&format!("{}: {words}", self.name));
        }
        self.bar.set_message(words);
    }
}
