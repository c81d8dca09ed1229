//! Watches a camera without a window: writes tables if asked to, and prints figures at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use crossbeam_channel::{Receiver, bounded};
use hdrhistogram::Histogram;

use super::outcome::{Ages, MemoryCourse, Outcome};
use super::outputs::{Outputs, WrittenTables, is_standard_output};
use super::recording::{self, HeadlessWriter, RecordingPlan, SavedSession};
use super::summary::Tally;
use crate::blur::Blur;
use crate::console::{print, print_json, tell};
use crate::exit::TryAgain;
use crate::export::OscOutput;
use crate::interrupt::{self, Interrupted};
use crate::network::NetworkInUse;
use crate::pipeline::{Event, Live, LiveSettings, Parts, SourceRequest};
use crate::process::{self, OtherLoad};
use crate::source::CameraRequest;
use crate::source_summary::SourceSummary;
use crate::stages::StageChoices;
use crate::version::Versions;

/// How often to check for Ctrl-C, the end of the duration and memory use while no frame comes.
const TICK: Duration = Duration::from_millis(100);

/// How often memory is measured.
const MEMORY_INTERVAL: Duration = Duration::from_secs(1);

/// Memory is first measured after this time: until buffers have their size and libtorch its kernels, it grows for good reason.
const MEMORY_WARM_UP: Duration = Duration::from_secs(10);

/// Upper limit of the age histogram in microseconds: a minute.
const LONGEST_AGE: u64 = 60_000_000;

/// A camera to watch.
#[derive(Clone, Debug)]
pub struct CameraJob {
    /// The camera, and the mode to ask it for.
    pub request: CameraRequest,
    /// How long to watch, from the first labelled frame on; `None` means until Ctrl-C.
    pub duration: Option<Duration>,
    /// File for a table of the faces.
    pub csv: Option<PathBuf>,
    /// File for JSON lines, or `-` for standard output.
    pub jsonl: Option<PathBuf>,
    /// Where results are sent live, as Open Sound Control.
    pub osc: Option<OscOutput>,
    /// Folder for a recording.
    pub record: Option<PathBuf>,
    /// What to blur in the recording.
    pub blur: Option<Blur>,
    /// Whether to print the figures as one JSON object.
    pub json: bool,
    /// How frames are processed.
    pub choices: StageChoices,
}

impl CameraJob {
    /// Whether standard output gets nothing but lines.
    pub(super) fn streams(&self) -> bool {
        self.jsonl.as_deref().is_some_and(is_standard_output)
    }

    /// Watches the camera and prints the figures.
    ///
    /// # Errors
    /// When camera, model or device can't be used, a table or the recording can't be written, or the user ended it with Ctrl-C. Figures,
    /// tables and recording then cover the time up to that point.
    pub fn run(&self) -> anyhow::Result<()> {
        let stop = interrupt::catch()?;
        let network = self.choices.load_network()?;
        let in_use = network.in_use;
        let outputs = Outputs::open(self, &in_use.classes)?;
        let plan = |folder| RecordingPlan::new(folder, in_use.clone(), &self.choices, self.blur);
        let recording = self.record.clone().map(plan).map(HeadlessWriter::new);

        let (waker, awake) = bounded(1);
        let mut loaded = Some(network.classifier);
        let parts = Parts::new(SourceRequest::Camera(self.request.clone()), network.device, move |_| {
            loaded.take().context("the network of a camera without a window is never exchanged")
        });
        let StageChoices { smoothing, detection, .. } = self.choices;
        let settings = LiveSettings { smoothing, detection, picture: false, ..LiveSettings::default() };
        let live = Live::start(parts, settings, move || {
            // A full channel already contains a wake-up.
            waker.try_send(()).ok();
        })?;
        if let Some(osc) = &self.osc {
            live.add_tap(Arc::new(osc.clone()));
        }
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
            return Err(watch.give_up(live, trouble));
        }
        let interrupted = stop.load(std::sync::atomic::Ordering::Relaxed);
        let (outcome, ended) = watch.finish(live, in_use);
        if self.json {
            print_json(&outcome)?;
        } else if self.streams() {
            tell(outcome.text().trim_end());
        } else {
            print(&outcome.text())?;
        }
        ended?;
        if let Some(SavedSession { reason: Some(reason), folder, .. }) = &outcome.recording {
            let kept = folder.display();
            let words = format!("the recording has ended: {reason}; what was recorded up to then is in {kept}");
            return Err(recording::failure(reason, words));
        }
        if interrupted {
            bail!(Interrupted("ended by Ctrl-C; the figures are those up to then".to_owned()));
        }
        Ok(())
    }
}

