//! The stages of the pipeline, as commands without a window assemble them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tch::Device;

use crate::classes::Classes;
use crate::classify::{Classifier, ClassifyError, TorchClassifier};
use crate::crop::{FaceCrop, Framing};
use crate::demo;
use crate::detect::{DetectionOptions, ScheduledDetector};
use crate::device::DeviceChoice;
use crate::net::{Card, Model, ModelSource};
use crate::network::NetworkInUse;
use crate::pipeline::{Analyzer, Labeller};
use crate::prior::PriorChoice;
use crate::probabilities::Probabilities;
use crate::track::TrackOptions;

/// The options that decide how frames are processed.
#[derive(Clone, Debug)]
pub struct StageChoices {
    /// Where the network runs.
    pub device: DeviceChoice,
    /// Which network.
    pub model: ModelSource,
    /// How often each class is assumed to be shown; `None` uses the model's default.
    pub prior: Option<PriorChoice>,
    /// Whether the network is also shown each face mirrored.
    pub flip: bool,
    /// Number of libtorch threads.
    pub threads: u16,
    /// Time constant of the smoothing; `None` is off.
    pub smoothing: Option<Duration>,
    /// How faces are found.
    pub detection: DetectionOptions,
}

/// A loaded network with what reports say about it.
pub struct LoadedNetwork {
    /// The network, warmed up.
    pub classifier: Box<dyn Classifier>,
    /// Its description.
    pub in_use: NetworkInUse,
    /// Where it runs.
    pub device: Device,
    /// The model's card.
    pub card: Card,
}

impl StageChoices {
    /// Loads the network.
    ///
    /// # Errors
    /// When the device or the model can't be used.
    pub fn load_network(&self) -> anyhow::Result<LoadedNetwork> {
        let threads = i32::from(self.threads);
        crate::torch::use_threads(threads);
        let started = Instant::now();
        let classifier = TorchClassifier::load(&self.model, self.device, self.prior.as_ref())?.with_flip(self.flip);
        let in_use = NetworkInUse::from(&classifier);
        let Model { card, device, .. } = classifier.model();
        let (card, device) = (card.clone(), *device);
        tracing::info!("{} loaded and warm in {:.0?}", self.model, started.elapsed());
        let classifier = Box::new(OnThreads { classifier: Box::new(classifier), threads: Some(threads) });
        Ok(LoadedNetwork { classifier, in_use, device, card })
    }

    /// Creates the stages before the network.
    ///
    /// # Errors
    /// When the detector can't be loaded.
    pub fn analyzer(&self) -> anyhow::Result<Analyzer> {
        // The pipeline's threads already use the cores; a second pool would only make them wait for each other.
        opencv::core::set_num_threads(1).context("OpenCV refused to use a single thread")?;
        let detector = ScheduledDetector::make(&self.detection, self.device.resolve()?)?;
        Ok(Analyzer::new(detector, TrackOptions::default(), false))
    }

    /// Creates the stages before the network, for frames that are `spacing` apart and `frames` of them, if the number is known. Both refer
    /// to analysed frames: some of a video's may be skipped.
    ///
    /// # Errors
    /// As [`Self::analyzer`].
    pub fn analyzer_for(&self, spacing: Duration, frames: Option<u64>) -> anyhow::Result<Analyzer> {
        let mut analyzer = self.analyzer()?;
        analyzer.prepare_for(spacing, frames);
        Ok(analyzer)
    }

    /// Creates the stages from the network on.
    pub fn labeller(&self, classifier: Box<dyn Classifier>) -> Labeller {
        Labeller::new(classifier, self.smoothing)
    }
}

/// Sets libtorch's number of threads on the thread that runs the network: OpenMP has a separate setting for each thread.
struct OnThreads {
    classifier: Box<dyn Classifier>,
    threads: Option<i32>,
}

impl Classifier for OnThreads {
    fn classes(&self) -> Classes {
        self.classifier.classes()
    }

    fn framing(&self) -> Framing {
        self.classifier.framing()
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        if let Some(threads) = self.threads.take() {
            crate::torch::use_threads(threads);
        }
        self.classifier.classify(crops)
    }
}

/// One network for several pipelines, which take turns; the stages before it are the bottleneck.
#[derive(Clone)]
pub struct SharedNetwork {
    classifier: Arc<Mutex<Box<dyn Classifier>>>,
    threads: i32,
}

impl SharedNetwork {
    /// Shares a loaded network that is to run on this many threads.
    pub fn new(network: Box<dyn Classifier>, threads: u16) -> Self {
        Self { classifier: Arc::new(Mutex::new(network)), threads: threads.into() }
    }

    /// Returns a classifier for one pipeline.
    pub fn classifier(&self) -> Box<dyn Classifier> {
        Box::new(OnThreads { classifier: Box::new(self.clone()), threads: Some(self.threads) })
    }
}

impl Classifier for SharedNetwork {
    fn classes(&self) -> Classes {
        self.classifier.lock().unwrap_or_else(PoisonError::into_inner).classes()
    }

    fn framing(&self) -> Framing {
        self.classifier.lock().unwrap_or_else(PoisonError::into_inner).framing()
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        self.classifier.lock().unwrap_or_else(PoisonError::into_inner).classify(crops)
    }
}

/// Returns the named video, or else the demo clip.
///
/// # Errors
/// When none was named and the demo clip isn't there.
pub fn video_or_demo(named: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    named.cloned().or_else(demo::clip).context(
        "no video was named, and the demo clip is not on this machine; name a file, or fetch the clip with `make setup`",
    )
}
