//! A camera watched without a window: a table if asked for, and at the end the figures of live use.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use crossbeam_channel::{Receiver, bounded};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::outputs::{Outputs, WrittenTables, is_standard_output};
use super::recording::{HeadlessWriter, SavedSession};
use super::summary::{Seen, Source, Tally};
use crate::bench::process::{self, OtherLoad};
use crate::blur::Blur;
use crate::console::{print, print_json, tell};
use crate::digits::rounded;
use crate::exit::TryAgain;
use crate::export::OscOutput;
use crate::interrupt::{self, Interrupted};
use crate::network::NetworkInUse;
use crate::pipeline::{Event, Live, LiveSettings, Parts, SourceRequest, Statistics};
use crate::source::CameraRequest;
use crate::stages::StageChoices;
use crate::version::Versions;

/// How often Ctrl-C, the end of the time and the memory are looked at when no frame comes.
const TICK: Duration = Duration::from_millis(100);

/// How often memory is measured.
const MEMORY_INTERVAL: Duration = Duration::from_secs(1);

/// Until buffers have their size and libtorch its kernels, memory grows for good reason.
const MEMORY_WARM_UP: Duration = Duration::from_secs(10);

/// Samples that the first and the last value of the memory are averaged over: a minute.
const MEMORY_SAMPLES: usize = 60;

/// Of a rate that is declared, behind the point: films have 23.976 frames a second.
const FPS_DIGITS: usize = 3;

/// The longest age that is told apart, in microseconds: a minute.
const LONGEST_AGE: u64 = 60_000_000;

/// A camera to watch.
#[derive(Clone, Debug)]
pub struct CameraJob {
    /// The camera and what to ask of it.
    pub request: CameraRequest,
    /// For how long, counted from the first labelled frame; none is until Ctrl-C.
    pub duration: Option<Duration>,
    /// A table of the faces.
    pub csv: Option<PathBuf>,
    /// Lines of JSON: into a file, or to the standard output, if it is `-`.
    pub jsonl: Option<PathBuf>,
    /// Where results are sent as they come.
    pub osc: Option<OscOutput>,
    /// Folder for a recording.
    pub record: Option<PathBuf>,
    /// What is blurred in what is written.
    pub blur: Option<Blur>,
    /// Whether the figures are one JSON object.
    pub json: bool,
    /// How.
    pub choices: StageChoices,
}

/// The figures of a run.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    seen: Seen,
    /// Time from the first labelled frame to the end, in seconds.
    seconds: f64,
    /// Labelled frames per second over that time.
    analysed_fps: f64,
    /// Frames that the camera gave.
    captured: u64,
    /// Those of them that were dropped because a newer one was there.
    dropped: u64,
    /// From capture to label.
    age_ms: Option<Ages>,
    /// Cores' worth of work by this process from the first labelled frame on.
    cpu_cores: Option<f64>,
    /// Cores' worth of work by other programs meanwhile.
    other_load_cores: Option<f64>,
    memory: Option<MemoryCourse>,
    peak_memory_bytes: Option<u64>,
    /// Times the camera was lost.
    camera_losses: u64,
    #[serde(flatten)]
    network: NetworkInUse,
    source: Option<Source>,
    #[serde(flatten)]
    tables: WrittenTables,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<SavedSession>,
    versions: Versions,
}

#[derive(Debug, Serialize)]
struct Ages {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

/// Whether memory grows.
#[derive(Debug, Serialize)]
struct MemoryCourse {
    /// Mean of the first minute after ten seconds.
    first_minute_bytes: u64,
    /// Mean of the last minute.
    last_minute_bytes: u64,
    /// At the end.
    current_bytes: u64,
}

impl CameraJob {
    /// Whether the standard output holds lines alone.
    pub(super) fn streams(&self) -> bool {
        self.jsonl.as_deref().is_some_and(is_standard_output)
    }

