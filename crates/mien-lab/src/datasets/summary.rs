//! What a data set holds: pictures per split and class, people, and pictures that occur more than once.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Dataset, LabelRule, Pictures, Skipped, Split};
use crate::faces::{FaceCounts, LandmarkSummary};
use mien_core::classes::Classes;
use mien_core::crop::CROP_PIXELS;

/// The three splits, in display order.
const SPLITS: [Split; 3] = [Split::Training, Split::Public, Split::Private];
/// How many groups of equal pictures to list with their places.
const EXAMPLES: usize = 5;

/// What a data set holds.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// The classes of its labels; all counts are in their order.
    pub labels: Classes,
    /// How it is split.
    pub division: String,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of people, if everyone is known.
    pub subjects: Option<usize>,
    /// The three splits.
    pub splits: Vec<SplitSummary>,
    /// Pictures that occur more than once.
    pub duplicates: Duplicates,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// How faces were found and cropped.
    pub faces: FaceCounts,
    /// Where their landmarks lie, if any were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landmarks: Option<LandmarkSummary>,
    /// Checksums of its files.
    pub sha256: Vec<String>,
}

/// What a split holds.
#[derive(Debug, Serialize)]
pub struct SplitSummary {
    /// Which one.
    pub split: Split,
    /// Number of pictures.
    pub pictures: usize,
    /// Pictures of each class by the data set's own labels.
    pub classes: Vec<usize>,
    /// Number of people, if everyone is known.
    pub subjects: Option<usize>,
    /// Pictures that take part under each applicable rule.
    pub rules: Vec<RuleCount>,
}

/// How many pictures take part under a rule.
#[derive(Debug, Serialize)]
pub struct RuleCount {
    /// The rule.
    pub rule: LabelRule,
    /// Number of pictures that take part.
    pub pictures: usize,
    /// Its pictures of each class.
    pub classes: Vec<usize>,
}

/// Pictures with exactly the same pixels.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Pictures of each split that repeat an earlier one of the same split, in the order training, public, private.
    pub within: [usize; 3],
    /// Pictures of one split that another holds as well.
    pub across: Vec<Across>,
    /// Groups of equal pictures that don't all have the same label.
    pub groups_of_different_labels: usize,
    /// Some groups that are in more than one split: the split and place of each picture.
    pub examples: Vec<Vec<String>>,
}

/// Pictures of one split that another holds as well.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Across {
    /// The split that they are counted in.
    pub split: Split,
    /// The split that holds them as well.
    pub also_in: Split,
    /// How many.
    pub pictures: usize,
}

impl Summary {
    /// Counts what `data` holds.
    pub fn of(data: &Dataset) -> Self {
        let all = data.split(Split::All);
        Self {
            name: data.name.clone(),
            labels: all.classes.clone(),
            division: data.division.clone(),
            pictures: all.len(),
            subjects: all.people(),
            splits: SPLITS.map(|split| SplitSummary::of(split, &data.split(split))).into(),
            duplicates: Duplicates::of(data),
            skipped: data.skipped.clone(),
            faces: data.faces,
            landmarks: data.places.summary(),
            sha256: data.sha256.clone(),
        }
    }
}

impl SplitSummary {
    fn of(split: Split, pictures: &Pictures) -> Self {
        let count = |rule: LabelRule| {
            let answers = pictures.answers(rule).ok()?;
            let classes = count_classes(&pictures.classes, answers.into_iter().flatten());
            Some(RuleCount { rule, pictures: classes.iter().sum(), classes })
        };
        Self {
            split,
            pictures: pictures.len(),
            classes: count_classes(&pictures.classes, pictures.labels.iter().copied()),
            subjects: pictures.people(),
            rules: [LabelRule::Label, LabelRule::Majority, LabelRule::Microsoft]
                .into_iter()
                .filter_map(count)
                .collect(),
        }
    }
}

impl Duplicates {
    fn of(data: &Dataset) -> Self {
        let parts = SPLITS.map(|split| data.split(split));
        let pixels: Vec<Vec<u8>> = parts.iter().map(Pictures::pixels).collect();
        let mut groups: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
        for (part, pixels) in pixels.iter().enumerate() {
            for (row, picture) in pixels.chunks_exact(CROP_PIXELS).enumerate() {
                groups.entry(picture).or_default().push((part, row));
            }
        }
        let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
        groups.sort_unstable();

        let mut found = Self::default();
        let mut shared = [[0; 3]; 3];
        for group in &groups {
            let labels: HashSet<usize> = group.iter().map(|(part, row)| parts[*part].labels[*row]).collect();
            found.groups_of_different_labels += usize::from(labels.len() > 1);
            let counts = [0, 1, 2].map(|part| group.iter().filter(|(p, _)| *p == part).count());
            for part in 0..3 {
                found.within[part] += counts[part].saturating_sub(1);
                for other in 0..part {
                    shared[part][other] += if counts[other] > 0 { counts[part] } else { 0 };
                }
            }
            let is_across = counts.iter().filter(|count| **count > 0).count() > 1;
            if is_across && found.examples.len() < EXAMPLES {
                // One picture of each split first: these show the overlap.
                let mut group = group.clone();
                let firsts = [0, 1, 2].map(|part| group.iter().find(|(p, _)| *p == part).copied());
                group.sort_by_key(|member| !firsts.contains(&Some(*member)));
                let told =
                    |(part, row): &(usize, usize)| format!("{} {}", SPLITS[*part].usage(), parts[*part].places[*row]);
                found.examples.push(group.iter().map(told).collect());
            }
        }
        for (part, other) in [(1, 0), (2, 0), (2, 1)] {
            let pictures = shared[part][other];
            found.across.push(Across { split: SPLITS[part], also_in: SPLITS[other], pictures });
        }
        found
    }
}

fn count_classes(classes: &Classes, labels: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts = vec![0; classes.len()];
    labels.for_each(|label| counts[label] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::tests::Folder;

    #[test]
    fn equal_pictures_are_counted_within_and_across_splits() {
        let folder = Folder::new();
        for (name, gray) in [
            ("train/happy/a.png", 1),
            ("train/happy/b.png", 1),
            ("train/sad/c.png", 2),
            ("validation/happy/d.png", 2),
            ("test/happy/e.png", 1),
            ("test/happy/f.png", 1),
            ("test/happy/g.png", 9),
        ] {
            folder.picture(name, gray);
        }
        let summary = Summary::of(&folder.read().unwrap());
        let across = |split, also_in, pictures| Across { split, also_in, pictures };
        let expected = Duplicates {
            within: [1, 0, 1],
            across: vec![
                across(Split::Public, Split::Training, 1),
                across(Split::Private, Split::Training, 2),
                across(Split::Private, Split::Public, 0),
            ],
            groups_of_different_labels: 1,
            examples: vec![
                [
                    "Training train/happy/a.png",
                    "PrivateTest test/happy/e.png",
                    "Training train/happy/b.png",
                    "PrivateTest test/happy/f.png",
                ]
                .map(str::to_owned)
                .to_vec(),
                ["Training train/sad/c.png", "PublicTest validation/happy/d.png"].map(str::to_owned).to_vec(),
            ],
        };
        assert_eq!(summary.duplicates, expected);
        assert_eq!(summary.pictures, 7);
        assert_eq!(summary.splits[0].classes, [0, 0, 0, 2, 1, 0, 0]);
        assert_eq!(summary.splits[0].rules.len(), 1, "only the label can be applied without votes");
    }
}
