//! What a card says about a training's data, and what follows from them for the model's use and limits.

use std::collections::BTreeSet;

use super::datasets::{DataError, Dataset, Origin, Pictures, SourceInfo, Split};
use super::recipe::{EvenOver, Recipe};
use mien_core::classes::Classes;
use mien_net::TrainingSource;

/// A class is called rare if it has at most this fraction of an even share: disgust in FER2013 (1.5 % of its labels) is rare,
/// fear (14 %) isn't.
const RARE: f64 = 1.0 / 3.0;
/// With fewer people, a network mostly learns who they are. With the 118 people of CK+, figures hold for new people too.
const FEW_PEOPLE: usize = 30;

/// The sentences about the data, and the sources as a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What the model is meant for.
    pub intended_use: String,
    /// What it can't do.
    pub limits: String,
    /// What it learnt from, and how that was split.
    pub data: String,
    /// Each source with its numbers of pictures and its share.
    pub sources: Vec<TrainingSource>,
}

impl Statement {
    /// Derives the statement from a recipe and its data.
    ///
    /// # Errors
    /// When the data lack what the recipe asks for.
    pub fn of(recipe: &Recipe, data: &Dataset) -> Result<Self, DataError> {
        let mut counts = vec![0; recipe.classes.len()];
        data.training.examples(recipe.target)?.leaders()?.iter().for_each(|leader| counts[*leader] += 1);
        let facts = Facts {
            classes: recipe.classes.clone(),
            counts,
            people: data.training.people(),
            origins: data.sources.iter().map(|source| source.origin).collect(),
        };
        let sources = sources(recipe, data);
        Ok(Self {
            intended_use: facts.intended_use(),
            limits: facts.limits(),
            data: data_sentence(&sources, data),
            sources,
        })
    }
}

/// The facts from which the sentences follow.
struct Facts {
    /// The classes of the network.
    classes: Classes,
    /// Pictures of each class that the network learns from.
    counts: Vec<usize>,
    /// People in them, if all are known.
    people: Option<usize>,
    /// Where the sources come from.
    origins: Vec<Origin>,
}

impl Facts {
    fn named(&self, which: impl Fn(usize) -> bool) -> Vec<&str> {
        self.classes.keys().zip(&self.counts).filter(|(_, count)| which(**count)).map(|(key, _)| key).collect()
    }

    fn is_acted(&self) -> bool {
        self.origins.iter().all(|origin| origin.is_acted())
    }

    fn few_people(&self) -> Option<usize> {
        self.people.filter(|people| *people < FEW_PEOPLE)
    }

    fn intended_use(&self) -> String {
        let seen = self.named(|count| count > 0);
        let are_emotions = self.classes.are_emotions();
        let which = match seen.len() {
            count if are_emotions && count == self.classes.len() => "seven emotions".to_owned(),
            _ if are_emotions => format!("these emotions: {},", listed(seen.iter().copied())),
            _ => format!("these classes: {},", listed(seen.iter().copied())),
        };
        if self.is_acted() {
            format!(
                "Teaching and experiments: telling which of {which} is displayed by faces that were acted and photographed like those \
                 that it learnt from."
            )
        } else if self.few_people().is_some() {
            format!(
                "Teaching and experiments: telling which of {which} is displayed by faces that were photographed like those that it \
                 learnt from."
            )
        } else {
            format!(
                "Showing which of {which} a face displays, live or in recordings, for people who agreed to it. Teaching, and \
                 research that checks it against its own data."
            )
        }
    }