    /// Watches the camera and prints the figures.
    ///
    /// # Errors
    /// When camera, model or device can't be used, the table or the recording can't be written, or the user ended it with
    /// Ctrl-C; then figures, table and recording are those up to there.
    pub fn run(&self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let network = self.choices.load_network()?;
        let in_use = network.in_use;
        let outputs = Outputs::open(self, &in_use.classes)?;
        let recording =
            self.record.clone().map(|folder| HeadlessWriter::new(folder, in_use.clone(), &self.choices, self.blur));

        let (waker, awake) = bounded(1);
        let mut loaded = Some(network.classifier);
        let parts = Parts::new(SourceRequest::Camera(self.request.clone()), network.device, move |_| {
            loaded.take().context("the network of a camera without a window is never exchanged")
        });
        let StageChoices { smoothing, detection, .. } = self.choices;
        let settings = LiveSettings { smoothing, detection, picture: false, ..LiveSettings::default() };
        let live = Live::start(parts, settings, move || {
            // A full channel has a wake-up in it already.
            waker.try_send(()).ok();
        })?;
        let mut watch = Watch::new(outputs, recording)?;
        let mut trouble = None;
        while trouble.is_none()
            && !interrupt::requested()
            && !watch.outputs.is_closed()
            && !watch.is_over(self.duration)
            && watch.recorded.is_none()
        {
            watch.wait(&awake);
            trouble = watch.take(&live).err();
        }
        if let Some(trouble) = trouble {
            watch.give_up(live);
            return Err(trouble);
        }
        let interrupted = stop.load(std::sync::atomic::Ordering::Relaxed);
        let outcome = watch.finish(live, in_use)?;
        if self.json {
            print_json(&outcome)?;
        } else if self.streams() {
            tell(outcome.text().trim_end());
        } else {
            print(&outcome.text())?;
        }
        if let Some(SavedSession { reason: Some(reason), folder, .. }) = &outcome.recording {
            bail!("the recording has ended: {reason}; what was recorded up to then is in {}", folder.display());
        }
        if interrupted {
            bail!(Interrupted("ended by Ctrl-C; the figures are those up to then".to_owned()));
        }
        Ok(())
    }
}

/// Where processor time stood when the first frame was labelled.
struct Began {
    at: Instant,
    cpu_time: Option<Duration>,
    others: Option<OtherLoad>,
}

/// Everything that is gathered while the camera runs.
struct Watch {
    outputs: Outputs,
    tally: Tally,
    /// Microseconds.
    ages: Histogram<u64>,
    began: Option<Began>,
    memory: Vec<u64>,
    memory_due: Option<Instant>,
    source: Option<Source>,
    losses: u64,
    recording: Option<HeadlessWriter>,
    recorded: Option<SavedSession>,
}

impl Watch {
    fn new(outputs: Outputs, recording: Option<HeadlessWriter>) -> anyhow::Result<Self> {
        Ok(Self {
            outputs,
            tally: Tally::default(),
            ages: Histogram::new_with_max(LONGEST_AGE, 3)?,
            began: None,
            memory: Vec::new(),
            memory_due: None,
            source: None,
            losses: 0,
            recording,
            recorded: None,
        })
    }

    fn is_over(&self, duration: Option<Duration>) -> bool {
        matches!((&self.began, duration), (Some(began), Some(duration)) if began.at.elapsed() >= duration)
    }

    fn wait(&self, awake: &Receiver<()>) {
        // Woken or not: both are looked into all the same.
        awake.recv_timeout(TICK).ok();
    }

    /// What the pipeline has for us.
    fn take(&mut self, live: &Live) -> anyhow::Result<()> {
        for event in live.events() {
            if let Some(recording) = &mut self.recording {
                recording.note(&event, live)?;
            }
            self.note(event)?;
        }
        if let Some(recording) = &self.recording {
            recording.tell(&mut self.recorded)?;
        }
        if let Some(scene) = live.take_scene() {
            if self.began.is_none() {
                let now = Instant::now();
                self.began = Some(Began { at: now, cpu_time: process::cpu_time(), others: OtherLoad::start() });
                self.memory_due = Some(now + MEMORY_WARM_UP);
            }
            self.tally.add(&scene);
            let age = scene.labelled_at.saturating_duration_since(scene.frame.captured_at);
            self.ages.saturating_record(u64::try_from(age.as_micros()).unwrap_or(LONGEST_AGE));
            self.outputs.push(self.source.as_ref().map_or("", |source| &source.name), &scene)?;
        }
        if self.memory_due.is_some_and(|due| Instant::now() >= due) {
            self.memory.extend(process::memory().map(|memory| memory.current));
            self.memory_due = Some(Instant::now() + MEMORY_INTERVAL);
        }
        Ok(())
    }

    fn note(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Opened(info) => {
                let fps = rounded(info.fps, FPS_DIGITS);
                tell(&format!("{}: {}×{} at {fps} fps {}", info.name, info.width, info.height, info.fourcc));
                self.source = Some(Source::from(&info));
                Ok(())
            }
            // One that never worked is an error; one that is lost later may come back.
            Event::CameraLost { reason, busy: true, .. } if self.source.is_none() => Err(TryAgain(reason).into()),
            Event::CameraLost { reason, .. } if self.source.is_none() => Err(anyhow!(reason)),
            Event::CameraLost { reason, retry_in, .. } => {
                self.losses += 1;
                tell(&format!("{reason}; trying again in {:.0} s", retry_in.as_secs_f64()));
                Ok(())
            }
            Event::Failed(reason) => Err(anyhow!(reason)),
            _ => Ok(()),
        }
    }

    /// Keeps what was seen before something failed: it can't be watched again. What fails here too is told by the first failure.
    fn give_up(mut self, live: Live) {
        if self.began.is_none() {
            return;
        }
        if let Some(recording) = self.recording {
            recording.finish(&mut self.recorded).ok();
        }
        drop(live);
        let Ok(WrittenTables { table, jsonl }) = self.outputs.finish() else { return };
        for path in [table, jsonl].into_iter().flatten() {
            tell(&format!("{} holds what was seen up to then", path.display()));
        }
    }

