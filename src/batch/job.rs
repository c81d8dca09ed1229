//! One video, or all pictures, into what is wanted of them.

use std::io;
use std::ops::ControlFlow;
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
use crate::pipeline::{Analyzer, Ending, Labeller, Scene, run_to_end};
use crate::pixels::PixelLimit;
use crate::source::{Excerpt, FrameSource as _, ImageSource, Span, VideoSource};
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

/// An open video, and which part of it is looked at.
struct Film {
    source: VideoSource,
    span: Span,
    /// Whether a jump to the beginning of the part ends there: not in a file whose clock begins again, which has to be read from its own
    /// beginning, and declares the length of one of its pieces.
    can_jump: bool,
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
        // While the sound was put to the video.
        self.go_on()?;
        let results = finished?;
        progress.done(&results);
        Ok(results)
    }

    /// Gives each frame of a part of a video to `on_scene`, and says if it is cut.
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
        Ok(match ending {
            Ending::EndOfSource(Some(shortfall)) => Some(format!("it is {shortfall}; the results cover those")),
            Ending::EndOfSource(None) | Ending::Stopped => None,
        })
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
            let film = Film::open(input, self.span);
            match film.and_then(|film| self.scenes(film, |scene| Ok(write(&file, scene)?))) {
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

impl Film {
    /// Opens a video; `span` is of the whole, if `input` isn't a part of it.
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

    /// How far frames that are analysed lie apart, by the rate that the file declares.
    fn spacing(&self) -> Duration {
        let steps = self.span.skip.saturating_add(1) as f64;
        Duration::try_from_secs_f64(self.source.info().interval().as_secs_f64() * steps).unwrap_or(Duration::MAX)
    }

    /// How many frames of the whole would be analysed, by the number that the file declares: in a part of it faces wait as they do in the
    /// whole.
    fn looks(&self) -> Option<u64> {
        self.source.info().frames().map(|frames| frames.div_ceil(self.span.skip.saturating_add(1)))
    }

    /// How long the whole is, if that is known.
    fn duration(&self) -> Option<Duration> {
        self.source.info().duration().filter(|_| self.can_jump)
    }

    /// How many frames take part, if that is known.
    fn frames(&self) -> Option<u64> {
        let (info, span) = (self.source.info(), self.span);
        let frames = info.frames().filter(|_| self.can_jump)?;
        let at = |time: Duration| ((time.as_secs_f64() * info.fps) as u64).min(frames);
        let end = span.to.map_or(frames, at);
        Some(end.saturating_sub(at(span.from)).div_ceil(span.skip.saturating_add(1)))
    }
}

/// For a video of this length, if it is known.
fn span_in_words(span: Span, duration: Option<Duration>) -> String {
    let Span { from, to, .. } = span;
    let end = to.map_or_else(String::new, |to| format!(" and before --to {:.1} s", to.as_secs_f64()));
    let length = duration.map_or_else(String::new, |d| format!(": the video lasts {:.1} s", d.as_secs_f64()));
    format!("after --from {:.1} s{end}{length}", from.as_secs_f64())
}
