//! What a model may have learnt from the data that it is to be measured on.

use anyhow::{Context as _, bail};

use crate::lab::datasets::{Dataset, Pictures, SourceInfo, Split, SplitSpec};
use crate::lab::is_learnt_by_name;
use crate::net::Card;

/// How a model's own data were split for its training.
///
/// # Errors
/// When the card describes the split in a way that this program doesn't know.
pub(super) fn own_split(card: &Card) -> anyhow::Result<SplitSpec> {
    SplitSpec::of_recipe(&card.training.recipe).context("the card's split can't be read")
}

/// How to split data that have no official split. Data that the model learnt from are split by `own`, as for its training, so that it isn't
/// measured on training pictures. Other data get the default split, since the model's recipe may have kept nothing back.
pub(super) fn split_of(card: &Card, own: &SplitSpec, files: &[String]) -> SplitSpec {
    if card.training.learnt_from_all(files) { own.clone() } else { SplitSpec::default() }
}

/// Refuses to measure or fit on a split that the model may have learnt from. Other splits are allowed: they are no test.
///
/// # Errors
/// When data that it learnt from have changed since, or it is a mean of several networks that may have kept back different pictures.
pub(super) fn check(card: &Card, data: &Dataset, split: Split) -> anyhow::Result<()> {
    if !matches!(split, Split::Public | Split::Private) {
        return Ok(());
    }
    if let Some(source) = data.sources.iter().find(|source| has_changed(card, source, split)) {
        bail!(
            "{} learnt from {}, and these aren't the same files any more. It isn't known which of the pictures it learnt from, so it can't be \
             measured on {}. `--split all` (without --calibrate) measures on all pictures, including those that it learnt from. If these \
             are different data, give them another name",
            card.name,
            source.name,
            split.usage()
        );
    }
    check_mean(card, data, split)
}

/// Refuses a split that holds different pictures in `uncut`, the box crops that are used instead of the model's own crops: training
/// pictures could be among them. If no people are known, the division depends on pixels, so it can differ between crops.
///
/// # Errors
/// When the two don't hold the same pictures in the split.
pub(super) fn check_alike(data: &Dataset, uncut: &Dataset, split: Split) -> anyhow::Result<()> {
    // Neither all pictures nor the training pictures are a test.
    if matches!(split, Split::Training | Split::All) || are_alike(data, uncut, split) {
        return Ok(());
    }
    bail!(
        "{} is split differently if its faces aren't turned upright, so pictures that the model learnt from would be among those of {}: \
         leave out --varied, --through-detector and --calibrate",
        data.name,
        split.usage()
    )
}

/// Whether two readings of data have the same pictures in the split, in the same order.
pub(super) fn are_alike(one: &Dataset, other: &Dataset, split: Split) -> bool {
    let (pictures, others) = (one.split(split), other.split(split));
    places(one, &pictures) == places(other, &others)
}

/// Where each picture comes from. With several sources, each place starts with its source's name, which may say how faces were cut out;
/// that prefix is removed.
fn places<'a>(data: &'a Dataset, pictures: &'a Pictures) -> Vec<(usize, &'a str)> {
    let place = |(source, place): (&usize, &'a String)| {
        let name = data.sources.get(*source).filter(|_| data.sources.len() > 1).map(|source| source.name.as_str());
        (*source, name.and_then(|name| place.strip_prefix(name)).unwrap_or(place))
    };
    pictures.sources.iter().zip(&pictures.places).map(place).collect()
}

/// Whether the model learnt from an earlier state of this source, so its split can't be reproduced: one added picture or person changes the
/// whole split.
fn has_changed(card: &Card, source: &SourceInfo, split: Split) -> bool {
    let training = &card.training;
    if source.is_official(split) {
        return !source.is_kept_back(split, &training.data_sha256);
    }
    let is_learnt = training.learnt_from_any(&source.sha256) || is_learnt_by_name(card, &source.name);
    is_learnt && !training.learnt_from_all(&source.sha256)
}

