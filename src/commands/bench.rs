//! `mien bench`: how fast the whole pipeline is here.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};
use tch::Device;

use super::labels::LabelArgs;
use crate::bench::{
    BenchResult, Breakdown, Conditions, MeasuredVideo, ModelSummary, RepeatedSource, Report, Scope, Stopwatch, Warning,
};
use crate::classify::Classifier;
use crate::console::progress::Progress;
use crate::console::{print, print_json};
use crate::crop::{FaceCrop, Framing};
use crate::device;
use crate::interrupt::{self, Interrupted};
use crate::net::Card;
use crate::network::NetworkInUse;
use crate::pipeline::{StageTimings, run_to_end};
use crate::process::{self, OtherLoad};
use crate::source::{FrameSource, SourceInfo, VideoSource};
use crate::source_summary::SourceSummary;
use crate::stages::{LoadedNetwork, StageChoices, video_or_demo};
use crate::version::Versions;

/// How many faces the network is measured on when it is measured alone: enough that their pixels don't all stay in the fastest cache.
const FACES_FOR_NETWORK: usize = 64;

/// Measure how fast this machine works
///
/// Runs a video through the whole pipeline (read, detect, track, classify, smooth) as fast as it can, without a
/// window, and prints frames per second and the time of each stage. A video that is shorter than the run is repeated.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  mien bench                                  the demo clip
  mien bench talk.mp4 --frames 2000           more frames, steadier figures
  mien bench --stage classify --threads 2     the network alone, on two threads
  mien bench --json | jq .fps                 for programs")]
pub struct BenchArgs {
    /// The video to measure on [default: the demo clip]
    pub file: Option<PathBuf>,

    /// Frames to measure
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub frames: u64,

    /// Frames to run first, unmeasured, until caches and clock rates have settled
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub warmup: u64,

    /// Print one JSON object instead of the report
    #[arg(long)]
    pub json: bool,

    /// Measure one stage alone
    #[arg(long, value_enum)]
    pub stage: Option<SingleStage>,

    /// Threads that the network uses on the CPU; more than one seldom helps it and slows detection
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: u16,

    /// How faces are looked for and labelled
    #[command(flatten)]
    pub labels: LabelArgs,
}

/// A stage that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SingleStage {
    /// Finding and following faces
    Detect,
    /// The network, one face at a time
    Classify,
}

/// What a run measured.
struct Run {
    stopwatch: Stopwatch,
    stages: Breakdown,
    seconds: f64,
    first_label: Option<Duration>,
}

impl BenchArgs {
    /// Measures and prints.
    ///
    /// # Errors
    /// When the video, the model or the device can't be used, or the user interrupted it.
    pub fn run(&self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let source = VideoSource::open(&video_or_demo(self.file.as_ref())?)?;
        let info = source.info().clone();
        let choices = self.choices();
        let LoadedNetwork { classifier, in_use, device, card } = choices.load_network()?;

        let others = OtherLoad::start();
        let repeated = |source| Box::new(RepeatedSource::new(source, self.total()));
        let source = Box::new(source);
        let run = match self.stage {
            None => self.pipeline(repeated(source), &choices, classifier, stop)?,
            Some(SingleStage::Detect) => self.detect(repeated(source), &choices, stop)?,
            // Not repeated: its first faces are cut out beforehand, and the number of frames says how often the network runs.
            Some(SingleStage::Classify) => self.classify(source, &choices, classifier, stop)?,
        };
        let other_load = others.and_then(|others| others.cores());

        let result = self.result(&info, (in_use, &card, device), run, other_load);
        if self.json { print_json(&result) } else { print(&Report(&result).to_string()) }
    }

    fn choices(&self) -> StageChoices {
        StageChoices { threads: self.threads, ..self.labels.stages() }
    }

    fn total(&self) -> u64 {
        self.warmup + self.frames
    }

    fn pipeline(
        &self,
        source: Box<dyn FrameSource>,
        choices: &StageChoices,
        classifier: Box<dyn Classifier>,
        stop: &AtomicBool,
    ) -> anyhow::Result<Run> {
        // Create these before the stopwatch, which starts at once if there is no warm-up.
        let (analyzer, labeller) = (choices.analyzer()?, choices.labeller(classifier));
        let progress = Progress::new("measuring", Some(self.total())).without_log();
        let mut stopwatch = Stopwatch::new(self.warmup)?;
        let mut first_label = None;
        run_to_end(source, analyzer, labeller, stop, |scene| {
            if first_label.is_none() && !scene.faces.is_empty() {
                first_label = process::age();
            }
            stopwatch.note(&scene);
            progress.tick();
            anyhow::Ok(ControlFlow::Continue(()))
        })?;
        check(stop)?;
        let (stages, seconds) = (stopwatch.stages(), stopwatch.elapsed().as_secs_f64());
        Ok(Run { stopwatch, stages, seconds, first_label })
    }

