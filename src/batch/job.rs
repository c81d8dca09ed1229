//! Analyses one video, or all pictures, and makes the products that are wanted.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::inputs::{Input, Inputs};
use super::mpeg_clock::clock_begins_again;
use super::products::{Place, Products, leave_out_poor};
use super::progress::FileProgress;
use super::record::Results;
use crate::console::{describe, tell};
use crate::detect::ScheduledDetector;
use crate::exit::is_temporary;
use crate::export::{FaceLines, LinesError, Original};
use crate::interrupt::Interrupted;
use crate::pipeline::{Analyzer, Labeller, Scene, run_to_end};
use crate::pixels::PixelLimit;
use crate::source::{Excerpt, FrameSource as _, ImageSource, SourceError, Span, VideoSource};
use crate::stages::{SharedNetwork, StageChoices};
use crate::track::TrackOptions;

/// How files are analysed.
pub struct Job<'a> {
    /// How frames are processed.
    pub choices: &'a StageChoices,
    /// The network that labels faces.
    pub network: &'a SharedNetwork,
    /// Which part of each video.
    pub span: Span,
    /// The largest picture that is read.
    pub pixels: PixelLimit,
    /// Set when the user interrupts.
    pub stop: &'a AtomicBool,
}

/// An open video, and which part of it is analysed.
struct Film {
    source: VideoSource,
    span: Span,
    /// Whether seeking to the beginning of the span works. It doesn't if the file's clock restarts: such a file must be read from its
    /// beginning, and declares the length of one of its pieces only.
    can_jump: bool,
}

/// What is missing from a stream of lines.
#[derive(Debug, Default)]
pub struct Lacking {
    /// Inputs that could not be analysed, or only in part.
    pub files: usize,
    /// Whether another try may succeed.
    pub may_pass: bool,
}

