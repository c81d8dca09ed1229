//! Chooses which pictures an epoch shows and in which order: each as often as the balance says, or each source with its share
//! of every batch.

use rand::Rng;
use rand::seq::SliceRandom as _;

use super::balance::BalanceSpec;
use super::datasets::{DataError, Examples};
use super::recipe::{DataSpec, EvenOver, Recipe};
use mien_core::classes::Classes;

/// The settings in a recipe that determine the sampling.
#[derive(Clone, Copy, Debug)]
pub struct Sampling<'a> {
    /// The sources' shares, and what each is drawn evenly over.
    pub data: &'a DataSpec,
    /// How class imbalance is handled.
    pub balance: &'a BalanceSpec,
    /// The classes of the network.
    pub classes: &'a Classes,
}

impl<'a> Sampling<'a> {
    /// The settings of a recipe.
    pub fn of(recipe: &'a Recipe) -> Self {
        Self { data: &recipe.data, balance: &recipe.balance, classes: &recipe.classes }
    }

    /// The rows of an epoch, in the order in which they are shown.
    ///
    /// With shares, an epoch has as many pictures as all sources together. At every point in it, each source has been shown as
    /// often as its share says, to within about one picture, so all batches have the same mix, whatever their size. Within a
    /// source (or a class or person of it), no picture comes again before all others have been shown.
    ///
    /// # Errors
    /// When the pictures' classes can't be read, a source has no pictures, or is to be drawn evenly over people who aren't known.
    pub fn order(&self, examples: &Examples, rng: &mut impl Rng) -> Result<Vec<i64>, DataError> {
        let leaders = examples.leaders()?;
        if !self.data.is_drawn() {
            return Ok(self.balance.order(&leaders, self.classes, rng));
        }
        let sources = self.sources(examples)?;
        let mut decks: Vec<SourceDeck> = sources.iter().map(SourceDeck::new).collect();
        let mut shown = vec![0_usize; sources.len()];
        let rows = (1..=leaders.len()).filter_map(|place| {
            // The source that is furthest behind its share is next.
            let behind = |i: usize| sources[i].share * place as f64 - shown[i] as f64;
            let next = (0..sources.len()).max_by(|a, b| behind(*a).total_cmp(&behind(*b)).then(b.cmp(a)))?;
            shown[next] += 1;
            decks[next].draw(rng)
        });
        Ok(rows.collect())
    }

    /// How often an epoch shows each picture: the expected number, where it is random.
    ///
    /// # Errors
    /// As [`Self::order`].
    pub fn times_shown(&self, examples: &Examples) -> Result<Vec<f64>, DataError> {
        let leaders = examples.leaders()?;
        if !self.data.is_drawn() {
            return Ok(self.balance.times_shown(&leaders, self.classes));
        }
        let mut times = vec![0.0; leaders.len()];
        for source in self.sources(examples)? {
            for (group, share) in source.groups.iter().zip(&source.group_shares) {
                let of_group = source.share * share * leaders.len() as f64;
                for row in group {
                    times[*row as usize] = of_group / group.len() as f64;
                }
            }
        }
        Ok(times)
    }

    /// The rows of each source, with its share of all pictures shown.
    fn sources(&self, examples: &Examples) -> Result<Vec<SourceRows>, DataError> {
        let leaders = examples.leaders()?;
        let mut sources = Vec::new();
        for (index, spec) in self.data.sources.iter().enumerate() {
            // Groups in order of first occurrence, so that the same data give the same epochs.
            let mut names: Vec<&str> = Vec::new();
            let mut groups: Vec<Vec<i64>> = Vec::new();
            for (row, (source, leader)) in examples.sources.iter().zip(&leaders).enumerate() {
                if source.index != index {
                    continue;
                }
                let name = match spec.evenly_over {
                    EvenOver::Pictures => "",
                    EvenOver::Emotions => self.classes.key(*leader),
                    EvenOver::People => {
                        source.person.as_deref().ok_or_else(|| DataError::NoPeople { name: spec.name.clone() })?
                    }
                };
                let group = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    names.push(name);
                    groups.push(vec![]);
                    groups.len() - 1
                });
                groups[group].push(row as i64);
            }
            let pictures: usize = groups.iter().map(Vec::len).sum();
            if pictures == 0 {
                return Err(DataError::EmptySource { name: spec.name.clone() });
            }
            let weight = |group: &Vec<i64>| (group.len() as f64).powf(1.0 - spec.evenness.unwrap_or(1.0));
            let all: f64 = groups.iter().map(weight).sum();
            let group_shares = groups.iter().map(|group| weight(group) / all).collect();
            sources.push(SourceRows { share: spec.share.unwrap_or(pictures as f64), groups, group_shares });
        }
        let sum: f64 = sources.iter().map(|source| source.share).sum();
        sources.iter_mut().for_each(|source| source.share /= sum);
        Ok(sources)
    }
}

/// The rows of a source in groups, with each group's share of the source.
struct SourceRows {
    share: f64,
    groups: Vec<Vec<i64>>,
    group_shares: Vec<f64>,
}

/// Draws things in random order; none comes again before all have come.
struct Deck<T> {
    things: Vec<T>,
    next: usize,
}

impl<T: Copy> Deck<T> {
    fn new(things: Vec<T>) -> Self {
        Self { next: things.len(), things }
    }

    fn draw(&mut self, rng: &mut impl Rng) -> Option<T> {
        if self.next >= self.things.len() {
            self.things.shuffle(rng);
            self.next = 0;
        }
        self.next += 1;
        self.things.get(self.next - 1).copied()
    }
}

/// How often the rarest group occurs in the shuffled deck: often enough that rounding changes each share by at most 1 %.
const PLACES: f64 = 50.0;

