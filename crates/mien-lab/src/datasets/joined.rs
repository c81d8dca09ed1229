//! Joins several data sets into one. Each is split on its own before, and people stay on their sides.

use std::collections::BTreeSet;

use super::{DataError, Dataset, Pictures};
use crate::faces::{FaceCounts, LandmarkPlaces};

/// Joins data sets under the names that a recipe gives them. With a single one, only its source is renamed.
///
/// # Errors
/// When two hold the same pictures: one could then be learnt from in the first and measured on in the second.
pub fn join(named: Vec<(String, Dataset)>) -> Result<Dataset, DataError> {
    let several = named.len() > 1;
    let mut parts = Vec::with_capacity(named.len());
    for (index, (name, mut data)) in named.into_iter().enumerate() {
        for source in &mut data.sources {
            name.clone_into(&mut source.name);
        }
        if several {
            for pictures in [&mut data.training, &mut data.public, &mut data.private] {
                pictures.belong_to(index, &name);
            }
        }
        parts.push(data);
    }
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return Ok(only);
    }
    let mut known = BTreeSet::new();
    for source in parts.iter().flat_map(|part| &part.sources) {
        // Compare only the first checksum, that of the pictures: two lists may describe the same pictures differently.
        if source.sha256.first().is_some_and(|pictures| !known.insert(pictures)) {
            return Err(DataError::Twice { name: source.name.clone() });
        }
    }
    let all = |side: fn(&Dataset) -> &Pictures| Pictures::joined(&parts.iter().map(side).collect::<Vec<_>>());
    let divisions: BTreeSet<&str> = parts.iter().map(|part| part.division.as_str()).collect();
    let division = if divisions.len() == 1 {
        divisions.into_iter().collect()
    } else {
        let told = parts.iter().map(|part| format!("{} {}", part.name, part.division));
        told.collect::<Vec<_>>().join("; ")
    };
    let (mut faces, mut places) = (FaceCounts::default(), LandmarkPlaces::default());
    for part in &parts {
        faces += part.faces;
        places.join(&part.places);
    }
    Ok(Dataset {
        name: crate::listed(parts.iter().map(|part| part.name.as_str())),
        division,
        sha256: parts.iter().flat_map(|part| part.sha256.iter().cloned()).collect(),
        skipped: parts.iter().flat_map(|part| part.skipped.iter().cloned()).collect(),
        faces,
        places,
        training: all(|part| &part.training),
        public: all(|part| &part.public),
        private: all(|part| &part.private),
        sources: parts.into_iter().flat_map(|part| part.sources).collect(),
    })
}

impl Pictures {
    /// Marks all pictures as coming from one source, and puts its name before people and places: equal names of people in other
    /// sources mean other people.
    fn belong_to(&mut self, index: usize, name: &str) {
        self.sources = vec![index; self.len()];
        for person in self.subjects.iter_mut().flatten() {
            *person = format!("{name} {person}");
        }
        for place in &mut self.places {
            *place = format!("{name} {place}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::tests::Folder;
    use crate::datasets::{LabelRule, ReadOptions, Target, read};

    /// CK+ and JAFFE with six people each, distinguishable by their pixels.
    fn folders() -> [Folder; 2] {
        let (ck, jaffe) = (Folder::new(), Folder::new());
        for person in 0..6_u8 {
            ck.picture(&format!("anger/S{person:03}_001_00000010.png"), person);
            ck.picture(&format!("happy/S{person:03}_002_00000010.png"), 100 + person);
            let name = ["KA", "KL", "KM", "KR", "MK", "NA"][usize::from(person)];
            jaffe.picture(&format!("{name}.HA1.{person}.png"), 50 + person);
        }
        [ck, jaffe]
    }

    fn both(folders: &[Folder; 2]) -> Result<Dataset, DataError> {
        let read = |folder: &Folder| folder.read().unwrap();
        join(vec![("CK+48".to_owned(), read(&folders[0])), ("JAFFE".to_owned(), read(&folders[1]))])
    }

    #[test]
    fn joined_sets_keep_their_people_on_one_side_and_their_sources_apart() {
        let data = both(&folders()).unwrap();
        assert!(data.name.starts_with("CK+48 and JAFFE"), "{}", data.name);
        assert_eq!((data.sha256.len(), data.sources.len()), (2, 2));
        let people = |pictures: &Pictures| pictures.subjects.iter().flatten().cloned().collect::<BTreeSet<_>>();
        let sides = [&data.training, &data.public, &data.private].map(people);
        for (i, side) in sides.iter().enumerate() {
            assert!(
                side.iter().any(|p| p.starts_with("CK+48 ")) && side.iter().any(|p| p.starts_with("JAFFE ")),
                "{side:?}"
            );
            assert!(sides[..i].iter().all(|other| other.is_disjoint(side)));
        }
        assert_eq!(sides.iter().map(BTreeSet::len).sum::<usize>(), 12);
        let examples = data.training.examples(Target::Label).unwrap();
        let bytes = data.training.pixels();
        for (row, source) in examples.sources.iter().enumerate() {
            let is_jaffe = (50..56).contains(&bytes[row * 48 * 48]);
            assert_eq!(source.index, usize::from(is_jaffe));
            assert!(source.person.as_ref().unwrap().starts_with(if is_jaffe { "JAFFE" } else { "CK+48" }));
        }
    }

    #[test]
    fn the_same_set_twice_is_refused() {
        let [ck, _] = folders();
        let one = || ck.read().unwrap();
        let error = join(vec![("a".to_owned(), one()), ("b".to_owned(), one())]).unwrap_err().to_string();
        assert!(error.contains("“b”"), "{error}");
    }

    #[test]
    fn the_same_pictures_by_two_lists_are_refused_too() {
        let folder = Folder::new().pictures(&["a.png", "b.png", "c.png"]);
        let by = |name: &str, third: &str| {
            let rows = format!("path,label,split\na.png,happy,train\nb.png,sad,val\nc.png,sad,{third}\n");
            (name.to_owned(), read(&folder.file(name, rows), &ReadOptions::default()).unwrap())
        };
        let error = join(vec![by("one.csv", "train"), by("two.csv", "test")]).unwrap_err().to_string();
        assert!(error.contains("“two.csv”"), "{error}");
    }

    #[test]
    fn pictures_without_votes_count_by_their_label_beside_others_that_have_some() {
        let [ck, _] = folders();
        let (data, votes) = crate::datasets::tests::with_votes();
        let voted = read(&data, &ReadOptions { ferplus: Some(votes), ..ReadOptions::default() }).unwrap();
        let alone = voted.training.examples(Target::Votes).unwrap().targets.size()[0];
        let ck = ck.read().unwrap();
        let (labelled, faces) = (ck.training.len(), ck.training.labels.clone());
        assert!(matches!(ck.training.examples(Target::Votes), Err(DataError::NoVotes)));
        let data = join(vec![("FER2013".to_owned(), voted), ("CK+48".to_owned(), ck)]).unwrap();
        let targets = data.training.examples(Target::Votes).unwrap().targets;
        assert_eq!(targets.size()[0], alone + labelled as i64);
        for (row, face) in faces.iter().enumerate() {
            assert_eq!(targets.double_value(&[alone + row as i64, *face as i64]), 1.0);
        }
        let answers = data.training.answers(LabelRule::Majority).unwrap();
        assert!(answers[answers.len() - labelled..].iter().flatten().eq(&faces));
    }
}
