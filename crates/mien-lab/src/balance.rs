//! Handling of class imbalance: how often an epoch shows each picture, and how much each class weighs.
//!
//! It applies after the split and to Training only, so copies of a picture never end up on two sides.

use rand::Rng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde::{Deserialize, Serialize};

use super::recipe::Problems;
use mien_core::classes::Classes;

/// A strategy against imbalance and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BalanceSpec {
    /// The pictures as they are.
    // With braces, here and below, so that serde rejects settings of other kinds.
    None {},
    /// Show each picture of the named classes `times` times per epoch, each time varied differently by the recipe's augmentation.
    AugmentMinority {
        /// Which classes.
        #[serde(default)]
        classes: Vec<String>,
        /// How often.
        #[serde(default = "twice")]
        times: usize,
    },
    /// Show pictures of rarer classes repeatedly, until each class is shown as often as the most frequent one.
    Oversample {},
    /// Weigh each class's loss by the inverse of its frequency.
    ClassWeights {},
    /// Weigh each class's loss by its frequency, which favours the frequent ones.
    Frequency {},
}

impl Default for BalanceSpec {
    fn default() -> Self {
        Self::None {}
    }
}

fn twice() -> usize {
    2
}

impl BalanceSpec {
    /// Adds problems with the settings to `found`, for a recipe with the classes `all`.
    pub fn check(&self, all: &Classes, found: &mut Problems) {
        if let Self::AugmentMinority { classes, times } = self {
            found.check("balance.classes", !classes.is_empty(), "has to name a class");
            if let Some(unknown) = classes.iter().find(|class| all.named(class).is_none()) {
                found.add("balance.classes", format!("names “{unknown}”, which is none of {all}"));
            }
            found.check("balance.times", *times > 1, "has to be at least 2");
        }
    }

    /// Whether it changes how often pictures are shown, and not only their weights.
    pub fn repeats(&self) -> bool {
        matches!(self, Self::AugmentMinority { .. } | Self::Oversample {})
    }

    /// The rows of an epoch in random order, for pictures whose leading classes among `all` are `leaders`.
    pub fn order(&self, leaders: &[usize], all: &Classes, rng: &mut impl Rng) -> Vec<i64> {
        let mut order: Vec<i64> = match self {
            Self::Oversample {} => {
                let mut of_class: Vec<Vec<i64>> = vec![vec![]; all.len()];
                (0_i64..).zip(leaders).for_each(|(row, leader)| of_class[*leader].push(row));
                let most = of_class.iter().map(Vec::len).max().unwrap_or(0);
                of_class.iter().filter(|rows| !rows.is_empty()).flat_map(|rows| repeated(rows, most, rng)).collect()
            }
            // All others show a picture a whole number of times.
            _ => (0_i64..)
                .zip(self.times_shown(leaders, all))
                .flat_map(|(row, times)| std::iter::repeat_n(row, times as usize))
                .collect(),
        };
        order.shuffle(rng);
        order
    }

    /// How often an epoch shows each picture, for pictures whose leading classes among `all` are `leaders`: a whole number, or
    /// the expected one where it is random.
    pub fn times_shown(&self, leaders: &[usize], all: &Classes) -> Vec<f64> {
        let mut times = vec![1.0; all.len()];
        match self {
            Self::None {} | Self::ClassWeights {} | Self::Frequency {} => {}
            Self::AugmentMinority { classes: minority, times: often } => {
                minority.iter().filter_map(|name| all.named(name)).for_each(|class| times[class] = *often as f64);
            }
            Self::Oversample {} => {
                let mut counts = vec![0_usize; all.len()];
                leaders.iter().for_each(|leader| counts[*leader] += 1);
                let most = counts.iter().copied().max().unwrap_or(0);
                let often = |count| if count > 0 { most as f64 / count as f64 } else { 0.0 };
                times = counts.into_iter().map(often).collect();
            }
        }
        leaders.iter().map(|leader| times[*leader]).collect()
    }

    /// The weight of each class in the loss, for classes with these shares of the pictures; `None` if all weigh the same. The
    /// mean weight over the pictures is 1. A class without pictures has weight 0.
    pub fn class_weights(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let inverse = |share: &f64| if *share > 0.0 { 1.0 / share } else { 0.0 };
        let raw: Vec<f64> = match self {
            Self::None {} | Self::AugmentMinority { .. } | Self::Oversample {} => return None,
            Self::ClassWeights {} => shares.iter().map(inverse).collect(),
            Self::Frequency {} => shares.to_vec(),
        };
        let mean: f64 = raw.iter().zip(shares).map(|(weight, share)| weight * share).sum();
        (mean > 0.0).then(|| raw.into_iter().map(|weight| weight / mean).collect())
    }
}

