//! `mien score`: labels against known answers.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use super::labels::{LabelArgs, smoothing_secs};
use crate::console::progress::Progress;
use crate::console::{print, print_json};
use crate::detect::DetectionOptions;
use crate::interrupt::{self, Interrupted};
use crate::network::NetworkInUse;
use crate::pipeline::{Labeller, run_to_end};
use crate::score::{Ground, Report, Score, Scorer, Truth};
use crate::source::{FrameSource as _, VideoSource};
use crate::version::Versions;

/// Measure the labels on a video whose answers are known
///
/// Reports for how much of the time the label is right, how long it takes to follow an expression, and how often it changes, without
/// smoothing and with it. If there are several faces in the picture, the largest one counts.
#[derive(Clone, Debug, Args)]
pub struct ScoreArgs {
    /// The video
    #[arg(value_name = "VIDEO")]
    pub file: PathBuf,

    /// What it shows: a CSV file with the columns start,end,emotion (or class), times in seconds or as 1:30.5. Emotions as data sets call
    /// them (anger, Happiness), custom classes as the model does; `ignore` leaves a part out, and so does contempt, which networks of the
    /// seven emotions don't name
    #[arg(long, value_name = "FILE.csv")]
    pub truth: PathBuf,

    /// Also score these smoothings: seconds, separated by commas
    #[arg(long, value_name = "SECONDS,…", value_delimiter = ',', value_parser = smoothing_secs)]
    pub try_smoothing: Vec<f32>,

    /// Print everything as one JSON object, part by part
    #[arg(long)]
    pub json: bool,

    /// How faces are looked for and labelled
    #[command(flatten)]
    pub labels: LabelArgs,
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Outcome {
    video: String,
    frames: u64,
    #[serde(flatten)]
    ground: Ground,
    #[serde(flatten)]
    network: NetworkInUse,
    detection: DetectionOptions,
    /// The chosen smoothing.
    smoothing_secs: f64,
    scores: Vec<Score>,
    /// What the video lacks if it is truncated or damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    complaint: Option<String>,
    versions: Versions,
}

impl ScoreArgs {
    /// Processes the video and prints the scores.
    ///
    /// # Errors
    /// When truth, video, model or device can't be used, or the user interrupted it. A video that ends before the length that it declares is
    /// an error too, but the score of what could be read is printed.
    pub fn run(&self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let source = VideoSource::open(&self.file)?;
        let info = source.info().clone();
        let choices = self.labels.stages();
        let network = choices.load_network()?;
        let in_use = network.in_use;
        let truth = Truth::read(&self.truth, &in_use.classes)?;

        let chosen = choices.smoothing.and_then(|constant| in_milliseconds(constant.as_secs_f32()));
        let mut smoothings = vec![None, chosen];
        smoothings.extend(self.try_smoothing.iter().map(|secs| in_milliseconds(*secs)));
        smoothings.sort();
        smoothings.dedup();
        let chosen_index = smoothings.iter().position(|smoothing| *smoothing == chosen).unwrap_or(0);

        let mut scorer = Scorer::new(truth, smoothings);
        let mut count = 0;
        let progress = Progress::new(&info.name, info.frames());
        // Without smoothing: the scorer applies all those that are compared.
        let labeller = Labeller::new(network.classifier, None);
        // Faces are tracked as by `mien analyze`, so that the scores apply to its tables.
        let analyzer = choices.analyzer_for(info.interval(), info.frames())?;
        let ending = run_to_end(Box::new(source), analyzer, labeller, stop, |scene| {
            scorer.push(&scene);
            count += 1;
            progress.tick();
            anyhow::Ok(ControlFlow::Continue(()))
        })?;
        drop(progress);
        if stop.load(Ordering::Relaxed) {
            bail!(Interrupted(format!("stopped after {count} frames; nothing was scored")));
        }
        let complaint = ending.shortfall().map(|shortfall| format!("{} is {shortfall}", info.name));
        let (ground, scores) = scorer.finish(info.interval());
        if ground.seconds == 0.0 {
            let complaint = complaint.map_or_else(String::new, |complaint| format!("; {complaint}"));
            bail!("none of the known answers in {} falls within the video{complaint}", self.truth.display());
        }
        let complaint = complaint.map(|complaint| format!("{complaint}; the score covers the others"));
        let chosen = scores.get(chosen_index).context("no smoothing was scored")?;
        if self.json {
            let smoothing_secs = chosen.smoothing_secs;
            let (video, detection, versions) = (info.name, choices.detection, Versions::here());
            let network = in_use;
            print_json(&Outcome {
                video,
                frames: count,
                ground,
                network,
                detection,
                smoothing_secs,
                scores,
                complaint: complaint.clone(),
                versions,
            })?;
        } else {
            let report = Report { classes: &in_use.classes, ground: &ground, chosen, scores: &scores };
            print(&format!("{}, {count} frames, {in_use}\n{report}", info.name))?;
        }
        if let Some(complaint) = complaint {
            bail!(complaint);
        }
        Ok(())
    }
}

/// Converts a time constant to whole milliseconds, so that 0.3 is the same wherever it comes from; 0 is `None`.
fn in_milliseconds(secs: f32) -> Option<Duration> {
    Some(Duration::from_millis((secs * 1e3).round() as u64)).filter(|time| !time.is_zero())
}
