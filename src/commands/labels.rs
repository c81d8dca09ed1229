//! The options of every command that labels faces.

use std::time::Duration;

use clap::Args;

use super::numbers::within;
#[cfg(feature = "gui")]
use crate::classify::LoadError;
use crate::detect::GivenDetection;
use crate::device::DeviceChoice;
use crate::net::ModelSource;
#[cfg(feature = "gui")]
use crate::net::{Card, Model, Precision};
use crate::pipeline::LiveSettings;
use crate::prior::PriorChoice;
use crate::smooth::LONGEST_SMOOTHING_SECS;
use crate::stages::StageChoices;

/// How faces are looked for and labelled. What is left out is as it was last set in the window, where there is one.
#[derive(Clone, Debug, Default, Args)]
pub struct LabelArgs {
    /// Where the network runs: auto, cpu, cuda or cuda:N [default: auto; in the window as last chosen]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,

    /// The network that names what faces show: a shipped model's name, or a .safetensors file with its card
    /// beside it [default: mien-joint; in the window as last chosen]
    #[arg(long, value_name = "NAME|PATH")]
    pub model: Option<ModelSource>,

    /// How often each emotion or class is assumed to be shown: `training`, `uniform`, or a TOML or CSV file of emotions and
    /// weights [default: the model's own]
    #[arg(long, value_name = "training|uniform|FILE")]
    pub prior: Option<PriorChoice>,

    /// Show the network each face mirrored too and take the mean of both answers; it takes twice the time
    #[arg(long)]
    pub flip: bool,

    /// Smooth the probabilities over this many seconds, at most 2; higher is calmer, lower is quicker, `off` shows each
    /// frame's own [default: 0.2; in the window as last set]
    #[arg(long, value_name = "SECONDS|off", value_parser = smoothing_secs)]
    pub smoothing: Option<f32>,

    /// How faces are found
    #[command(flatten, next_help_heading = "Finding faces")]
    pub detection: GivenDetection,
}

impl LabelArgs {
    /// Whether any of these options was given.
    pub fn are_given(&self) -> bool {
        let Self { device, model, prior, flip, smoothing, detection } = self;
        *flip
            || device.is_some()
            || model.is_some()
            || prior.is_some()
            || smoothing.is_some()
            || *detection != GivenDetection::default()
    }

    /// Refuses a device, model or prior that can't be used, before any window opens. `last_model` returns the model that the window uses
    /// if none is given.
    ///
    /// # Errors
    /// When the device isn't available, the model is missing or damaged, or the prior doesn't fit the model.
    #[cfg(feature = "gui")]
    pub fn check(&self, last_model: impl FnOnce() -> ModelSource) -> anyhow::Result<()> {
        if let Some(device) = self.device {
            device.resolve()?;
        }
        let assume = |source: &ModelSource, card: &Card| {
            let assumed = card.calibration.assume(self.prior.as_ref());
            assumed.map_err(|error| LoadError::Run { model: source.clone(), source: error.into() })
        };
        if let Some(source) = &self.model {
            assume(source, &Model::load(source, tch::Device::Cpu, Precision::F32)?.card)?;
        } else if self.prior.is_some() {
            let source = last_model();
            // If it can't be read any more, the window says so, and another can be chosen there.
            if let Ok(card) = source.card() {
                assume(&source, &card)?;
            }
        }
        Ok(())
    }

    /// How frames are processed with these options, without a window and its saved settings.
    pub fn stages(&self) -> StageChoices {
        let smoothing = match self.smoothing {
            None => LiveSettings::default().smoothing,
            Some(secs) => Some(Duration::from_secs_f32(secs)).filter(|time| !time.is_zero()),
        };
        StageChoices {
            device: self.device.unwrap_or_default(),
            model: self.model.clone().unwrap_or_default(),
            prior: self.prior.clone(),
            flip: self.flip,
            threads: 1,
            smoothing,
            detection: self.detection.options,
        }
    }
}

/// Parses a time constant in seconds; `off` is 0.
pub fn smoothing_secs(word: &str) -> Result<f32, String> {
    if word == "off" {
        return Ok(0.0);
    }
    within(word, 0.0..=LONGEST_SMOOTHING_SECS).map_err(|problem| format!("{problem}, or `off`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_a_time_or_off() {
        assert_eq!(smoothing_secs("off"), Ok(0.0));
        assert_eq!(smoothing_secs("0.5"), Ok(0.5));
        for word in ["-1", "99", "NaN", "soft"] {
            assert!(smoothing_secs(word).is_err(), "{word}");
        }
    }

    #[test]
    #[cfg(feature = "gui")]
    fn a_prior_of_other_classes_than_the_model_s_is_refused_before_a_window_opens() {
        let folder = tempfile::tempdir().unwrap();
        let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mien.safetensors");
        let weights = folder.path().join("own.safetensors");
        std::fs::copy(&shipped, &weights).unwrap();
        let card = std::fs::read_to_string(shipped.with_extension("toml")).unwrap();
        let own = card.replace("\"angry\"", "\"tired\"").replace("\nangry = ", "\ntired = ");
        std::fs::write(weights.with_extension("toml"), own).unwrap();
        let file = folder.path().join("prior.toml");
        let checked = |given: Option<ModelSource>, last: ModelSource, prior: Option<&str>| {
            let prior = prior.map(|text| {
                std::fs::write(&file, text).unwrap();
                file.to_str().unwrap().parse().unwrap()
            });
            LabelArgs { model: given, prior, ..LabelArgs::default() }.check(|| last)
        };
        let rest = "disgust = 1\nfear = 1\nhappy = 1\nsad = 1\nsurprise = 1\nneutral = 1\n";
        let emotions = format!("angry = 2\n{rest}");
        let own = || ModelSource::File(weights.clone());
        // Whether the model is given, or the one that the window used last.
        let check = |model: ModelSource, prior: Option<&str>| {
            let as_last = checked(None, model.clone(), prior).map_err(|error| error.to_string());
            let as_given = checked(Some(model), ModelSource::default(), prior).map_err(|error| error.to_string());
            assert_eq!(as_given, as_last);
            as_given
        };
        check(ModelSource::default(), Some(&emotions)).unwrap();
        check(own(), None).unwrap();
        check(own(), Some(&format!("[classes]\n{rest}tired = 2\n"))).unwrap();
        let error = check(own(), Some(&emotions)).unwrap_err();
        assert!(error.contains("can't run the model") && error.contains("tells apart tired, disgust"), "{error}");
        // The window tells of a model that has gone since.
        let gone = ModelSource::File(folder.path().join("gone.safetensors"));
        checked(None, gone, Some(&emotions)).unwrap();
    }
}