/// The time and the processor time when the first frame was labelled.
struct Began {
    at: Instant,
    cpu_time: Option<Duration>,
    others: Option<OtherLoad>,
}

/// Everything that is gathered while the camera runs.
struct Watch {
    outputs: Outputs,
    tally: Tally,
    /// In microseconds.
    ages: Histogram<u64>,
    began: Option<Began>,
    memory: Vec<u64>,
    memory_due: Option<Instant>,
    source: Option<SourceSummary>,
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
        // Woken or timed out: the caller checks both in any case.
        awake.recv_timeout(TICK).ok();
    }

    /// Handles the pipeline's events and its newest scene, and measures memory.
    fn take(&mut self, live: &Live) -> anyhow::Result<()> {
        for event in live.events() {
            if let Some(recording) = &mut self.recording {
                recording.note(&event, live)?;
            }
            self.note(event)?;
        }
        if let Some(recording) = &self.recording {
            self.recorded = recording.tell()?;
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
                let source = &*self.source.insert(SourceSummary::from(&info));
                let SourceSummary { name, width, height, codec, .. } = source;
                tell(&format!("{name}: {width}×{height} at {} fps {codec}", source.shown_fps()));
                Ok(())
            }
            // A camera that never worked is an error; one that is lost later may come back.
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

    /// Keeps what was seen before a failure, because it can't be watched again, and says where it is. Further errors are dropped in favour
    /// of the first.
    fn give_up(mut self, live: Live, trouble: anyhow::Error) -> anyhow::Error {
        if self.began.is_none() {
            return trouble;
        }
        let (tables, _) = end(self.recording, &mut self.recorded, live, self.outputs);
        tables.say_where(trouble)
    }

    /// Ends the run; returns the figures, and what failed at the end.
    fn finish(mut self, live: Live, network: NetworkInUse) -> (Outcome, anyhow::Result<()>) {
        let statistics = live.statistics();
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
        let (tables, ended) = end(self.recording, &mut self.recorded, live, self.outputs);
        let seen = self.tally.seen();
        let outcome = Outcome {
            // The clock starts at the first frame, so only later frames count.
            analysed_fps: if seconds > 0.0 { seen.frames.saturating_sub(1) as f64 / seconds } else { 0.0 },
            seen,
            seconds,
            captured: statistics.captured,
            dropped: statistics.missed(),
            age_ms: Ages::of(&self.ages),
            cpu_cores,
            other_load_cores,
            memory: memory.and_then(|memory| MemoryCourse::of(&self.memory, memory.current)),
            peak_memory_bytes: memory.map(|memory| memory.peak),
            camera_losses: self.losses,
            network,
            source: self.source,
            tables,
            recording: self.recorded,
            versions: Versions::here(),
        };
        (outcome, ended)
    }
}

/// Ends the recording, then the pipeline and the tables. The recording ends first, because its last frames are still being labelled by the
/// pipeline. Returns what failed.
fn end(
    recording: Option<HeadlessWriter>,
    recorded: &mut Option<SavedSession>,
    live: Live,
    outputs: Outputs,
) -> (WrittenTables, anyhow::Result<()>) {
    let recording = recording.map_or(Ok(None), HeadlessWriter::finish);
    // It may have ended on its own before.
    let recording = recording.map(|ended| *recorded = ended.or(recorded.take()));
    drop(live);
    let (tables, written) = outputs.finish();
    (tables, written.and(recording))
}
