//! One video, or all pictures, into what is wanted of them.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;

use super::inputs::{Input, Inputs};
use super::manifest::Results;
use super::products::{Place, Products, leave_out_poor};
use super::progress::FileProgress;
use crate::console::{describe, tell};
use crate::detect::ScheduledDetector;
use crate::exit::is_temporary;
use crate::export::{FaceLines, LinesError, Original};
use crate::interrupt::Interrupted;
use crate::pipeline::{Analyzer, Labeller, Scene, run_to_end};
use crate::pixels::PixelLimit;
use crate::source::Watched;
use crate::source::{Excerpt, FrameSource, ImageSource, SourceInfo, Span, VideoSource};
use crate::stages::{SharedNetwork, StageChoices};
use crate::track::TrackOptions;

/// How files are analysed.
pub struct Job<'a> {
    /// How frames are worked on.
    pub choices: &'a StageChoices,
    /// What names what faces show.
    pub network: &'a SharedNetwork,
    /// Which part of each video.
    pub span: Span,
    /// How large a picture may be.
    pub pixels: PixelLimit,
    /// Set when the user wants no more.
    pub stop: &'a AtomicBool,
}

/// What a stream of lines lacks.
#[derive(Debug, Default)]
pub struct Lacking {
    /// Inputs that could not be analysed, or only in part.
    pub files: usize,
    /// Whether that may go right another time.
    pub may_pass: bool,
}

