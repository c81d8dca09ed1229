//! The detectors that `mien evaluate faces` measures, and what they find.

use std::path::PathBuf;
use std::str::FromStr;

use tch::Device;

#[cfg(feature = "vision")]
use crate::detect::{self, DetectionOptions, DetectorKind};
use crate::lab::detection::metrics::Judged;
use crate::lab::detection::{LEAST_SCORE, Scene, find_in, found_by_table};
use crate::net::faces::{FaceNetwork, ScoreCalibration};
use crate::net::{ModelSource, Precision};

/// Something that finds faces.
#[derive(Clone, Debug)]
pub(super) enum DetectorSource {
    /// A network, shipped or in a file.
    Network(ModelSource),
    /// OpenCV's cascade as the program uses it.
    #[cfg(feature = "vision")]
    Haar,
    /// A CSV table of what another program found.
    Table(PathBuf),
}

/// How a network is run.
pub(super) struct Look {
    /// Pictures are resized so that their longer side has this many pixels.
    pub side: usize,
    /// Where it computes.
    pub device: Device,
    /// Number format of convolutions on the CPU.
    pub precision: Precision,
    /// Whether to use the network's own scores, without the calibration in its card.
    pub plain: bool,
}

impl FromStr for DetectorSource {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        #[cfg(feature = "vision")]
        if word == "haar" {
            return Ok(Self::Haar);
        }
        if word.to_ascii_lowercase().ends_with(".csv") {
            return Ok(Self::Table(word.into()));
        }
        word.parse().map(Self::Network)
    }
}

/// What a detector found.
pub(super) struct Findings<'a> {
    /// The detector's name.
    pub name: String,
    /// The network, if it is one.
    pub network: Option<FaceNetwork>,
    /// What it found in each picture.
    pub judged: Vec<Judged<'a>>,
}

impl DetectorSource {
    /// The network, if it is one.
    ///
    /// # Errors
    /// When it can't be loaded.
    pub fn network(&self, look: &Look) -> anyhow::Result<Option<FaceNetwork>> {
        let Self::Network(source) = self else { return Ok(None) };
        Ok(Some(FaceNetwork::load(source, look.device, look.precision)?))
    }

    /// Looks for faces in each scene; `network` is what [`Self::network`] returned.
    ///
    /// # Errors
    /// When the detector fails, or the table doesn't match the scenes.
    pub fn find<'a>(
        &self,
        network: Option<FaceNetwork>,
        scenes: &'a [Scene],
        look: &Look,
    ) -> anyhow::Result<Findings<'a>> {
        if let Some(network) = network {
            let score = if look.plain { ScoreCalibration::default() } else { network.card.score };
            // The limit applies to the network's own score, so that a curve ends at the same boxes whatever the calibration.
            let least = score.probability(ScoreCalibration::default().logit(LEAST_SCORE));
            let judged = find_in(scenes, look.side, look.device, |pictures| network.find_with(pictures, score, least))?;
            return Ok(Findings { name: network.card.name.clone(), network: Some(network), judged });
        }
        let (name, judged) = match self {
            #[cfg(feature = "vision")]
            Self::Haar => ("haar".to_owned(), by_haar(scenes)?),
            Self::Table(path) => {
                (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), found_by_table(path, scenes)?)
            }
            Self::Network(source) => anyhow::bail!("{source} wasn't loaded"),
        };
        Ok(Findings { name, network: None, judged })
    }
}

/// What a full scan of the cascade finds with the program's default settings. The score is the number of hits.
#[cfg(feature = "vision")]
fn by_haar(scenes: &[Scene]) -> anyhow::Result<Vec<Judged<'_>>> {
    use crate::face::GrayView;
    use crate::landmarks::{LANDMARKS, Landmarks};
    use crate::net::faces::FoundFace;

    opencv::core::set_num_threads(1)?;
    let options = DetectionOptions { detector: DetectorKind::Haar, ..DetectionOptions::default() };
    let mut detector = detect::make(&options, Device::Cpu)?;
    let mut judged = Vec::with_capacity(scenes.len());
    for scene in scenes {
        let whole = scene.picture.whole();
        let found = match GrayView::new(&whole.pixels, whole.width, whole.height) {
            Some(view) => detector.detect(view)?,
            None => Vec::new(),
        };
        // The cascade gives no landmarks; NaN points have no distance to others.
        let nowhere = Landmarks::from_points([[f32::NAN; 2]; LANDMARKS]);
        let found = found
            .into_iter()
            .map(|face| FoundFace { rect: face.rect, score: face.score, landmarks: nowhere })
            .collect();
        judged.push(Judged::new(scene, found));
    }
    Ok(judged)
}
