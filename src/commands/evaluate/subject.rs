//! A model, and the pictures that it is measured on as it wants them.

use tch::{Device, Tensor};

#[cfg(feature = "vision")]
use super::through_detector;
use super::{ClassifierArgs, learnt};
use crate::console::tell;
use crate::crop::Framing;
use crate::lab::datasets::{Dataset, LabelRule, Pictures, Split};
use crate::lab::faces::cut_again;
use crate::lab::varied;
use crate::net::{Model, ModelSource};

/// A model with the data that it is measured on.
pub(super) struct Subject {
    pub(super) model: Model,
    /// With faces cut out as the network wants them.
    pub(super) data: Dataset,
    /// With faces cut out by their outline, if pictures are varied before the network's own cut. `None` where that is the same.
    unturned: Option<Dataset>,
}

impl Subject {
    /// The pictures that are varied before faces are cut out as the network wants them.
    pub(super) fn uncut(&self) -> &Dataset {
        self.unturned.as_ref().unwrap_or(&self.data)
    }
}

/// Pictures to measure on.
pub(super) struct Sample {
    /// Gray bytes `[N, 1, 48, 48]`.
    pub(super) pictures: Tensor,
    /// By their places among the model's classes.
    pub(super) answers: Vec<usize>,
    /// Pictures that the rule leaves out for showing contempt, if what it leaves out is known.
    pub(super) contempt: usize,
    /// Share of the pictures in which the detector found a face, if it was asked.
    pub(super) found: Option<f64>,
}

impl Sample {
    #[expect(clippy::needless_pass_by_value, reason = "a split is made for the caller alone")]
    fn of(pictures: Pictures, rule: LabelRule) -> anyhow::Result<Self> {
        let contempt = pictures.left_out_for_contempt(rule);
        let (pictures, answers) = pictures.judged(rule)?;
        Ok(Self { pictures, answers, contempt, found: None })
    }
}

impl ClassifierArgs {
    /// Loads a model and the data that it is to be measured, or calibrated, on.
    ///
    /// # Errors
    /// When either can't be used, or it isn't known what the model learnt from these data.
    pub(super) fn subject(&self, source: &ModelSource, device: Device) -> anyhow::Result<Subject> {
        let model = Model::load(source, device, self.precision)?.with_flip(self.flip);
        let paths: Vec<_> = self.data.iter().map(|path| (None, path.clone())).collect();
        let own_split = learnt::own_split(&model.card)?;
        let split = |files: &[String]| learnt::split_of(&model.card, &own_split, files);
        let read = |crop| self.reading.read(&paths, &model.card.labels, &split, crop);
        let crop = model.card.input.crop;
        let data = read(crop)?;
        // What is fitted is fitted on PublicTest, whatever is measured.
        let used = [Some(self.split), self.calibrate.then_some(Split::Public)];
        let used = || used.into_iter().flatten();
        used().try_for_each(|split| learnt::check(&model.card, &data, split))?;
        // Pictures are varied before faces are turned upright in them.
        let is_turned = (self.varied || self.calibrate) && crop != Framing::Box;
        let unturned = is_turned.then(|| read(Framing::Box)).transpose()?;
        if let Some(unturned) = &unturned {
            used().try_for_each(|split| learnt::check_alike(&data, unturned, split))?;
        }
        Ok(Subject { model, data, unturned })
    }

    /// The pictures of the split that the rule judges, as the network wants them.
    pub(super) fn sample(&self, subject: &Subject, rule: LabelRule) -> anyhow::Result<Sample> {
        let crop = subject.model.card.input.crop;
        let mut sample = Sample::of(if self.varied { subject.uncut() } else { &subject.data }.split(self.split), rule)?;
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

/// Varied pictures as the network wants them; says how they were cut out.
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
