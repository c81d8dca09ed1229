//! A model, and the pictures that it is measured on, cut as it needs them.

use tch::{Device, Tensor};

#[cfg(feature = "vision")]
use super::through_detector;
use super::{ClassifierArgs, learnt};
use crate::console::tell;
use crate::crop::Framing;
use crate::lab::datasets::{Dataset, LabelRule, Pictures, Split, SplitSpec};
use crate::lab::faces::cut_again;
use crate::lab::varied;
use crate::net::{Model, ModelSource};

/// A model with the data that it is measured on.
pub(super) struct Subject {
    pub(super) model: Model,
    /// With faces cut out as the network needs them.
    pub(super) data: Dataset,
    /// The same data as box crops, if pictures are varied or searched for faces before they are turned upright. `None` if that isn't
    /// needed, or `data` already has box crops.
    unturned: Option<Dataset>,
}

impl Subject {
    /// The pictures before faces are cut out as the network needs them.
    pub(super) fn uncut(&self) -> &Dataset {
        self.unturned.as_ref().unwrap_or(&self.data)
    }
}

/// Pictures to measure on.
pub(super) struct Sample {
    /// Gray bytes `[N, 1, 48, 48]`.
    pub(super) pictures: Tensor,
    /// The correct class of each picture, as an index into the model's classes.
    pub(super) answers: Vec<usize>,
    /// Number of pictures that the rule leaves out because they show contempt; 0 if that isn't known.
    pub(super) contempt: usize,
    /// Share of the pictures in which the detector found a face, if it was used.
    pub(super) found: Option<f64>,
}

impl Sample {
    fn of(pictures: &Pictures, rule: LabelRule) -> anyhow::Result<Self> {
        let contempt = pictures.left_out_for_contempt(rule);
        let (pictures, answers) = pictures.judged(rule)?;
        Ok(Self { pictures, answers, contempt, found: None })
    }
}

impl ClassifierArgs {
    /// Loads a model that is to be measured.
    ///
    /// # Errors
    /// When it can't be used.
    pub(super) fn load(&self, source: &ModelSource, device: Device) -> anyhow::Result<Model> {
        Ok(Model::load(source, device, self.precision)?.with_flip(self.flip))
    }

    /// Reads the data that a model is to be measured, or calibrated, on.
    ///
    /// # Errors
    /// When they can't be used, or it isn't known which of them the model learnt from.
    pub(super) fn subject(&self, model: Model) -> anyhow::Result<Subject> {
        let paths: Vec<_> = self.data.iter().map(|path| (None, path.clone())).collect();
        let own_split = learnt::own_split(&model.card)?;
        let split = |files: &[String]| {
            if self.against.is_some() && self.split == Split::All {
                // Pictures of `all` are in the order of the splits, so both models need the same split.
                SplitSpec::default()
            } else {
                learnt::split_of(&model.card, &own_split, files)
            }
        };
        let read = |crop| self.reading.read(&paths, &model.card.labels, &split, crop);
        let crop = model.card.input.crop;
        let data = read(crop)?;
        // Calibration is fitted on PublicTest, whichever split is measured.
        let used = [Some(self.split), self.calibrate.then_some(Split::Public)];
        let used = || used.into_iter().flatten();
        used().try_for_each(|split| learnt::check(&model.card, &data, split))?;
        let is_turned = (self.calibrate || self.is_cut_again()) && crop != Framing::Box;
        let unturned = is_turned.then(|| read(Framing::Box)).transpose()?;
        if let Some(unturned) = &unturned {
            used().try_for_each(|split| learnt::check_alike(&data, unturned, split))?;
        }
        Ok(Subject { model, data, unturned })
    }

    /// Whether pictures are varied, or searched for faces as in the app. Both come before faces are cut out for the network.
    fn is_cut_again(&self) -> bool {
        self.varied || self.is_through_detector()
    }

    /// Whether faces are found by the app's own detector, which needs a build with OpenCV.
    #[cfg(feature = "vision")]
    fn is_through_detector(&self) -> bool {
        self.through_detector
    }

    #[cfg(not(feature = "vision"))]
    fn is_through_detector(&self) -> bool {
        false
    }

    /// The data that the measured pictures come from.
    pub(super) fn measured_data<'a>(&self, subject: &'a Subject) -> &'a Dataset {
        if self.is_cut_again() { subject.uncut() } else { &subject.data }
    }

    /// The pictures of the split that the rule judges, as the network needs them.
    pub(super) fn sample(&self, subject: &Subject, rule: LabelRule) -> anyhow::Result<Sample> {
        let crop = subject.model.card.input.crop;
        let mut sample = Sample::of(&self.measured_data(subject).split(self.split), rule)?;
        if self.varied {
            sample.pictures = varied(&sample.pictures, 1)?;
        }
        #[cfg(feature = "vision")]
        if self.through_detector {
            return through_detector::sample(&sample, crop);
        }
        if self.varied {
            sample.pictures = cut_varied(&sample.pictures, crop)?;
        }
        Ok(sample)
    }
}

/// Cuts varied pictures as the network needs them, and tells the user how.
pub(super) fn cut_varied(pictures: &Tensor, crop: Framing) -> anyhow::Result<Tensor> {
    if crop == Framing::Upright {
        tell(&format!("looking for the faces in {} varied pictures", pictures.size()[0]));
    }
    let (pictures, counts) = cut_again(pictures, crop)?;
    if counts.are_cut() {
        tell(&format!("varied pictures: {counts}"));
    }
    Ok(pictures)
}

#[cfg(all(test, feature = "vision"))]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: ClassifierArgs,
    }

    #[test]
    fn pictures_are_varied_and_searched_for_faces_before_they_are_turned_upright() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("happy")).unwrap();
        for gray in 0..3 {
            let picture = image::GrayImage::from_pixel(48, 48, image::Luma([gray]));
            picture.save(folder.path().join(format!("happy/{gray}.png"))).unwrap();
        }
        let data = folder.path().to_str().unwrap();
        let is_unturned = |options: &[&str]| {
            let words = ["mien", "mien-joint", data, "--split", "all", "--no-cache"];
            let Command { args } = Command::parse_from(words.iter().chain(options));
            let model = args.load(args.model.as_ref().unwrap(), Device::Cpu).unwrap();
            let subject = args.subject(model).unwrap();
            subject.unturned.as_ref().is_some_and(|unturned| std::ptr::eq(args.measured_data(&subject), unturned))
        };
        assert!(is_unturned(&["--through-detector"]) && is_unturned(&["--varied"]));
        assert!(!is_unturned(&[]));
    }
}
