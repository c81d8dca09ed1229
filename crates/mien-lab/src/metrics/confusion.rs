//! The confusion matrix, and the measures that follow from it alone.

use serde::{Serialize, Serializer};

use super::wilson_interval;
use mien_core::classes::Classes;

/// The confusion matrix: counts `[truth][answer]`, both in the order of the classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: Classes,
    counts: Vec<Vec<u64>>,
}

impl Serialize for Confusion {
    /// Only the counts.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.counts.serialize(serializer)
    }
}

/// Precision, recall and F1 of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// The class's name in files.
    pub class: String,
    /// Number of pictures of this class.
    pub support: u64,
    /// The share of the pictures classified as this class that belong to it. `None` if there are none.
    pub precision: Option<f64>,
    /// The share of this class's pictures that were classified as it. `None` if there are none.
    pub recall: Option<f64>,
    /// Harmonic mean of the two; 0 if no answer was right. `None` if the class neither occurs nor was predicted.
    pub f1: Option<f64>,
}

impl Confusion {
    /// An empty matrix.
    pub fn none(classes: &Classes) -> Self {
        Self { classes: classes.clone(), counts: vec![vec![0; classes.len()]; classes.len()] }
    }

    /// Counts one answer.
    pub fn add(&mut self, truth: usize, answer: usize) {
        self.counts[truth][answer] += 1;
    }

    /// The classes.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The counts, `[truth][answer]`.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Number of pictures.
    pub fn n(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Share of right answers; 0 without pictures.
    pub fn accuracy(&self) -> f64 {
        share(self.right(), self.n()).unwrap_or(0.0)
    }

    /// The 95 % interval about [`Self::accuracy`].
    pub fn accuracy_interval(&self) -> [f64; 2] {
        wilson_interval(self.right(), self.n())
    }

    fn right(&self) -> u64 {
        self.counts.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// Precision, recall and F1, class by class.
    pub fn per_class(&self) -> Vec<ClassMetrics> {
        let of_class = |(i, class): (usize, &str)| {
            let right = self.counts[i][i];
            let support: u64 = self.counts[i].iter().sum();
            let named: u64 = self.counts.iter().map(|row| row[i]).sum();
            ClassMetrics {
                class: class.to_owned(),
                support,
                precision: share(right, named),
                recall: share(right, support),
                f1: share(2 * right, support + named),
            }
        };
        self.classes.keys().enumerate().map(of_class).collect()
    }

    /// Mean F1 over the classes that occur.
    pub fn macro_f1(&self) -> f64 {
        self.mean_over_occurring(|class| class.f1)
    }

    /// Mean F1 over the classes that occur, weighted by their numbers of pictures; 0 without pictures.
    pub fn weighted_f1(&self) -> f64 {
        let sum: f64 = self.per_class().iter().map(|class| class.support as f64 * class.f1.unwrap_or(0.0)).sum();
        sum / self.n().max(1) as f64
    }

    /// Mean recall over the classes that occur (balanced accuracy, macro recall). An answer outside these classes is simply wrong.
    pub fn balanced_accuracy(&self) -> f64 {
        self.mean_over_occurring(|class| class.recall)
    }

    fn mean_over_occurring(&self, measure: impl Fn(&ClassMetrics) -> Option<f64>) -> f64 {
        let values: Vec<f64> = self.per_class().iter().filter(|c| c.support > 0).filter_map(measure).collect();
        if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien_core::emotion::Emotion;

    fn none() -> Confusion {
        Confusion::none(&Classes::emotions())
    }

    fn example() -> Confusion {
        let mut confusion = none();
        for (truth, answer, times) in [
            (Emotion::Happy, Emotion::Happy, 8),
            (Emotion::Happy, Emotion::Neutral, 2),
            (Emotion::Sad, Emotion::Neutral, 3),
            (Emotion::Sad, Emotion::Sad, 1),
            (Emotion::Neutral, Emotion::Neutral, 6),
        ] {
            (0..times).for_each(|_| confusion.add(truth.index(), answer.index()));
        }
        confusion
    }

    #[test]
    fn measures_are_those_worked_out_by_hand() {
        let confusion = example();
        assert_eq!(confusion.n(), 20);
        assert!((confusion.accuracy() - 15.0 / 20.0).abs() < 1e-12);
        assert!((confusion.balanced_accuracy() - (0.8 + 0.25 + 1.0) / 3.0).abs() < 1e-12);
        let happy = 2.0 * 1.0 * 0.8 / 1.8;
        let sad = 2.0 * 1.0 * 0.25 / 1.25;
        let neutral = 2.0 * (6.0 / 11.0) / (6.0 / 11.0 + 1.0);
        assert!((confusion.macro_f1() - (happy + sad + neutral) / 3.0).abs() < 1e-12);
        assert!((confusion.weighted_f1() - (10.0 * happy + 4.0 * sad + 6.0 * neutral) / 20.0).abs() < 1e-12);
    }

    #[test]
    fn an_answer_outside_the_emotions_that_occur_is_wrong_and_adds_no_class() {
        let mut confusion = none();
        confusion.add(3, 3);
        confusion.add(3, 6);
        assert!((confusion.balanced_accuracy() - 0.5).abs() < 1e-12);
        let happy = confusion.per_class()[Emotion::Happy.index()].f1.unwrap();
        assert!((confusion.macro_f1() - happy).abs() < 1e-12);
    }

    #[test]
    fn emotions_that_do_not_occur_count_for_nothing() {
        let classes = example().per_class();
        assert_eq!(classes[Emotion::Fear.index()].f1, None);
        assert_eq!(classes[Emotion::Fear.index()].recall, None);
        assert_eq!(none().accuracy(), 0.0);
    }
}