    fn limits(&self) -> String {
        let origins: BTreeSet<&str> = self.origins.iter().map(|origin| origin.about()).collect();
        let mut sentences = vec![
            "It reads displayed expressions, not feelings.".to_owned(),
            format!("It learnt from {}.", listed(origins)),
            "It knows single gray pictures of roughly upright faces.".to_owned(),
        ];
        let absent = self.named(|count| count == 0);
        if !absent.is_empty() {
            let never = listed(absent.iter().copied());
            sentences
                .push(format!("It never saw {never} and can't name {}.", if absent.len() > 1 { "them" } else { "it" }));
        }
        let all: usize = self.counts.iter().sum();
        let rare = self.named(|count| count > 0 && (count * self.counts.len()) as f64 <= RARE * all as f64);
        if !rare.is_empty() {
            let (are, them) = if rare.len() > 1 { ("are", "them") } else { ("is", "it") };
            sentences.push(format!(
                "It is less sure of {}, which {are} rare in what it learnt from; don't count on its naming {them}.",
                listed(rare)
            ));
        }
        if let Some(people) = self.few_people() {
            sentences.push(format!("It knows {people} people: on others it may be much worse."));
        }
        if self.is_acted() {
            sentences.push("Faces that nobody acts, and light other than a laboratory's, are new to it.".to_owned());
        }
        sentences.push("Not for decisions about people.".to_owned());
        sentences.join(" ")
    }
}

/// What follows the names of the data sets in the sentence about the data.
const LEARNT: &str = ": Training to learn from";

fn data_sentence(sources: &[TrainingSource], data: &Dataset) -> String {
    let shares = sources.iter().filter_map(|source| {
        let share = source.share.map(|share| format!("{:.1} % of each batch", 100.0 * share));
        let evenness = source.evenness.map(|evenness| format!(" (evenness {evenness})")).unwrap_or_default();
        let even = source.evenly_over.as_ref().map(|what| format!("evenly over {what}{evenness}"));
        let told: Vec<String> = share.into_iter().chain(even).collect();
        (!told.is_empty()).then(|| format!("{} {}", source.name, told.join(", ")))
    });
    let shares: Vec<String> = shares.collect();
    let made_of = if shares.is_empty() { String::new() } else { format!("; {}", shares.join(", ")) };
    let split = if data.is_official(Split::Public) { String::new() } else { format!("; split {}", data.division) };
    format!("{}{LEARNT}, PublicTest to choose the epoch{made_of}{split}", data.name)
}

fn sources(recipe: &Recipe, data: &Dataset) -> Vec<TrainingSource> {
    let count = |pictures: &Pictures, index: usize| pictures.sources.iter().filter(|source| **source == index).count();
    let people = |index: usize| {
        let rows = data.training.sources.iter().zip(&data.training.subjects).filter(|(source, _)| **source == index);
        let people: Option<BTreeSet<&String>> = rows.map(|(_, person)| person.as_ref()).collect();
        people.map(|people| people.len()).filter(|people| *people > 0)
    };
    let specs = &recipe.data.sources;
    let all: f64 = specs.iter().filter_map(|spec| spec.share).sum();
    let source = |(index, info): (usize, &SourceInfo)| TrainingSource {
        name: info.name.clone(),
        training: count(&data.training, index),
        public: count(&data.public, index),
        private: count(&data.private, index),
        people: people(index),
        share: specs.get(index).and_then(|spec| spec.share).map(|share| share / all),
        evenly_over: specs.get(index).and_then(|spec| match spec.evenly_over {
            EvenOver::Pictures => None,
            EvenOver::Emotions => Some(if recipe.classes.are_emotions() { "emotions" } else { "classes" }.to_owned()),
            EvenOver::People => Some("people".to_owned()),
        }),
        evenness: specs.get(index).and_then(|spec| spec.evenness),
        division: info.division.clone(),
        sha256: info.sha256.clone(),
    };
    data.sources.iter().enumerate().map(source).collect()
}

/// The names of the data sets in a card's sentence or a report, such as `FER2013 with FER+ votes`, without how their faces were
/// found. Older cards have no table of sources, and evaluations are still told apart by these names.
pub fn data_names(told: &str) -> Vec<String> {
    let names = told.split_once(LEARNT).map_or(told, |(names, _)| names);
    // How faces were found is in brackets.
    let outside = names.split('(').map(|part| part.rsplit(')').next().unwrap_or_default().trim_end());
    outside.collect::<String>().split(", ").flat_map(|names| names.split(" and ")).map(str::to_owned).collect()
}