    fn finish(mut self, live: Live, network: NetworkInUse) -> anyhow::Result<Outcome> {
        let Statistics { captured, dropped, .. } = live.statistics();
        let (seconds, cpu_cores, other_load_cores) = self.began.as_ref().map_or((0.0, None, None), |began| {
            let seconds = began.at.elapsed().as_secs_f64();
            let used = process::cpu_time().zip(began.cpu_time).map(|(now, then)| now.saturating_sub(then));
            (
                seconds,
                used.map(|used| used.as_secs_f64() / seconds.max(1e-3)),
                began.others.as_ref().and_then(OtherLoad::cores),
            )
        });
        let memory = process::memory();
        // While the pipeline still runs: the last frames are on their way to their labels.
        let recorded = self.recording.map(|recording| recording.finish(&mut self.recorded));
        drop(live);
        let tables = self.outputs.finish()?;
        recorded.transpose()?;
        let seen = self.tally.seen();
        Ok(Outcome {
            // The first frame opened the interval, so there are as many intervals as further frames.
            analysed_fps: if seconds > 0.0 { seen.frames.saturating_sub(1) as f64 / seconds } else { 0.0 },
            seen,
            seconds,
            captured,
            dropped,
            age_ms: ages(&self.ages),
            cpu_cores,
            other_load_cores,
            memory: memory.and_then(|memory| course(&self.memory, memory.current)),
            peak_memory_bytes: memory.map(|memory| memory.peak),
            camera_losses: self.losses,
            network,
            source: self.source,
            tables,
            recording: self.recorded,
            versions: Versions::here(),
        })
    }
}

fn ages(microseconds: &Histogram<u64>) -> Option<Ages> {
    let ms = |value: u64| value as f64 / 1e3;
    let at = |quantile| ms(microseconds.value_at_quantile(quantile));
    (!microseconds.is_empty()).then(|| Ages { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: ms(microseconds.max()) })
}

/// From one sample a second. `None` for a run that ended before the first.
fn course(samples: &[u64], current: u64) -> Option<MemoryCourse> {
    let mean = |samples: &[u64]| samples.iter().sum::<u64>() / samples.len() as u64;
    let length = samples.len().min(MEMORY_SAMPLES);
    (length > 0).then(|| MemoryCourse {
        first_minute_bytes: mean(&samples[..length]),
        last_minute_bytes: mean(&samples[samples.len() - length..]),
        current_bytes: current,
    })
}

impl Outcome {
    fn text(&self) -> String {
        let mut text = format!("\n{}\n", self.seen.text());
        let mut line = |name: &str, value: String| text += &format!("  {name:9} {value}\n");
        let mode =
            self.source.as_ref().map_or_else(String::new, |source| format!(" of {}", rounded(source.fps, FPS_DIGITS)));
        line("Speed", format!("{:.1}{mode} fps over {:.1} s", self.analysed_fps, self.seconds));
        line("Dropped", format!("{} of {} frames", self.dropped, self.captured));
        if let Some(Ages { p50, p95, p99, max }) = &self.age_ms {
            line("Age", format!("p50 {p50:.0}, p95 {p95:.0}, p99 {p99:.0}, at most {max:.0} ms from capture to label"));
        }
        if let Some(cores) = self.cpu_cores {
            line("Processor", format!("{:.0} % of a core", cores * 100.0));
        }
        let mb = |bytes: u64| bytes / 1_000_000;
        if let Some(peak) = self.peak_memory_bytes {
            let now = self.memory.as_ref().map_or_else(String::new, |memory| {
                let MemoryCourse { first_minute_bytes: first, last_minute_bytes: last, .. } = memory;
                format!(", {} in the first and {} in the last minute", mb(*first), mb(*last))
            });
            line("Memory", format!("{} MB at most{now}", mb(peak)));
        }
        line("Model", self.network.to_string());
        for table in self.tables.table.iter().chain(&self.tables.jsonl) {
            line("Table", table.display().to_string());
        }
        if let Some(SavedSession { folder, counts, .. }) = &self.recording {
            let lost =
                if counts.frames_lost > 0 { format!(", {} not recorded", counts.frames_lost) } else { String::new() };
            line("Recording", format!("{} frames{lost}: {}", counts.frames, folder.display()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_grows_shows_between_the_first_and_the_last_minute() {
        let samples: Vec<u64> = (0..300).map(|second| 1_000 + second).collect();
        let course = course(&samples, 1_299).unwrap();
        assert_eq!((course.first_minute_bytes, course.last_minute_bytes), (1_029, 1_269));
    }

    #[test]
    fn a_run_without_a_sample_says_nothing_about_memory() {
        assert!(course(&[], 5).is_none());
    }
}
