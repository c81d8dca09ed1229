//! What a network is taught, and which answer counts as right.

use rand::Rng;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{DataError, Pictures, Votes};
use mien_core::emotion::Emotion;

/// Which label counts as correct, and which pictures take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LabelRule {
    /// The data set's own label; every picture takes part.
    Label,
    /// The emotion with more than half of all ten FER+ votes, contempt counted as neutral; pictures without one are left out.
    Majority,
    /// Microsoft's reader with 7 classes: single votes dropped, then more than half of those left; unknown, not-a-face and contempt are left out.
    Microsoft,
}

impl LabelRule {
    /// The name in reports and cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Majority => "majority",
            Self::Microsoft => "microsoft",
        }
    }

    /// Whether it reads FER+ votes.
    pub fn needs_votes(self) -> bool {
        self != Self::Label
    }

    /// The default rule: the majority if there are votes, to teach or to measure by, else the label.
    pub fn usual(with_votes: bool) -> Self {
        if with_votes { Self::Majority } else { Self::Label }
    }
}

/// What a network is taught. In a recipe: `target = "votes"`, or `target = { mix = 0.3 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The data set's own label.
    #[default]
    Label,
    /// The emotion that [`LabelRule::Microsoft`] gives. Recipes and cards call it `majority`, after “majority voting” in
    /// Barsoum et al. 2016. Networks that learn it are measured by [`LabelRule::Majority`], which is another rule.
    #[serde(rename = "majority")]
    Microsoft,
    /// The emotion with the most votes, contempt counted as neutral. Single votes are dropped; pictures without such an emotion
    /// are left out.
    Plurality,
    /// The distribution of the FER+ votes (“probability” and “cross-entropy” in Barsoum et al. 2016).
    Votes,
    /// One label drawn from that distribution for each epoch (“probabilistic label drawing” there).
    Draw,
    /// A mix of the label, with this share, and the distribution of the votes.
    Mix(LabelShare),
}

/// How much the label counts beside the votes, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct LabelShare(f32);

impl TryFrom<f32> for LabelShare {
    type Error = &'static str;

    fn try_from(share: f32) -> Result<Self, Self::Error> {
        (0.0..=1.0).contains(&share).then_some(Self(share)).ok_or("the label's share in `mix` has to be from 0 to 1")
    }
}

impl From<LabelShare> for f32 {
    fn from(share: LabelShare) -> Self {
        share.0
    }
}

impl Target {
    /// The name in reports and cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Microsoft => "majority",
            Self::Plurality => "plurality",
            Self::Votes => "votes",
            Self::Draw => "draw",
            Self::Mix(_) => "mix",
        }
    }

    /// Whether it reads FER+ votes.
    pub fn needs_votes(self) -> bool {
        self != Self::Label
    }

    /// The rule by which networks that learn this target are measured.
    pub fn rule(self) -> LabelRule {
        LabelRule::usual(self.needs_votes())
    }
}

/// Pictures and their targets.
pub struct Examples {
    /// Gray bytes `[N, 1, 48, 48]`.
    pub bytes: Tensor,
    /// Target probabilities `[N, classes]`; rows sum to 1. For [`Target::Draw`], the distribution from which the label of an
    /// epoch is drawn.
    pub targets: Tensor,
    /// Where each picture comes from.
    pub sources: Vec<ExampleSource>,
}

/// Where an example comes from, and who it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExampleSource {
    /// The index of its data set among those that were joined.
    pub index: usize,
    /// The person that it shows, if known.
    pub person: Option<String>,
}

impl Examples {
    /// The leading class of each picture.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn leaders(&self) -> Result<Vec<usize>, DataError> {
        let leaders: Vec<i64> = self.targets.argmax(1, false).try_into()?;
        Ok(leaders.into_iter().map(|leader| leader as usize).collect())
    }
}

/// Draws one label from each row of target probabilities `[N, classes]`, as a one-hot row (“probabilistic label drawing”).
pub fn draw_labels(targets: &Tensor, rng: &mut impl Rng) -> Tensor {
    let points: Vec<f32> = (0..targets.size()[0]).map(|_| rng.random()).collect();
    let points = Tensor::from_slice(&points).view([-1, 1]).to_device(targets.device());
    // The drawn label is the first whose cumulative probability exceeds the point. Rounding may leave the last sum below 1.
    let passed = targets.cumsum(1, Kind::Float).le_tensor(&points).sum_dim_intlist(1, false, Kind::Int64);
    let classes = targets.size()[1];
    passed.clamp_max(classes - 1).one_hot(classes).to_kind(Kind::Float)
}

