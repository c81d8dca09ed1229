//! Splits data sets that have no official split: by person, or at random within each class.

use std::collections::BTreeMap;
use std::collections::HashMap;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Split;

/// Number of random splits by person that are tried. The one with the most similar sides is taken: with few people, some splits
/// leave a side without a class.
const DRAWS: u64 = 200;

/// How to split a data set that has no official splits: `[split]` in a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitSpec {
    /// Whether to split by person or within each class.
    pub kind: SplitKind,
    /// Share of the pictures that epochs and settings are chosen on.
    pub public: f64,
    /// Share of the pictures that are used once, at the end.
    pub private: f64,
    /// Seed of the split.
    pub seed: u64,
    /// The fold of a cross-validation that is used at the end, instead of a share. There is one training for each fold, on the
    /// pictures of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
}

/// A fold of a cross-validation: one of several parts of a data set without people in common, each of which is used once at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// Its number, counted from 1.
    pub number: usize,
    /// Number of folds.
    pub of: usize,
}

/// The ways to split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitKind {
    /// By person if any person is known, else within each class.
    #[default]
    Auto,
    /// At random, with the same shares of each class. Pictures with the same pixels stay together.
    Stratified,
    /// All pictures of a person on one side. A picture of an unknown person counts as a person of its own.
    Subjects,
}

impl Default for SplitSpec {
    /// A fifth each. FER2013 uses a tenth each, but has a hundred times as many pictures as most data sets without splits.
    fn default() -> Self {
        Self { kind: SplitKind::Auto, public: 0.2, private: 0.2, seed: 0, fold: None }
    }
}

/// What the split of a picture may depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub label: usize,
    pub subject: Option<&'a str>,
    pub pixels: &'a [u8],
}

impl<'a> Item<'a> {
    /// A key that is equal for pictures that must stay on one side: the person, else the pixels. The flag is true for pixels,
    /// so that a name can't be confused with them.
    fn group(&self, by_subject: bool) -> (bool, &'a [u8]) {
        let person = self.subject.filter(|_| by_subject);
        (person.is_none(), person.map_or(self.pixels, str::as_bytes))
    }
}

impl SplitSpec {
    /// The split from the recipe in a model card, by which the model's own data can be split the same way again. The default if
    /// the recipe has none.
    ///
    /// # Errors
    /// When it has something that this version doesn't know, as one from a newer version may. The default would be a different
    /// split, with people on other sides.
    pub fn of_recipe(recipe: &toml::Table) -> Result<Self, toml::de::Error> {
        recipe.get("split").cloned().map_or_else(|| Ok(Self::default()), toml::Value::try_into)
    }