/// Refuses to measure a mean of several networks on a split of data that they learnt from. The card only knows how the first network's data
/// were split, and another network may have learnt from that part.
fn check_mean(card: &Card, data: &Dataset, split: Split) -> anyhow::Result<()> {
    if card.mean_of.is_empty() {
        return Ok(());
    }
    let training = &card.training;
    let may_know = |source: &&SourceInfo| {
        training.learnt_from_any(&source.sha256) && !source.is_kept_back(split, &training.data_sha256)
    };
    let Some(source) = data.sources.iter().find(may_know) else {
        return Ok(());
    };
    bail!(
        "{} is the mean of several networks that learnt from {}, and each may have kept back different pictures: measure \
         each of them on {}, or the mean on data that none of them learnt from",
        card.name,
        source.name,
        split.usage()
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::lab::datasets::{ReadOptions, join, read, read_undivided};
    use crate::net::{MeanPart, ModelSource};

    fn picture(path: &Path, gray: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::from_pixel(48, 48, image::Luma([gray])).save(path).unwrap();
    }

    /// The card of a model that learnt from these data.
    fn card_of(data: &Dataset) -> Card {
        let mut card = ModelSource::default().card().unwrap();
        card.name = "mine".to_owned();
        card.mean_of.clear();
        card.training.data = format!("{}: Training to learn from", data.name);
        card.training.data_sha256.clone_from(&data.sha256);
        card.training.recipe = "[split]\nseed = 4".parse().unwrap();
        card
    }

    fn refused(card: &Card, data: &Dataset, split: Split) -> bool {
        match check(card, data, split) {
            Ok(()) => false,
            Err(error) => {
                assert!(error.to_string().contains("aren't the same files any more"), "{error}");
                true
            }
        }
    }

    #[test]
    fn a_folder_that_has_changed_since_is_measured_whole_alone() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        (0..10).for_each(|i| picture(&own.join(format!("happy/{i}.png")), i));
        let read = |path: &Path| read(path, &ReadOptions::default()).unwrap();
        let before = read(&own);
        let card = card_of(&before);
        let split = own_split(&card).unwrap();
        assert_eq!(split_of(&card, &split, &before.sha256).seed, 4);
        assert!(!refused(&card, &before, Split::Public) && !refused(&card, &before, Split::Private));

        picture(&own.join("happy/new.png"), 99);
        let after = read(&own);
        assert_eq!(split_of(&card, &split, &after.sha256), SplitSpec::default());
        assert!(refused(&card, &after, Split::Public) && refused(&card, &after, Split::Private));
        assert!(!refused(&card, &after, Split::All) && !refused(&card, &after, Split::Training));

        let other = folder.path().join("other");
        (0..10).for_each(|i| picture(&other.join(format!("happy/{i}.png")), 100 + i));
        assert!(!refused(&card, &read(&other), Split::Private), "nothing was learnt from it");
    }

    #[test]
    fn pictures_by_another_list_are_measured_whole_alone() {
        let folder = tempfile::tempdir().unwrap();
        (0..9).for_each(|i| picture(&folder.path().join(format!("{i}.png")), i));
        let by = |name: &str, column: &str, of: &dyn Fn(usize) -> String| {
            let rows: String = (0..9).map(|i| format!("{i}.png,happy,{}\n", of(i))).collect();
            let list = folder.path().join(name);
            std::fs::write(&list, format!("path,label,{column}\n{rows}")).unwrap();
            read(&list, &ReadOptions::default()).unwrap()
        };
        let people = by("people.csv", "subject", &|i| format!("P{}", i % 5));
        let card = card_of(&people);
        assert!(!refused(&card, &people, Split::Private));
        assert!(refused(&card, &by("renamed.csv", "subject", &|i| format!("P{}", i % 4)), Split::Private));

        let splits = ["train", "validation", "test"];
        let divided = by("divided.csv", "split", &|i| splits[i % 3].to_owned());
        let otherwise = by("otherwise.csv", "split", &|i| splits[i / 3].to_owned());
        let mut card = card_of(&divided);
        assert!(!refused(&card, &divided, Split::Private));
        assert!(refused(&card, &otherwise, Split::Private) && !refused(&card, &otherwise, Split::All));
        // An official split of data that have only their name in common with the training data.
        card.training.data_sha256 = vec!["others".to_owned()];
        assert!(!refused(&card, &divided, Split::Private));
    }

    #[test]
    fn other_crops_that_are_divided_otherwise_are_not_measured() {
        let folder = tempfile::tempdir().unwrap();
        (0..20).for_each(|i| picture(&folder.path().join(format!("happy/{i}.png")), i));
        let by = |seed| {
            let split = SplitSpec { seed, ..SplitSpec::default() };
            read_undivided(folder.path(), &ReadOptions::default()).unwrap().divided(&split).unwrap()
        };
        let (data, other) = (by(1), by(2));
        for split in [Split::Public, Split::Private] {
            assert!(check_alike(&data, &by(1), split).is_ok());
            let error = check_alike(&data, &other, split).unwrap_err().to_string();
            assert!(error.contains("is split differently") && error.contains(split.usage()), "{error}");
        }
        assert!(check_alike(&data, &other, Split::All).is_ok());

        // The names of several data sets say how faces were cut out, which doesn't make it a different split.
        let several = |told: &str| {
            let second = tempfile::tempdir().unwrap();
            (0..20).for_each(|i| picture(&second.path().join(format!("sad/{i}.png")), 100 + i));
            let second = read(second.path(), &ReadOptions::default()).unwrap();
            join(vec![(format!("one{told}"), by(1)), (format!("other{told}"), second)]).unwrap()
        };
        assert!(check_alike(&several(" (3 faces turned upright)"), &several(""), Split::Private).is_ok());
    }

    #[test]
    fn what_a_mean_may_have_learnt_from_is_no_test_of_it() {
        let folder = tempfile::tempdir().unwrap();
        (0..10).for_each(|i| picture(&folder.path().join(format!("happy/{i}.png")), i));
        let data = read(folder.path(), &ReadOptions::default()).unwrap();
        let mut card = card_of(&data);
        card.mean_of.push(MeanPart { name: "one".to_owned(), sha256: String::new(), counts: 1.0 });
        for split in [Split::Public, Split::Private] {
            let error = check(&card, &data, split).unwrap_err().to_string();
            assert!(error.contains("mine is the mean of several networks"), "{error}");
        }
        assert!(check(&card, &data, Split::All).is_ok());
    }
}