/// Joins words by commas, the last two by “and”.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{ReadOptions, join, read, tests::Folder, tests::with_votes};

    fn recipe(text: &str) -> Recipe {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_card_says_what_was_learnt_from_and_nothing_of_other_data() {
        let (fer2013, _votes) = with_votes();
        let data = read(&fer2013, &ReadOptions::default()).unwrap();
        let statement = Statement::of(&recipe(""), &data).unwrap();
        assert!(statement.limits.contains("on the web around 2013"), "{}", statement.limits);
        assert!(
            statement.intended_use.starts_with("Showing which of these emotions: angry"),
            "{}",
            statement.intended_use
        );
        assert!(
            statement.data.ends_with("PublicTest to choose the epoch"),
            "an official split needs no words: {}",
            statement.data
        );

        let jaffe = Folder::new();
        for (person, gray) in ["KA", "KL", "KM", "KR", "MK"].iter().zip(0_u8..) {
            for class in ["AN", "DI", "FE", "HA", "SA", "SU"] {
                jaffe.picture(&format!("{person}.{class}1.1.png"), 10 * gray + class.as_bytes()[0] % 10);
            }
        }
        let statement = Statement::of(&recipe(""), &jaffe.read().unwrap()).unwrap();
        assert!(
            !statement.limits.contains("2013") && statement.limits.contains("Japanese women"),
            "{}",
            statement.limits
        );
        assert!(statement.limits.contains("never saw neutral and can't name it"), "{}", statement.limits);
        assert!(statement.limits.contains("It knows 3 people"), "{}", statement.limits);
        assert!(statement.intended_use.starts_with("Teaching and experiments"), "{}", statement.intended_use);
        assert!(
            statement
                .intended_use
                .ends_with("is displayed by faces that were acted and photographed like those that it learnt from."),
            "{}",
            statement.intended_use
        );
        assert!(statement.data.contains("by person"), "{}", statement.data);
    }

    #[test]
    fn emotions_that_are_rare_in_the_data_are_named_and_others_are_not() {
        let facts = |counts: [usize; 7]| Facts {
            classes: Classes::emotions(),
            counts: counts.to_vec(),
            people: None,
            origins: vec![Origin::Unknown],
        };
        let limits = facts([100, 3, 30, 100, 100, 100, 100]).limits();
        assert!(limits.contains("less sure of disgust, which is rare"), "{limits}");
        assert!(!facts([100; 7]).limits().contains("rare"));
    }

    #[test]
    fn own_classes_are_called_classes() {
        let classes = Classes::new(vec!["tired".to_owned(), "awake".to_owned()]).unwrap();
        let facts = Facts { classes, counts: vec![50, 5], people: None, origins: vec![Origin::Unknown] };
        assert!(
            facts.intended_use().contains("these classes: tired and awake, a face displays"),
            "{}",
            facts.intended_use()
        );
        assert!(facts.limits().contains("less sure of awake, which is rare"), "{}", facts.limits());
    }

    #[test]
    fn shares_of_sources_stand_in_the_sentence_and_in_the_table() {
        let folder = |first: u8| {
            let folder = Folder::new();
            for person in 0..6 {
                folder.picture(&format!("anger/S{person:03}_001_00000010.png"), first + person);
            }
            folder
        };
        let [one, other] = [folder(1), folder(100)].map(|folder| folder.read().unwrap());
        let data = join(vec![("one".to_owned(), one), ("other".to_owned(), other)]).unwrap();
        let recipe = recipe(
            "[data]\nsources = [{ name = \"one\", share = 3, evenly_over = \"emotions\", evenness = 0.5 }, { name = \"other\", share = 1, evenly_over = \"people\" }]",
        );
        let statement = Statement::of(&recipe, &data).unwrap();
        assert!(
            statement.data.contains(
                "one 75.0 % of each batch, evenly over emotions (evenness 0.5), other 25.0 % of each batch, evenly over people"
            ),
            "{}",
            statement.data
        );
        let counts: Vec<_> = statement.sources.iter().map(|s| (s.training, s.public, s.private, s.people)).collect();
        assert_eq!(counts, [(4, 1, 1, Some(4)); 2]);
    }
}