/// A deck of groups, and a deck of rows for each group.
struct SourceDeck {
    groups: Deck<usize>,
    rows: Vec<Deck<i64>>,
}

impl SourceDeck {
    fn new(SourceRows { groups, group_shares, .. }: &SourceRows) -> Self {
        // If all groups are equal, each occurs once.
        let least = group_shares.iter().copied().fold(f64::INFINITY, f64::min);
        let are_equal = group_shares.iter().all(|share| (share - least).abs() < least * 1e-9);
        let places = |share: &f64| if are_equal { 1 } else { (share / least * PLACES).round() as usize };
        let order = group_shares.iter().enumerate().flat_map(|(i, share)| std::iter::repeat_n(i, places(share)));
        Self { groups: Deck::new(order.collect()), rows: groups.iter().map(|rows| Deck::new(rows.clone())).collect() }
    }

    fn draw(&mut self, rng: &mut impl Rng) -> Option<i64> {
        let group = self.groups.draw(rng)?;
        self.rows.get_mut(group)?.draw(rng)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::datasets::ExampleSource;
    use mien_core::emotion::{COUNT, Emotion};

    /// 90 pictures of one source: ten sad, then 80 happy. 10 happy ones of another, of two people: nine and one.
    fn examples() -> Examples {
        let mut targets = vec![[0.0_f32; COUNT]; 100];
        for (row, target) in targets.iter_mut().enumerate() {
            target[if row < 10 { Emotion::Sad } else { Emotion::Happy }.index()] = 1.0;
        }
        let source = |row: usize| match row {
            0..90 => ExampleSource { index: 0, person: None },
            90..99 => ExampleSource { index: 1, person: Some("Ada".to_owned()) },
            _ => ExampleSource { index: 1, person: Some("Bob".to_owned()) },
        };
        Examples {
            bytes: Tensor::zeros([100, 1, 48, 48], (Kind::Uint8, Device::Cpu)),
            targets: Tensor::from_slice2(&targets),
            sources: (0..100).map(source).collect(),
        }
    }

    fn data(text: &str) -> DataSpec {
        toml::from_str(text).unwrap()
    }

    fn order(data: &DataSpec, seed: u64) -> Vec<i64> {
        let sampling = Sampling { data, balance: &BalanceSpec::None {}, classes: &Classes::emotions() };
        sampling.order(&examples(), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    const SHARED: &str = "sources = [{ name = \"a\", share = 4, evenly_over = \"emotions\" }, \
                          { name = \"b\", share = 1, evenly_over = \"people\" }]";

    #[test]
    fn every_batch_is_made_up_by_the_shares() {
        let order = order(&data(SHARED), 1);
        assert_eq!(order.len(), 100);
        for batch_size in [5, 10, 25] {
            for batch in order.chunks(batch_size) {
                assert_eq!(batch.iter().filter(|row| **row >= 90).count(), batch_size / 5, "{batch:?}");
            }
        }
        // Where the batch size doesn't allow exact shares, the count is off by less than one picture.
        for batch in order.chunks(8) {
            let other = batch.iter().filter(|row| **row >= 90).count();
            assert!((1..=2).contains(&other), "{batch:?}");
        }
    }

    #[test]
    fn emotions_and_people_are_drawn_evenly_and_no_picture_comes_again_before_the_others_of_its_group() {
        let order = order(&data(SHARED), 2);
        let times = |row: i64| order.iter().filter(|shown| **shown == row).count();
        assert_eq!((0..10).map(times).sum::<usize>(), 40);
        assert!((0..10).all(|row| times(row) == 4));
        assert!((10..90).all(|row| times(row) <= 1));
        assert_eq!(((90..99).map(times).sum::<usize>(), times(99)), (10, 10));
    }

    #[test]
    fn the_same_seed_gives_the_same_epoch_and_another_another() {
        assert_eq!(order(&data(SHARED), 3), order(&data(SHARED), 3));
        assert_ne!(order(&data(SHARED), 3), order(&data(SHARED), 4));
    }

    #[test]
    fn without_shares_sources_count_by_their_pictures() {
        let data = data("sources = [{ name = \"a\", evenly_over = \"emotions\" }, { name = \"b\" }]");
        let order = order(&data, 5);
        assert_eq!(order.iter().filter(|row| **row >= 90).count(), 10);
    }

    #[test]
    fn each_picture_is_shown_as_often_as_is_said_of_it() {
        let data = data(SHARED);
        let sampling = Sampling { data: &data, balance: &BalanceSpec::None {}, classes: &Classes::emotions() };
        let said = sampling.times_shown(&examples()).unwrap();
        let mut shown = vec![0.0; 100];
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for _ in 0..200 {
            sampling.order(&examples(), &mut rng).unwrap().iter().for_each(|row| shown[*row as usize] += 1.0 / 200.0);
        }
        assert!(said.iter().zip(&shown).all(|(a, b)| (a - b).abs() < 0.2), "{said:?} {shown:?}");
        assert!((said.iter().sum::<f64>() - 100.0).abs() < 1e-6);
    }

    #[test]
    fn what_can_not_be_drawn_is_named() {
        let error = |text: &str| {
            let data = data(text);
            let sampling = Sampling { data: &data, balance: &BalanceSpec::None {}, classes: &Classes::emotions() };
            sampling.order(&examples(), &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err().to_string()
        };
        let faceless = error("sources = [{ name = \"a\", evenly_over = \"people\" }, { name = \"b\" }]");
        assert!(faceless.contains("“a”") && faceless.contains("who"), "{faceless}");
        let empty =
            error("sources = [{ name = \"a\", share = 1 }, { name = \"b\", share = 1 }, { name = \"c\", share = 1 }]");
        assert!(empty.contains("“c”"), "{empty}");
    }
}