impl Pictures {
    /// The pictures and targets under `target`. Pictures whose votes give no usable target are left out.
    ///
    /// # Errors
    /// When votes are asked for and there are none, or no picture is left.
    pub fn examples(&self, target: Target) -> Result<Examples, DataError> {
        let one_hot = |class: usize| {
            let mut row = vec![0.0_f32; self.classes.len()];
            row[class] = 1.0;
            row
        };
        let of_emotion = |emotion: Emotion| one_hot(emotion.index());
        let wanted: Vec<Option<Vec<f32>>> = match target {
            Target::Label => self.labels.iter().map(|label| Some(one_hot(*label))).collect(),
            Target::Microsoft => self.by_votes(|votes, _| votes.microsoft().map(of_emotion), one_hot)?,
            Target::Plurality => self.by_votes(|votes, _| votes.plurality().map(of_emotion), one_hot)?,
            Target::Votes | Target::Draw => {
                self.by_votes(|votes, _| votes.distribution().map(|shares| shares.to_vec()), one_hot)?
            }
            Target::Mix(LabelShare(share)) => {
                let mixed = |votes: Votes, label: usize| {
                    let mut row = votes.distribution()?.map(|p| p * (1.0 - share)).to_vec();
                    row[label] += share;
                    Some(row)
                };
                self.by_votes(mixed, one_hot)?
            }
        };
        let takes_part = self.sources.iter().zip(&self.subjects).zip(&wanted).filter(|(_, row)| row.is_some());
        let sources =
            takes_part.map(|((index, person), _)| ExampleSource { index: *index, person: person.clone() }).collect();
        let bytes = self.taking_part(&wanted)?;
        let targets: Vec<f32> = wanted.into_iter().flatten().flatten().collect();
        Ok(Examples { bytes, targets: Tensor::from_slice(&targets).view([-1, self.classes.len() as i64]), sources })
    }

    /// The pictures that take part under `rule`, and their right answers.
    ///
    /// # Errors
    /// When the rule needs votes and there are none, or no picture is left.
    pub fn judged(&self, rule: LabelRule) -> Result<(Tensor, Vec<usize>), DataError> {
        let answers = self.answers(rule)?;
        Ok((self.taking_part(&answers)?, answers.into_iter().flatten().collect()))
    }

    /// The right answer for each picture under `rule`, `None` for those that it leaves out.
    ///
    /// # Errors
    /// When the rule needs votes and there are none.
    pub fn answers(&self, rule: LabelRule) -> Result<Vec<Option<usize>>, DataError> {
        Ok(match rule {
            LabelRule::Label => self.labels.iter().copied().map(Some).collect(),
            LabelRule::Majority => self.by_votes(|votes, _| votes.majority().map(Emotion::index), |label| label)?,
            LabelRule::Microsoft => self.by_votes(|votes, _| votes.microsoft().map(Emotion::index), |label| label)?,
        })
    }

    /// How many pictures `rule` leaves out because they show contempt. Only [`LabelRule::Microsoft`] has it as a separate class.
    pub fn left_out_for_contempt(&self, rule: LabelRule) -> usize {
        match rule {
            LabelRule::Microsoft => self.votes.iter().flatten().filter(|votes| votes.is_contempt()).count(),
            LabelRule::Label | LabelRule::Majority => 0,
        }
    }

    /// The bytes of the pictures that have a value.
    fn taking_part<T>(&self, values: &[Option<T>]) -> Result<Tensor, DataError> {
        let rows: Vec<i64> = (0_i64..).zip(values).filter(|(_, value)| value.is_some()).map(|(row, _)| row).collect();
        if rows.is_empty() {
            return Err(DataError::NoPicture { split: self.split });
        }
        Ok(self.bytes.index_select(0, &Tensor::from_slice(&rows)))
    }