impl Job<'_> {
    /// Takes a video through the pipeline to its end. `begin` is told how many frames there will be, if that is known.
    ///
    /// # Errors
    /// When the video can't be read, a stage fails, a result can't be written, or the user interrupted it; nothing is
    /// left then. A video that is cut gives the results of what there is of it, and a complaint.
    pub fn video<'p>(
        &self,
        input: &Input,
        place: Place<'_>,
        begin: impl FnOnce(Option<u64>) -> FileProgress<'p>,
    ) -> anyhow::Result<Results> {
        let source = VideoSource::open(&input.path)?;
        let span = input.part.map_or(self.span, |part| part.span(source.info(), self.span.skip));
        let mut progress = begin(frames_in(source.info(), span));
        let mut products = Products::of_video(place, source.info(), spacing(source.info(), span))?;
        let cut = self.scenes(source, span, |scene| {
            progress.tick();
            products.push(place.file, scene)
        })?;
        let original = Original { path: &input.path, to: span.to, stop: self.stop };
        let finished = products.finish(cut.into_iter().collect(), Some(&original));
        // While the sound was put to the video.
        self.go_on()?;
        let results = finished?;
        progress.done(&results);
        Ok(results)
    }

    /// Gives each frame of a part of a video to `on_scene`, and says if it is cut.
    fn scenes(
        &self,
        source: VideoSource,
        span: Span,
        mut on_scene: impl FnMut(Scene) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<String>> {
        let (spacing, duration) = (spacing(source.info(), span), source.info().duration());
        let (source, shortfall) = Watched::new(Box::new(Excerpt::new(Box::new(source), span)?));
        let analyzer = self.choices.analyzer_for(spacing)?;
        let labeller = self.choices.labeller(self.network.classifier());
        let mut frames = 0_u64;
        run_to_end(Box::new(source), analyzer, labeller, self.stop, |scene| {
            frames += 1;
            on_scene(scene).map(ControlFlow::Continue)
        })?;
        self.go_on()?;
        if frames == 0 {
            bail!("no frame lies {}", span_in_words(span, duration));
        }
        Ok(shortfall.get().map(|shortfall| format!("it is {shortfall}; the results cover those")))
    }

    /// Looks at each picture by itself: nobody is followed from one to the next, and nothing is smoothed.
    ///
    /// # Errors
    /// When a stage fails, a result can't be written, or the user interrupted it; nothing is left then. A picture that
    /// can't be read is a complaint.
    pub fn pictures(
        &self,
        inputs: &[Input],
        place: Place<'_>,
        mut progress: FileProgress<'_>,
    ) -> anyhow::Result<Results> {
        let mut products = Products::of_pictures(place)?;
        let complaints = self.each_picture(inputs, |file, scene| {
            if let Some(scene) = scene {
                products.push(file, scene)?;
            }
            progress.tick();
            Ok(())
        })?;
        let results = products.finish(complaints, None)?;
        progress.done(&results);
        Ok(results)
    }

    /// Gives each picture's name and scene to `on_picture`, without the scene where it can't be read, and complains of those.
    fn each_picture(
        &self,
        inputs: &[Input],
        mut on_picture: impl FnMut(&str, Option<Scene>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<String>> {
        let detector = ScheduledDetector::make(&self.choices.detection, self.choices.device.resolve()?)?;
        let mut analyzer = Analyzer::new(detector, TrackOptions::for_single_pictures(), false);
        let mut labeller = Labeller::new(self.network.classifier(), None);
        analyzer.set_framing(labeller.framing());
        let mut complaints = Vec::new();
        for input in inputs {
            self.go_on()?;
            analyzer.reset();
            labeller.reset();
            let file = input.name.to_string_lossy();
            let frame = ImageSource::open(&input.path, self.pixels).and_then(|mut picture| picture.read());
            let scene = match frame {
                Ok(Some(frame)) => Some(labeller.label(analyzer.analyze(frame)?)?),
                Ok(None) => {
                    complaints.push(format!("{file}: no picture in it"));
                    None
                }
                Err(error) => {
                    complaints.push(describe(&error.into()));
                    None
                }
            };
            on_picture(&file, scene)?;
        }
        Ok(complaints)
    }

    /// Writes a line for each face of all files whose quality is at least `least_quality`, flushed for each frame, videos first, and
    /// tells of trouble as it comes. Gives what is lacking.
    ///
    /// # Errors
    /// When a stage fails, nobody reads the lines any more, or the user interrupted it.
    pub fn stream(
        &self,
        inputs: &Inputs,
        least_quality: Option<f32>,
        lines: &mut FaceLines<impl io::Write>,
    ) -> anyhow::Result<Lacking> {
        let mut write = |file: &str, mut scene: Scene| {
            if let Some(least) = least_quality {
                leave_out_poor(&mut scene, least);
            }
            lines.push(file, &scene)
        };
        let mut lacking = Lacking::default();
        let mut complain = |complaint: &str, may_pass: bool| {
            lacking.files += 1;
            lacking.may_pass |= may_pass;
            tell(complaint);
        };
        for input in &inputs.videos {
            let file = input.name.to_string_lossy();
            let source = VideoSource::open(&input.path).map_err(anyhow::Error::from);
            match source.and_then(|source| self.scenes(source, self.span, |scene| Ok(write(&file, scene)?))) {
                Ok(None) => {}
                Ok(Some(cut)) => complain(&format!("{file}: {cut}"), false),
                Err(error) if error.is::<Interrupted>() || error.is::<LinesError>() => return Err(error),
                Err(error) => complain(&format!("{file}: {}", describe(&error)), is_temporary(&error)),
            }
        }
        if !inputs.pictures.is_empty() {
            let complaints = self
                .each_picture(&inputs.pictures, |file, scene| scene.map_or(Ok(()), |scene| Ok(write(file, scene)?)))?;
            complaints.iter().for_each(|complaint| complain(complaint, false));
        }
        for (path, reason) in &inputs.unreadable {
            complain(&format!("{}: {reason}", path.display()), false);
        }
        Ok(lacking)
    }

    fn go_on(&self) -> anyhow::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            bail!(Interrupted("the rest was not analysed".to_owned()));
        }
        Ok(())
    }
}

/// For a video of this length, if it is known.
fn span_in_words(span: Span, duration: Option<Duration>) -> String {
    let Span { from, to, .. } = span;
    let end = to.map_or_else(String::new, |to| format!(" and before --to {:.1} s", to.as_secs_f64()));
    let length = duration.map_or_else(String::new, |d| format!(": the video lasts {:.1} s", d.as_secs_f64()));
    format!("after --from {:.1} s{end}{length}", from.as_secs_f64())
}

/// How far frames that are analysed lie apart, by the rate that the file declares.
fn spacing(info: &SourceInfo, span: Span) -> Duration {
    let steps = span.skip.saturating_add(1) as f64;
    Duration::try_from_secs_f64(info.interval().as_secs_f64() * steps).unwrap_or(Duration::MAX)
}

/// How many frames of a source take part, if it says how many it has.
fn frames_in(info: &SourceInfo, span: Span) -> Option<u64> {
    let frames = info.frames()?;
    let at = |time: f64| ((time * info.fps) as u64).min(frames);
    let end = span.to.map_or(frames, |to| at(to.as_secs_f64()));
    Some(end.saturating_sub(at(span.from.as_secs_f64())).div_ceil(span.skip.saturating_add(1)))
}
