//! Processes a video without a window: writes an annotated copy and a table of its faces, and prints a summary.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;

use super::summary::{Seen, Tally};
use crate::blur::{Blur, SceneBlurrer};
use crate::classes::Classes;
use crate::console::progress::Progress;
use crate::console::{print, print_json, tell};
use crate::export::{
    AnnotatedVideo, ExportError, FaceTable, FinishedVideo, Original, RESULT_SUFFIX, TableFormat, VideoShape, free_names,
};
use crate::interrupt::{self, Interrupted};
use crate::network::NetworkInUse;
use crate::pipeline::{Ending, Labeller, Scene, SourceRequest, run_to_end};
use crate::process;
use crate::source::{FrameSource, SourceInfo};
use crate::source_summary::SourceSummary;
use crate::stages::StageChoices;
use crate::version::Versions;

/// Where results go unless another folder is named.
pub(super) const DEFAULT_FOLDER: &str = "mien-results";

/// A video to process.
#[derive(Clone, Debug)]
pub struct VideoJob {
    /// The video, or a recording whose recorded results are ignored.
    pub source: SourceRequest,
    /// Folder for the results; `None` means `mien-results` in the current folder.
    pub output: Option<PathBuf>,
    /// What to blur in the copy.
    pub blur: Option<Blur>,
    /// Whether to print the summary as one JSON object.
    pub json: bool,
    /// How frames are processed.
    pub choices: StageChoices,
}

/// The result of a run.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    seen: Seen,
    /// Frames per second by the wall clock.
    fps: f64,
    /// Time that it took, in seconds.
    seconds: f64,
    #[serde(flatten)]
    network: NetworkInUse,
    source: SourceSummary,
    /// The annotated video.
    video: PathBuf,
    /// How its picture is coded, and what became of the sound.
    video_details: String,
    /// The table of faces.
    table: PathBuf,
    peak_memory_bytes: Option<u64>,
    versions: Versions,
}

impl VideoJob {
    /// Processes the video, writes the results and prints the summary.
    ///
    /// # Errors
    /// When the video, the model or the device can't be used, a result can't be written, or the user interrupted it; no result is left
    /// behind then. A video that ends before the length that it declares is an error too, but the results of what could be read are kept.
    pub fn run(&self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let source = self.source.open()?;
        let info = source.info().clone();
        let network = self.choices.load_network()?;
        let in_use = network.in_use;
        let mut results =
            Results::create(self.output.as_deref(), &self.stem(&info), &info, self.blur, &in_use.classes)?;

        let labeller = self.choices.labeller(network.classifier);
        let mut tally = Tally::default();
        let began = Instant::now();
        let ending = self.work(source, labeller, stop, &mut results, &mut tally)?;
        let go_on = || {
            let frames = tally.frames();
            let stopped = || Interrupted(format!("stopped after {frames} frames; no results were written"));
            if stop.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) }
        };
        go_on()?;
        let elapsed = began.elapsed();

        // A recording has no sound.
        let original = match &self.source {
            SourceRequest::Video(path) => Some(Original { path, to: None, can_jump: true, stop }),
            _ => None,
        };
        let finished = results.finish(original.as_ref());
        if matches!(finished, Err(ExportError::Interrupted)) {
            go_on()?;
        }
        let (video, table) = finished?;
        for complaint in video.complaints() {
            tell(&format!("warning: {complaint}"));
        }
        let outcome = outcome(&info, tally.seen(), elapsed, in_use, video, table);
        if self.json {
            print_json(&outcome)?;
        } else {
            print(&outcome.text())?;
        }
        if let Some(shortfall) = ending.shortfall() {
            bail!("{} is {shortfall}; the results cover the others", info.name);
        }
        Ok(())
    }

    /// What results are named after.
    fn stem(&self, info: &SourceInfo) -> String {
        let stem = match &self.source {
            SourceRequest::Video(path) => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
            _ => None,
        };
        stem.unwrap_or_else(|| info.name.clone())
    }

    fn work(
        &self,
        source: Box<dyn FrameSource>,
        labeller: Labeller,
        stop: &AtomicBool,
        results: &mut Results,
        tally: &mut Tally,
    ) -> anyhow::Result<Ending> {
        let info = source.info();
        let progress = Progress::new(&info.name, info.frames());
        // Faces are tracked as by `mien analyze`, so that both write the same table.
        let analyzer = self.choices.analyzer_for(info.interval(), info.frames())?;
        run_to_end(source, analyzer, labeller, stop, |scene| {
            tally.add(&scene);
            progress.tick();
            anyhow::Ok(ControlFlow::Continue(results.push(scene)?))
        })
    }
}

/// The two result files while they are written. If dropped unfinished, they leave nothing.
struct Results {
    name: String,
    video: AnnotatedVideo,
    table: FaceTable,
    blurrer: Option<SceneBlurrer>,
}

impl Results {
    fn create(
        folder: Option<&Path>,
        stem: &str,
        info: &SourceInfo,
        blur: Option<Blur>,
        classes: &Classes,
    ) -> anyhow::Result<Self> {
        let folder = folder.unwrap_or(Path::new(DEFAULT_FOLDER));
        let [video, table] = free_names(folder, &format!("{stem}{RESULT_SUFFIX}"), [".mp4", ".csv"]);
        let table = FaceTable::create(&table, TableFormat::Csv, classes)?;
        let video = AnnotatedVideo::create(&video, VideoShape::of(info))?;
        Ok(Self { name: info.name.clone(), video, table, blurrer: blur.map(SceneBlurrer::new) })
    }

    fn push(&mut self, scene: Scene) -> Result<(), ExportError> {
        self.table.push(&self.name, &scene)?;
        let Some(blurrer) = &mut self.blurrer else { return self.video.push(scene) };
        let everybody = scene.faces.clone();
        blurrer.push(scene, &everybody)?.into_iter().try_for_each(|scene| self.video.push(scene))
    }

    /// Completes both files; returns the video and the table's path.
    fn finish(mut self, original: Option<&Original<'_>>) -> Result<(FinishedVideo, PathBuf), ExportError> {
        if let Some(blurrer) = self.blurrer.take() {
            blurrer.finish()?.into_iter().try_for_each(|scene| self.video.push(scene))?;
        }
        let video = self.video.finish(original)?;
        Ok((video, self.table.finish()?))
    }
}

fn outcome(
    info: &SourceInfo,
    seen: Seen,
    elapsed: Duration,
    network: NetworkInUse,
    video: FinishedVideo,
    table: PathBuf,
) -> Outcome {
    let seconds = elapsed.as_secs_f64();
    Outcome {
        fps: if seconds > 0.0 { seen.frames as f64 / seconds } else { 0.0 },
        seconds,
        seen,
        network,
        source: SourceSummary::from(info),
        video_details: video.to_string(),
        video: video.path,
        table,
        peak_memory_bytes: process::memory().map(|memory| memory.peak),
        versions: Versions::here(),
    }
}

impl Outcome {
    fn text(&self) -> String {
        let SourceSummary { name, width, height, .. } = &self.source;
        format!(
            "{name} ({width}×{height})\n\n{}\n  Speed     {:.1} fps, {:.1} s ({})\n  Video     {}\n            {}\n  Table     {}\n",
            self.seen.text(),
            self.fps,
            self.seconds,
            self.network,
            self.video.display(),
            self.video_details,
            self.table.display(),
        )
    }
}