    fn detect(
        &self,
        mut source: Box<dyn FrameSource>,
        choices: &StageChoices,
        stop: &AtomicBool,
    ) -> anyhow::Result<Run> {
        let mut analyzer = choices.analyzer()?;
        let progress = Progress::new("measuring", Some(self.total())).without_log();
        let mut stopwatch = Stopwatch::new(self.warmup)?;
        // A clock that advances only during detection and tracking.
        let mut clock = Instant::now();
        while let Some(frame) = source.read()? {
            check(stop)?;
            let detected = analyzer.analyze(frame)?;
            clock += detected.timings.detect;
            stopwatch.note_frame(clock, detected.faces.len() as u64, &detected.timings);
            progress.tick();
        }
        let stages = stopwatch.stages().only("detect");
        let seconds = stopwatch.elapsed().as_secs_f64();
        Ok(Run { stopwatch, stages, seconds, first_label: None })
    }

    fn classify(
        &self,
        source: Box<dyn FrameSource>,
        choices: &StageChoices,
        mut classifier: Box<dyn Classifier>,
        stop: &AtomicBool,
    ) -> anyhow::Result<Run> {
        let name = source.info().name.clone();
        let faces = faces(source, choices, classifier.framing(), stop)?;
        if faces.is_empty() {
            bail!("no face was found in {name}, so the network can't be measured; use another video");
        }
        let progress = Progress::new("measuring", Some(self.total())).without_log();
        let mut stopwatch = Stopwatch::new(self.warmup)?;
        for face in faces.iter().cycle().take(usize::try_from(self.total())?) {
            check(stop)?;
            let start = Instant::now();
            classifier.classify(std::slice::from_ref(face))?;
            let end = Instant::now();
            stopwatch.note_frame(end, 1, &StageTimings { classify: end - start, ..StageTimings::default() });
            progress.tick();
        }
        let stages = stopwatch.stages().only("classify");
        let seconds = stopwatch.elapsed().as_secs_f64();
        Ok(Run { stopwatch, stages, seconds, first_label: None })
    }

    fn result(
        &self,
        info: &SourceInfo,
        (network, card, device): (NetworkInUse, &Card, Device),
        run: Run,
        other_load: Option<f64>,
    ) -> BenchResult {
        let Run { stopwatch, stages, seconds, first_label } = run;
        let conditions = Conditions {
            frames: stopwatch.frames(),
            seconds,
            spread: stopwatch.spread(),
            other_load_cores: other_load,
            faces: stopwatch.faces(),
            debug_build: cfg!(debug_assertions),
            on_cuda: matches!(device, Device::Cuda(_)),
            cuda_works: device::try_cuda().is_some_and(|tried| tried.is_ok()),
            cuda_in_libtorch: device::has_cuda_part(),
            nvidia_driver: process::has_nvidia_driver(),
        };
        BenchResult {
            scope: match self.stage {
                None => Scope::Pipeline,
                Some(SingleStage::Detect) => Scope::Detect,
                Some(SingleStage::Classify) => Scope::Classify,
            },
            fps: stopwatch.fps(),
            fps_spread: stopwatch.spread(),
            frames: stopwatch.frames(),
            warmup_frames: self.warmup,
            seconds,
            faces: stopwatch.faces(),
            frames_with_face: stopwatch.frames_with_face(),
            device: network.device,
            model: network.model,
            model_details: ModelSummary {
                architecture: Some(card.network.architecture.clone()),
                parameters: Some(card.parameters as u64),
                prior: Some(network.prior),
            },
            threads: u32::from(self.threads),
            source: MeasuredVideo { about: SourceSummary::from(info), frames: info.frames() },
            stages,
            time_to_first_label_ms: first_label.map(|age| age.as_secs_f64() * 1e3),
            peak_memory_bytes: process::memory().map(|memory| memory.peak),
            cpu: device::hardware(Device::Cpu),
            cores: u32::try_from(device::cores()).unwrap_or(1),
            other_load_cores: other_load,
            versions: Versions::here(),
            warnings: Warning::all(&conditions),
        }
    }
}

/// Cuts out the first faces of a video.
fn faces(
    mut source: Box<dyn FrameSource>,
    choices: &StageChoices,
    framing: Framing,
    stop: &AtomicBool,
) -> anyhow::Result<Vec<FaceCrop>> {
    let mut analyzer = choices.analyzer()?;
    analyzer.set_framing(framing);
    let mut faces = Vec::new();
    while faces.len() < FACES_FOR_NETWORK
        && let Some(frame) = source.read()?
    {
        check(stop)?;
        faces.extend(analyzer.analyze(frame)?.crops);
    }
    Ok(faces)
}

fn check(stop: &AtomicBool) -> anyhow::Result<()> {
    if stop.load(Ordering::Relaxed) {
        bail!(Interrupted("the measurement was not finished, so there are no figures".to_owned()));
    }
    Ok(())
}