    /// What is wrong with fold or shares, if anything.
    pub fn problem(&self) -> Option<&'static str> {
        if self.fold.is_some_and(|fold| fold.of < 2 || !(1..=fold.of).contains(&fold.number)) {
            return Some("`fold` has to be from 1 to the number of folds, of which there have to be two or more");
        }
        let shares = [self.public, if self.fold.is_some() { 0.0 } else { self.private }];
        let fits = shares.iter().all(|share| (0.0..1.0).contains(share)) && shares.iter().sum::<f64>() < 1.0;
        (!fits).then_some("the shares `public` and `private` have to be at least 0, and less than 1 together")
    }

    /// A description, for cards and reports.
    pub(super) fn describe(&self, by_subject: bool) -> String {
        let kind = if by_subject { "by person" } else { "at random within each class" };
        let (public, private) = (100.0 * self.public, 100.0 * self.private);
        if let Some(Fold { number, of }) = self.fold {
            return format!(
                "{kind}, fold {number} of {of} private, {public:.0} % of the rest public, seed {}",
                self.seed
            );
        }
        format!("{kind}, {public:.0} % public and {private:.0} % private, seed {}", self.seed)
    }

    /// Whether these pictures are split by person.
    ///
    /// # Errors
    /// When that is requested but no person is known, or the fold or the shares are wrong.
    pub(super) fn is_by_subject(&self, items: &[Item<'_>]) -> Result<bool, &'static str> {
        if let Some(problem) = self.problem() {
            return Err(problem);
        }
        // One known person is enough: a row without a name mustn't cause the people of the others to be on several sides.
        let known = items.iter().any(|item| item.subject.is_some());
        match self.kind {
            SplitKind::Auto => Ok(known),
            SplitKind::Stratified => Ok(false),
            SplitKind::Subjects if known => Ok(true),
            SplitKind::Subjects => Err("it doesn't say who its pictures show, so `kind` can't be `subjects`"),
        }
    }

    /// The split of each picture.
    ///
    /// # Errors
    /// As [`Self::is_by_subject`].
    pub(super) fn divide(&self, items: &[Item<'_>]) -> Result<Vec<Split>, &'static str> {
        let by_subject = self.is_by_subject(items)?;
        let Some(fold) = self.fold else { return Ok(self.by_share(items, by_subject)) };
        let folds = self.folds(items, by_subject, fold.of)?;
        let rest: Vec<usize> = (0..items.len()).filter(|index| folds[*index] != fold.number).collect();
        let left: Vec<Item<'_>> = rest.iter().map(|index| items[*index]).collect();
        let mut sides = vec![Split::Private; items.len()];
        let divided = Self { private: 0.0, fold: None, ..self.clone() }.by_share(&left, by_subject);
        rest.into_iter().zip(divided).for_each(|(index, side)| sides[index] = side);
        Ok(sides)
    }

    fn by_share(&self, items: &[Item<'_>], by_subject: bool) -> Vec<Split> {
        if by_subject { self.by_subject(items) } else { self.stratified(items) }
    }

    /// The fold of each picture, counted from 1. People, or groups of pictures with the same pixels, are dealt out in random
    /// order, each to the fold with the fewest pictures so far.
    fn folds(&self, items: &[Item<'_>], by_subject: bool, of: usize) -> Result<Vec<usize>, &'static str> {
        let mut groups = grouped(items, by_subject);
        if !items.is_empty() && groups.len() < of {
            return Err(if by_subject {
                "it shows fewer people than folds were asked for"
            } else {
                "it has fewer different pictures than folds were asked for"
            });
        }
        groups.shuffle(&mut self.rng(0));
        let mut sizes = vec![0; of];
        let mut folds = vec![0; items.len()];
        for group in groups {
            let smallest = (0..of).min_by_key(|fold| sizes[*fold]).unwrap_or_default();
            sizes[smallest] += group.len();
            group.into_iter().for_each(|index| folds[index] = smallest + 1);
        }
        Ok(folds)
    }

    fn by_subject(&self, items: &[Item<'_>]) -> Vec<Split> {
        let people = grouped(items, true);
        let draws = (0..DRAWS).map(|draw| {
            let mut rng = self.rng(draw);
            let mut order: Vec<&Vec<usize>> = people.iter().collect();
            order.shuffle(&mut rng);
            let mut sides = vec![Split::Training; items.len()];
            self.deal(&order, items.len(), &mut sides);
            (self.unlikeness(items, &sides), sides)
        });
        draws.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, sides)| sides).unwrap_or_default()
    }

    fn stratified(&self, items: &[Item<'_>]) -> Vec<Split> {
        let mut same: HashMap<&[u8], usize> = HashMap::new();
        // Groups of pictures with the same pixels, by the label of their first picture.
        let mut groups: Vec<Vec<Vec<usize>>> = vec![vec![]; classes_in(items)];
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let known = *same.entry(item.pixels).or_insert_with(|| {
                let class = item.label;
                places.push((class, groups[class].len()));
                groups[class].push(vec![]);
                places.len() - 1
            });
            let (class, group) = places[known];
            groups[class][group].push(index);
        }
        let mut sides = vec![Split::Training; items.len()];
        for (class, groups) in groups.iter().enumerate() {
            let mut order: Vec<&Vec<usize>> = groups.iter().collect();
            order.shuffle(&mut self.rng(class as u64));
            let total = groups.iter().map(Vec::len).sum();
            self.deal(&order, total, &mut sides);
        }
        sides
    }

    /// Deals out groups of pictures in their order, first to private, then to public, until each is as close to its share of
    /// `total` as possible. The rest is for training. If there are enough groups, each side with a share gets at least one.
    fn deal(&self, order: &[&Vec<usize>], total: usize, sides: &mut [Split]) {
        let mut groups = order.iter().peekable();
        let mut left = order.len();
        for (split, share, kept_back) in [(Split::Private, self.private, 2), (Split::Public, self.public, 1)] {
            let wanted = share * total as f64;
            let mut dealt = 0;
            while let Some(group) = groups.peek() {
                let (short, over) = (wanted - dealt as f64, (dealt + group.len()) as f64 - wanted);
                let is_due = (dealt == 0 && share > 0.0) || over < short;
                if !is_due || left <= kept_back {
                    break;
                }
                group.iter().for_each(|index| sides[*index] = split);
                dealt += group.len();
                left -= 1;
                groups.next();
            }
        }
    }

    /// How far the sides are from their wanted shares of each class: the absolute differences, summed over sides and classes.
    fn unlikeness(&self, items: &[Item<'_>], sides: &[Split]) -> f64 {
        let mut counts = vec![vec![0.0; classes_in(items)]; 3];
        let mut totals = vec![0.0; classes_in(items)];
        for (item, side) in items.iter().zip(sides) {
            let class = item.label;
            totals[class] += 1.0;
            match side {
                Split::Public => counts[0][class] += 1.0,
                Split::Private => counts[1][class] += 1.0,
                Split::Training | Split::All => counts[2][class] += 1.0,
            }
        }
        let shares = [self.public, self.private, 1.0 - self.public - self.private];
        let difference = |(count, total): (&f64, &f64), share: f64| {
            if *total > 0.0 { (count / total - share).abs() } else { 0.0 }
        };
        let of_side = |(counts, share): (&Vec<f64>, f64)| -> f64 {
            counts.iter().zip(&totals).map(|pair| difference(pair, share)).sum()
        };
        counts.iter().zip(shares).map(of_side).sum()
    }

    fn rng(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }
}

/// The indices of pictures that stay together. With `by_subject`, known people come first, in the order of their names, then
/// pictures of unknown people, in their own order. Otherwise groups are in the order of their pixels.
fn grouped(items: &[Item<'_>], by_subject: bool) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        groups.entry(item.group(by_subject)).or_default().push(index);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    if by_subject {
        // Not by pixels: they depend on how faces were cropped, and the split mustn't.
        groups.sort_by_key(|((is_unknown, _), places)| if *is_unknown { places.first().copied() } else { None });
    }
    groups.into_iter().map(|(_, places)| places).collect()
}

/// Number of classes up to the last one that occurs.
fn classes_in(items: &[Item<'_>]) -> usize {
    items.iter().map(|item| item.label + 1).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Pictures of people who each show some emotions: (person, emotion, pixel).
    fn pictures() -> impl Strategy<Value = Vec<(u8, usize, u8)>> {
        proptest::collection::vec((0_u8..12, 0_usize..7, any::<u8>()), 0..150)
    }

    fn sides_of(spec: &SplitSpec, pictures: &[(u8, usize, u8)]) -> Vec<Split> {
        let names: Vec<String> = pictures.iter().map(|(person, _, _)| format!("P{person}")).collect();
        let pixels: Vec<[u8; 1]> = pictures.iter().map(|(_, _, pixel)| [*pixel]).collect();
        let items: Vec<Item<'_>> = (pictures.iter().zip(&names).zip(&pixels))
            .map(|(((_, label, _), name), pixels)| Item { label: *label, subject: Some(name), pixels })
            .collect();
        spec.divide(&items).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn one_person_never_stands_on_two_sides(
            pictures in pictures(), seed in any::<u64>(), public in 0.0..0.5_f64, private in 0.0..0.49_f64,
        ) {
            let spec = SplitSpec { kind: SplitKind::Subjects, public, private, seed, fold: None };
            if pictures.is_empty() {
                return Ok(());
            }
            let sides = sides_of(&spec, &pictures);
            let mut side_of = HashMap::new();
            for ((person, _, _), side) in pictures.iter().zip(&sides) {
                prop_assert_eq!(side_of.entry(*person).or_insert(*side), side);
            }
            prop_assert!(sides.contains(&Split::Training));
            let people: HashSet<_> = pictures.iter().map(|p| p.0).collect();
            if people.len() > 2 {
                prop_assert_eq!(sides.contains(&Split::Public), public > 0.0);
                prop_assert_eq!(sides.contains(&Split::Private), private > 0.0);
            }
            prop_assert_eq!(sides, sides_of(&spec, &pictures), "the same seed gives the same division");
        }

        #[test]
        fn each_person_is_read_at_the_end_in_one_fold_and_learnt_from_in_all_others(
            pictures in pictures(), seed in any::<u64>(), public in 0.0..0.5_f64, of in 2_usize..5,
        ) {
            let people: HashSet<_> = pictures.iter().map(|p| p.0).collect();
            if people.len() < of {
                return Ok(());
            }
            let mut read = vec![0; pictures.len()];
            for number in 1..=of {
                let fold = Some(Fold { number, of });
                let spec = SplitSpec { kind: SplitKind::Subjects, public, seed, fold, ..SplitSpec::default() };
                let sides = sides_of(&spec, &pictures);
                let on = |split| -> HashSet<u8> {
                    pictures.iter().zip(&sides).filter(|(_, side)| **side == split).map(|(p, _)| p.0).collect()
                };
                let [training, public_side, private] = [Split::Training, Split::Public, Split::Private].map(on);
                prop_assert!(!private.is_empty() && !training.is_empty());
                prop_assert!(training.is_disjoint(&private) && training.is_disjoint(&public_side));
                prop_assert!(private.is_disjoint(&public_side));
                read.iter_mut().zip(&sides).for_each(|(n, side)| *n += usize::from(*side == Split::Private));
            }
            prop_assert!(read.iter().all(|n| *n == 1));
        }

        #[test]
        fn equal_pictures_never_stand_on_two_sides(pictures in pictures(), seed in any::<u64>()) {
            let spec = SplitSpec { kind: SplitKind::Stratified, seed, ..SplitSpec::default() };
            let sides = sides_of(&spec, &pictures);
            let mut side_of = HashMap::new();
            for ((_, _, pixel), side) in pictures.iter().zip(&sides) {
                prop_assert_eq!(side_of.entry(*pixel).or_insert(*side), side);
            }
        }
    }

    #[test]
    fn each_class_has_its_shares_on_each_side() {
        let pictures: Vec<_> = (0..200).map(|i| (0, usize::from(i % 4 == 0), i as u8)).collect();
        let sides = sides_of(&SplitSpec { kind: SplitKind::Stratified, ..SplitSpec::default() }, &pictures);
        let count = |class, split| {
            pictures.iter().zip(&sides).filter(|((_, label, _), side)| *label == class && **side == split).count()
        };
        assert_eq!([count(0, Split::Training), count(0, Split::Public), count(0, Split::Private)], [90, 30, 30]);
        assert_eq!([count(1, Split::Training), count(1, Split::Public), count(1, Split::Private)], [30, 10, 10]);
    }

    #[test]
    fn a_picture_without_a_person_is_one_of_its_own_and_the_others_stay_together() {
        let pixels: Vec<[u8; 1]> = (0..40).map(|i| [i]).collect();
        let names = ["Ada", "Ben"];
        let known = |i: usize| if i < 30 { None } else { Some(names[i % 2]) };
        let items: Vec<Item<'_>> =
            pixels.iter().enumerate().map(|(i, pixels)| Item { label: 0, subject: known(i), pixels }).collect();
        let fold = Some(Fold { number: 1, of: 2 });
        for spec in [SplitSpec::default(), SplitSpec { fold, ..SplitSpec::default() }] {
            assert!(spec.is_by_subject(&items).unwrap());
            let sides = spec.divide(&items).unwrap();
            for name in names {
                let of = |items: &[Item<'_>]| -> HashSet<Split> {
                    items.iter().zip(&sides).filter(|(item, _)| item.subject == Some(name)).map(|(_, s)| *s).collect()
                };
                assert_eq!(of(&items).len(), 1, "{name}");
            }
            let alone: HashSet<Split> = sides[..30].iter().copied().collect();
            assert!(alone.len() > 1, "pictures of nobody known aren't one person: {sides:?}");
        }
    }

    #[test]
    fn other_crops_of_people_of_whom_some_are_known_are_divided_alike() {
        let fold = Some(Fold { number: 2, of: 3 });
        for spec in [SplitSpec::default(), SplitSpec { fold, ..SplitSpec::default() }] {
            let sides = |mask: u8| {
                let pixels: Vec<[u8; 1]> = (0..40).map(|i| [i ^ mask]).collect();
                let known = |i: usize| if i < 30 { None } else { Some(["Ada", "Ben"][i % 2]) };
                let items: Vec<Item<'_>> =
                    pixels.iter().enumerate().map(|(i, pixels)| Item { label: 0, subject: known(i), pixels }).collect();
                spec.divide(&items).unwrap()
            };
            assert_eq!(sides(0), sides(42));
        }
    }

    #[test]
    fn what_can_not_be_done_is_told() {
        let item = Item { label: 3, subject: None, pixels: &[] };
        let by_person = SplitSpec { kind: SplitKind::Subjects, ..SplitSpec::default() };
        assert!(by_person.divide(&[item]).unwrap_err().contains("who"));
        let all = SplitSpec { public: 0.5, private: 0.5, ..SplitSpec::default() };
        assert!(all.divide(&[item]).unwrap_err().contains("`public`"));
        let folds = SplitSpec { fold: Some(Fold { number: 1, of: 2 }), ..SplitSpec::default() };
        assert!(folds.divide(&[item]).unwrap_err().contains("fewer different pictures"));
        assert!(folds.divide(&[Item { subject: Some("Ada"), ..item }]).unwrap_err().contains("fewer people"));
        assert!(SplitSpec::default().divide(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_recipe_says_as_much_as_it_wants() {
        let recipe: toml::Table = "name = \"x\"\n[split]\nkind = \"subjects\"\nseed = 4".parse().unwrap();
        let spec = SplitSpec::of_recipe(&recipe).unwrap();
        assert_eq!(spec, SplitSpec { kind: SplitKind::Subjects, seed: 4, ..SplitSpec::default() });
        assert_eq!(SplitSpec::of_recipe(&toml::Table::new()).unwrap(), SplitSpec::default());
    }

    #[test]
    fn a_split_with_a_field_that_nobody_knows_is_an_error_and_not_the_default() {
        let recipe: toml::Table = "[split]\nkind = \"subjects\"\nshare = 1".parse().unwrap();
        let error = SplitSpec::of_recipe(&recipe).unwrap_err().to_string();
        assert!(error.contains("`share`"), "{error}");
    }
}