    /// A value for each picture: `of_votes` of its votes and label, or `of_label` of the label for pictures without votes.
    fn by_votes<T>(
        &self,
        of_votes: impl Fn(Votes, usize) -> Option<T>,
        of_label: impl Fn(usize) -> T,
    ) -> Result<Vec<Option<T>>, DataError> {
        if self.votes.iter().all(Option::is_none) {
            return Err(DataError::NoVotes);
        }
        let of_picture = |(votes, label): (&Option<Votes>, &usize)| match votes {
            Some(votes) => of_votes(*votes, *label),
            None => Some(of_label(*label)),
        };
        Ok(self.votes.iter().zip(&self.labels).map(of_picture).collect())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::datasets::Split;
    use mien_core::classes::Classes;

    #[test]
    fn labels_are_drawn_as_often_as_they_are_likely() {
        let row = [0.0_f32, 0.25, 0.0, 0.75, 0.0, 0.0, 0.0];
        let targets = Tensor::from_slice(&row).view([1, -1]).repeat([4000, 1]);
        let drawn = draw_labels(&targets, &mut ChaCha8Rng::seed_from_u64(5));
        assert_eq!(drawn.sum_dim_intlist(1, false, Kind::Float).min().double_value(&[]), 1.0);
        let shares: Vec<f64> = drawn.mean_dim([0].as_slice(), false, Kind::Double).try_into().unwrap();
        assert!((shares[1] - 0.25).abs() < 0.03 && (shares[3] - 0.75).abs() < 0.03, "{shares:?}");
    }

    /// Two pictures: one that most people find happy but FER2013 calls sad, and one in which nobody saw a face.
    fn pictures() -> Pictures {
        let votes = |columns| Votes::new(columns);
        Pictures {
            split: Split::Public,
            classes: Classes::emotions(),
            bytes: Tensor::from_slice(&[9_u8; 2 * 48 * 48]).view([2, 1, 48, 48]),
            labels: vec![Emotion::Sad.index(), Emotion::Angry.index()],
            votes: [[0, 8, 2, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]].map(votes).map(Some).into(),
            subjects: vec![None, None],
            sources: vec![0, 0],
            places: vec!["line 2".to_owned(), "line 3".to_owned()],
        }
    }

    fn targets(target: Target) -> Vec<f32> {
        Vec::try_from(pictures().examples(target).unwrap().targets.view(-1)).unwrap()
    }

    #[test]
    fn a_mix_holds_the_label_with_its_share_and_the_votes_with_the_rest() {
        let mixed = targets(Target::Mix(LabelShare(0.5)));
        let wanted = [0.0, 0.0, 0.0, 0.4, 0.5, 0.1, 0.0];
        assert_eq!(mixed.len(), 7);
        assert!(mixed.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{mixed:?}");
    }

    #[test]
    fn each_target_teaches_what_its_name_says() {
        assert_eq!(targets(Target::Microsoft), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(targets(Target::Draw), targets(Target::Votes));
        assert_eq!(targets(Target::Label).len(), 14, "every picture has a label");
    }

    #[test]
    fn recipes_name_targets_and_a_share_out_of_range_is_refused() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Part {
            target: Target,
        }
        let read = |text: &str| toml::from_str::<Part>(text);
        assert_eq!(read("target = \"draw\"").unwrap().target, Target::Draw);
        let majority = read("target = \"majority\"").unwrap();
        assert_eq!((majority.target, majority.target.name()), (Target::Microsoft, "majority"));
        assert_eq!(toml::to_string(&majority).unwrap().trim_end(), "target = \"majority\"");
        let mix = read("target = { mix = 0.25 }").unwrap();
        assert_eq!(mix.target, Target::Mix(LabelShare(0.25)));
        assert_eq!(read(&toml::to_string(&mix).unwrap()).unwrap(), mix);
        assert!(read("target = { mix = 1.5 }").unwrap_err().to_string().contains("from 0 to 1"));
    }

    #[test]
    fn a_split_in_which_nothing_takes_part_is_an_error_and_no_empty_result() {
        let mut pictures = pictures();
        pictures.votes = vec![Some(Votes::new([0, 0, 0, 0, 0, 0, 0, 0, 0, 10])); 2];
        let split = Split::Public;
        assert!(matches!(pictures.judged(LabelRule::Majority), Err(DataError::NoPicture { split: s }) if s == split));
        assert!(matches!(pictures.examples(Target::Votes), Err(DataError::NoPicture { split: s }) if s == split));
    }
}