/// Repeats `rows` until there are `count`: complete rounds, then a random selection.
fn repeated(rows: &[i64], count: usize, rng: &mut impl Rng) -> Vec<i64> {
    let rest = count % rows.len();
    let whole = rows.iter().copied().cycle().take(count - rest);
    whole.chain(rows.choose_multiple(rng, rest).copied()).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use mien_core::emotion::Emotion;

    /// Five happy pictures, two sad ones, one of disgust.
    fn leaders() -> Vec<usize> {
        use Emotion::{Disgust, Happy, Sad};
        [Happy, Sad, Happy, Happy, Disgust, Happy, Sad, Happy].map(Emotion::index).to_vec()
    }

    fn order(balance: &BalanceSpec) -> Vec<i64> {
        let mut order = balance.order(&leaders(), &Classes::emotions(), &mut ChaCha8Rng::seed_from_u64(3));
        order.sort_unstable();
        order
    }

    #[test]
    fn without_balance_each_picture_is_shown_once() {
        assert_eq!(order(&BalanceSpec::None {}), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn oversampling_shows_each_emotion_as_often_as_the_most_frequent_one() {
        let order = order(&BalanceSpec::Oversample {});
        assert_eq!(order.iter().filter(|row| **row == 4).count(), 5);
        assert_eq!(order.iter().filter(|row| [1, 6].contains(*row)).count(), 5);
        // Two sad pictures fill five places, so each is shown at least twice.
        assert!([1, 6].iter().all(|sad| order.iter().filter(|row| *row == sad).count() >= 2));
        assert_eq!(order.len(), 15);
    }

    #[test]
    fn named_emotions_are_repeated_and_no_others() {
        let order = order(&BalanceSpec::AugmentMinority { classes: vec!["disgust".to_owned()], times: 4 });
        assert_eq!(order, [0, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7]);
    }

    #[test]
    fn each_picture_is_shown_as_often_as_is_said_of_it() {
        let minority = BalanceSpec::AugmentMinority { classes: vec!["disgust".to_owned()], times: 4 };
        for balance in [BalanceSpec::None {}, minority, BalanceSpec::Oversample {}] {
            let epochs = 200;
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let mut shown = vec![0.0; leaders().len()];
            for _ in 0..epochs {
                balance
                    .order(&leaders(), &Classes::emotions(), &mut rng)
                    .iter()
                    .for_each(|row| shown[*row as usize] += 1.0);
            }
            for (seen, said) in shown.iter().zip(balance.times_shown(&leaders(), &Classes::emotions())) {
                assert!((seen / f64::from(epochs) - said).abs() < 0.15, "{balance:?}: {shown:?}");
            }
        }
    }

    #[test]
    fn weights_favour_rare_or_frequent_emotions_and_have_a_mean_of_one() {
        let shares = [0.0, 0.125, 0.0, 0.625, 0.25, 0.0, 0.0];
        let mean = |weights: &[f64]| weights.iter().zip(shares).map(|(w, s)| w * s).sum::<f64>();
        let rare = BalanceSpec::ClassWeights {}.class_weights(&shares).unwrap();
        let frequent = BalanceSpec::Frequency {}.class_weights(&shares).unwrap();
        assert!((mean(&rare) - 1.0).abs() < 1e-12 && (mean(&frequent) - 1.0).abs() < 1e-12);
        let (disgust, happy) = (Emotion::Disgust.index(), Emotion::Happy.index());
        assert!((rare[disgust] / rare[happy] - 5.0).abs() < 1e-9);
        assert!((frequent[happy] / frequent[disgust] - 5.0).abs() < 1e-9);
        assert_eq!(rare[Emotion::Fear.index()], 0.0);
        assert!(BalanceSpec::Oversample {}.class_weights(&shares).is_none());
    }

    #[test]
    fn a_setting_of_another_kind_is_refused() {
        for kind in ["none", "oversample", "class-weights", "frequency"] {
            let read = |text: &str| toml::from_str::<BalanceSpec>(text);
            assert!(read(&format!("kind = \"{kind}\"")).is_ok());
            let error = read(&format!("kind = \"{kind}\"\ntimes = 3")).unwrap_err().to_string();
            assert!(error.contains("unknown field `times`"), "{error}");
        }
    }
}