impl Job<'_> {
    /// Runs a video through the pipeline to its end. `begin` receives the number of frames, if that is known.
    ///
    /// # Errors
    /// When the video can't be read, a stage fails, a result can't be written, or the user interrupted it; then nothing is left. A
    /// truncated video gives results of the frames that it has, and a complaint.
    pub fn video<'p>(
        &self,
        input: &Input,
        place: Place<'_>,
        begin: impl FnOnce(Option<u64>) -> FileProgress<'p>,
    ) -> anyhow::Result<Results> {
        let film = Film::open(input, self.span)?;
        let Film { span, can_jump, .. } = film;
        let mut progress = begin(film.frames());
        let mut products = Products::of_video(place, film.source.info(), film.spacing())?;
        let cut = self.scenes(film, |scene| {
            progress.tick();
            products.push(place.file, scene)
        })?;
        let original = Original { path: &input.path, to: span.to, can_jump, stop: self.stop };
        let finished = products.finish(cut.into_iter().collect(), Some(&original));
        // The user may have interrupted while the sound was added.
        self.go_on()?;
        let results = finished?;
        progress.done(&results);
        Ok(results)
    }

    /// Passes each scene of a film to `on_scene`, and returns a complaint if the film is truncated.
    fn scenes(
        &self,
        film: Film,
        mut on_scene: impl FnMut(Scene) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<String>> {
        let (spacing, looks, duration) = (film.spacing(), film.looks(), film.duration());
        let Film { source, span, can_jump } = film;
        let source = Box::new(source);
        let source = if can_jump { Excerpt::new(source, span)? } else { Excerpt::read_on(source, span, self.stop)? };
        self.go_on()?;
        let analyzer = self.choices.analyzer_for(spacing, looks)?;
        let labeller = self.choices.labeller(self.network.classifier());
        let mut frames = 0_u64;
        let ending = run_to_end(Box::new(source), analyzer, labeller, self.stop, |scene| {
            frames += 1;
            on_scene(scene).map(ControlFlow::Continue)
        })?;
        self.go_on()?;
        if frames == 0 {
            bail!("there is no frame {}", span_in_words(span, duration));
        }
        Ok(ending.shortfall().map(|shortfall| format!("it is {shortfall}; the results cover the others")))
    }

    /// Analyses each picture by itself, without tracking or smoothing.
    ///
    /// # Errors
    /// When a stage fails, a result can't be written, or the user interrupted it; then nothing is left. A picture that can't be read is a
    /// complaint.
    pub fn pictures(
        &self,
        inputs: &[Input],
        place: Place<'_>,
        mut progress: FileProgress<'_>,
    ) -> anyhow::Result<Results> {
        let mut products = Products::of_pictures(place)?;
        let (complaints, unread) = self.each_picture(inputs, |file, scene| {
            if let Some(scene) = scene {
                products.push(file, scene)?;
            }
            progress.tick();
            Ok(())
        })?;
        let results = Results { unread, ..products.finish(complaints, None)? };
        progress.done(&results);
        Ok(results)
    }

    /// Passes each picture's name and scene to `on_picture`, without a scene if it can't be read. Returns complaints about those, and the
    /// paths of those that the system didn't let it read: they may be good.
    fn each_picture(
        &self,
        inputs: &[Input],
        mut on_picture: impl FnMut(&str, Option<Scene>) -> anyhow::Result<()>,
    ) -> anyhow::Result<(Vec<String>, Vec<PathBuf>)> {
        let detector = ScheduledDetector::make(&self.choices.detection, self.choices.device.resolve()?)?;
        let mut analyzer = Analyzer::new(detector, TrackOptions::for_single_pictures(), false);
        let mut labeller = Labeller::new(self.network.classifier(), None);
        analyzer.set_framing(labeller.framing());
        let (mut complaints, mut unread) = (Vec::new(), Vec::new());
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
                    if matches!(error, SourceError::Unreadable { .. }) {
                        unread.push(input.path.clone());
                    }
                    complaints.push(describe(&error.into()));
                    None
                }
            };
            on_picture(&file, scene)?;
        }
        Ok((complaints, unread))
    }

    /// Writes a line for each face whose quality is at least `least_quality`, flushed after each frame, videos first. Reports problems as
    /// they occur, and returns what is missing.
    ///
    /// # Errors
    /// When nobody reads the lines any more, the user interrupted it, or a stage fails on a picture.
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
            let film = Film::open(input, self.span);
            match film.and_then(|film| self.scenes(film, |scene| Ok(write(&file, scene)?))) {
                Ok(None) => {}
                Ok(Some(cut)) => complain(&format!("{file}: {cut}"), false),
                Err(error) if error.is::<Interrupted>() || error.is::<LinesError>() => return Err(error),
                Err(error) => complain(&format!("{file}: {}", describe(&error)), is_temporary(&error)),
            }
        }
        if !inputs.pictures.is_empty() {
            let (complaints, _) = self
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

impl Film {
    /// Opens a video. `span` applies unless `input` is a part, which has its own.
    ///
    /// # Errors
    /// When it can't be read.
    fn open(input: &Input, span: Span) -> anyhow::Result<Self> {
        let source = VideoSource::open(&input.path)?;
        let span = input.part.map_or(span, |part| part.span(source.info(), span.skip));
        let has_to_jump = !span.from.is_zero();
        let begins_again = has_to_jump
            && clock_begins_again(&input.path).with_context(|| format!("can't read {}", input.path.display()))?;
        Ok(Self { source, span, can_jump: !begins_again })
    }

    /// Time between analysed frames, by the declared rate.
    fn spacing(&self) -> Duration {
        let steps = self.span.skip.saturating_add(1) as f64;
        Duration::try_from_secs_f64(self.source.info().interval().as_secs_f64() * steps).unwrap_or(Duration::MAX)
    }

    /// How many frames of the whole film would be analysed, by its declared number. Parts use it, too, so that their faces wait for
    /// confirmation as in the whole.
    fn looks(&self) -> Option<u64> {
        self.source.info().frames().map(|frames| frames.div_ceil(self.span.skip.saturating_add(1)))
    }

    /// Duration of the whole film, if that is known.
    fn duration(&self) -> Option<Duration> {
        self.source.info().duration().filter(|_| self.can_jump)
    }

    /// Number of frames to analyse, if that is known.
    fn frames(&self) -> Option<u64> {
        let (info, span) = (self.source.info(), self.span);
        let frames = info.frames().filter(|_| self.can_jump)?;
        let at = |time: Duration| ((time.as_secs_f64() * info.fps) as u64).min(frames);
        let end = span.to.map_or(frames, at);
        Some(end.saturating_sub(at(span.from)).div_ceil(span.skip.saturating_add(1)))
    }
}

/// Describes a span without frames, with the video's length if that is known.
fn span_in_words(span: Span, duration: Option<Duration>) -> String {
    let Span { from, to, .. } = span;
    let end = to.map_or_else(String::new, |to| format!(" and before --to {:.1} s", to.as_secs_f64()));
    let length = duration.map_or_else(String::new, |d| format!(": the video lasts {:.1} s", d.as_secs_f64()));
    format!("after --from {:.1} s{end}{length}", from.as_secs_f64())
}
