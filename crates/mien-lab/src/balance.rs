//! What is done about emotions that are rare in the data: which pictures an epoch shows, and how much each emotion weighs.
//!
//! All of it happens after the split and in Training alone: a copy of a picture never stands on both sides.

use rand::Rng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde::{Deserialize, Serialize};

use super::recipe::Problems;
use mien_core::emotion::{COUNT, Emotion};

/// A strategy against imbalance and its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BalanceSpec {
    /// The pictures as they are.
    #[default]
    None,
    /// Show each picture of the named emotions `times` times an epoch, each time varied differently by the recipe's augmentation.
    AugmentMinority {
        /// Which emotions.
        #[serde(default)]
        classes: Vec<Emotion>,
        /// How often.
        #[serde(default = "twice")]
        times: usize,
    },
    /// Show pictures of rarer emotions repeatedly, until each emotion is shown as often as the most frequent one.
    Oversample,
    /// Weigh each emotion's loss by the inverse of its frequency.
    ClassWeights,
    /// Weigh each emotion's loss by its frequency, which favours the frequent ones.
    Frequency,
}

fn twice() -> usize {
    2
}

impl BalanceSpec {
    /// Adds what is wrong with the settings to `found`.
    pub fn check(&self, found: &mut Problems) {
        if let Self::AugmentMinority { classes, times } = self {
            found.check("balance.classes", !classes.is_empty(), "has to name an emotion");
            found.check("balance.times", *times > 1, "has to be at least 2");
        }
    }

    /// Whether it decides how often pictures are shown, and not only what they weigh.
    pub fn repeats(&self) -> bool {
        matches!(self, Self::AugmentMinority { .. } | Self::Oversample)
    }

    /// The rows of an epoch in random order, for pictures whose leading emotions are `classes`.
    pub fn order(&self, classes: &[Emotion], rng: &mut impl Rng) -> Vec<i64> {
        let mut order: Vec<i64> = match self {
            Self::Oversample => {
                let rows = || (0_i64..).zip(classes.iter().copied());
                let of_class =
                    Emotion::ALL.map(|e| rows().filter(|(_, c)| *c == e).map(|(row, _)| row).collect::<Vec<_>>());
                let most = of_class.iter().map(Vec::len).max().unwrap_or(0);
                of_class.iter().filter(|rows| !rows.is_empty()).flat_map(|rows| repeated(rows, most, rng)).collect()
            }
            // All others show a picture a whole number of times.
            _ => (0_i64..)
                .zip(self.times_shown(classes))
                .flat_map(|(row, times)| std::iter::repeat_n(row, times as usize))
                .collect(),
        };
        order.shuffle(rng);
        order
    }

    /// How often an epoch shows each picture, for pictures whose leading emotions are `classes`: a whole number, or the mean of
    /// many epochs where chance decides.
    pub fn times_shown(&self, classes: &[Emotion]) -> Vec<f64> {
        let times = match self {
            Self::None | Self::ClassWeights | Self::Frequency => [1.0; COUNT],
            Self::AugmentMinority { classes: minority, times } => {
                Emotion::ALL.map(|emotion| if minority.contains(&emotion) { *times as f64 } else { 1.0 })
            }
            Self::Oversample => {
                let counts = Emotion::ALL.map(|emotion| classes.iter().filter(|class| **class == emotion).count());
                let most = counts.into_iter().max().unwrap_or(0);
                counts.map(|count| if count > 0 { most as f64 / count as f64 } else { 0.0 })
            }
        };
        classes.iter().map(|class| times[class.index()]).collect()
    }

    /// What each emotion's loss is multiplied by, for emotions that make up these shares of the pictures; `None` where all
    /// weigh the same. The weights' mean over the pictures is 1; an emotion without pictures weighs nothing.
    pub fn class_weights(&self, shares: [f64; COUNT]) -> Option<[f64; COUNT]> {
        let raw = match self {
            Self::None | Self::AugmentMinority { .. } | Self::Oversample => return None,
            Self::ClassWeights => shares.map(|share| if share > 0.0 { 1.0 / share } else { 0.0 }),
            Self::Frequency => shares,
        };
        let mean: f64 = raw.iter().zip(shares).map(|(weight, share)| weight * share).sum();
        (mean > 0.0).then(|| raw.map(|weight| weight / mean))
    }
}

/// `rows` until there are `count`: whole rounds, and a random part of another.
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

    /// Five happy pictures, two sad ones, one of disgust.
    fn classes() -> Vec<Emotion> {
        use Emotion::{Disgust, Happy, Sad};
        vec![Happy, Sad, Happy, Happy, Disgust, Happy, Sad, Happy]
    }

    fn order(balance: &BalanceSpec) -> Vec<i64> {
        let mut order = balance.order(&classes(), &mut ChaCha8Rng::seed_from_u64(3));
        order.sort_unstable();
        order
    }

    #[test]
    fn without_balance_each_picture_is_shown_once() {
        assert_eq!(order(&BalanceSpec::None), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn oversampling_shows_each_emotion_as_often_as_the_most_frequent_one() {
        let order = order(&BalanceSpec::Oversample);
        assert_eq!(order.iter().filter(|row| **row == 4).count(), 5);
        assert_eq!(order.iter().filter(|row| [1, 6].contains(*row)).count(), 5);
        // Of two sad pictures for five places each is shown at least twice.
        assert!([1, 6].iter().all(|sad| order.iter().filter(|row| *row == sad).count() >= 2));
        assert_eq!(order.len(), 15);
    }

    #[test]
    fn named_emotions_are_repeated_and_no_others() {
        let order = order(&BalanceSpec::AugmentMinority { classes: vec![Emotion::Disgust], times: 4 });
        assert_eq!(order, [0, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7]);
    }

    #[test]
    fn each_picture_is_shown_as_often_as_is_said_of_it() {
        let minority = BalanceSpec::AugmentMinority { classes: vec![Emotion::Disgust], times: 4 };
        for balance in [BalanceSpec::None, minority, BalanceSpec::Oversample] {
            let epochs = 200;
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let mut shown = vec![0.0; classes().len()];
            for _ in 0..epochs {
                balance.order(&classes(), &mut rng).iter().for_each(|row| shown[*row as usize] += 1.0);
            }
            for (seen, said) in shown.iter().zip(balance.times_shown(&classes())) {
                assert!((seen / f64::from(epochs) - said).abs() < 0.15, "{balance:?}: {shown:?}");
            }
        }
    }

    #[test]
    fn weights_favour_rare_or_frequent_emotions_and_have_a_mean_of_one() {
        let shares = [0.0, 0.125, 0.0, 0.625, 0.25, 0.0, 0.0];
        let mean = |weights: [f64; COUNT]| weights.iter().zip(shares).map(|(w, s)| w * s).sum::<f64>();
        let rare = BalanceSpec::ClassWeights.class_weights(shares).unwrap();
        let frequent = BalanceSpec::Frequency.class_weights(shares).unwrap();
        assert!((mean(rare) - 1.0).abs() < 1e-12 && (mean(frequent) - 1.0).abs() < 1e-12);
        let (disgust, happy) = (Emotion::Disgust.index(), Emotion::Happy.index());
        assert!((rare[disgust] / rare[happy] - 5.0).abs() < 1e-9);
        assert!((frequent[happy] / frequent[disgust] - 5.0).abs() < 1e-9);
        assert_eq!(rare[Emotion::Fear.index()], 0.0);
        assert!(BalanceSpec::Oversample.class_weights(shares).is_none());
    }
}
