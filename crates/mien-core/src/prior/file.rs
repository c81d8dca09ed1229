//! Priors that users write into files.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::{Prior, PriorError, TableError, WeightError};
use crate::bounded::{self, Rows};
use crate::classes::Classes;
use crate::columns::{NOT_UTF8, is_called, reader, separator, with_point};
use crate::emotion::Emotion;

/// Largest size of a prior's file in bytes: a number for each class, with room for comments.
const MOST_BYTES: u64 = 1 << 20;

impl Prior {
    /// Reads a prior from a file: TOML (`happy = 3.5`, one line per emotion) or, if its name ends in `.csv`, the columns
    /// `emotion,weight`, separated by commas, semicolons or tabs. All seven emotions must be named, with weights above 0. Custom classes
    /// go below `[classes]`, or in the columns `class,weight`. Whether they are a model's classes is checked only when the prior is used with the model.
    ///
    /// # Errors
    /// When the file can't be read, names an unknown emotion, names one twice, lacks one, or gives an invalid weight.
    pub fn read(path: &Path) -> Result<Self, PriorError> {
        let no_prior = |problem| PriorError::Weights { path: path.to_owned(), problem };
        let is_csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let text = bounded::read_text(path, MOST_BYTES).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData if is_csv => no_prior(NOT_UTF8.to_owned()),
            _ => PriorError::Read { path: path.to_owned(), source },
        })?;
        let no_toml = |source: toml::de::Error| PriorError::Toml { path: path.to_owned(), source: source.into() };
        let given = if is_csv {
            from_csv(&text).map_err(no_prior)?
        } else if toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key(OWN_CLASSES)) {
            let Own { classes } = toml::from_str(&text).map_err(no_toml)?;
            Weights::OfClasses(classes.into_iter().collect())
        } else {
            Weights::OfEmotions(toml::from_str(&text).map_err(no_toml)?)
        };
        let weights = match given {
            Weights::OfEmotions(weights) => weights,
            Weights::OfClasses(weights) => {
                return Self::of_classes(weights).map_err(|error| no_prior(error.to_string()));
            }
        };
        let weight = |emotion: Emotion| match weights.get(&emotion) {
            Some(0.0) => Err(WeightError::Range { class: emotion.to_string(), weight: 0.0 }),
            Some(weight) => Ok(*weight),
            None => Err(WeightError::Missing(emotion.to_string())),
        };
        let weights: Result<Vec<f64>, _> = Emotion::ALL.into_iter().map(weight).collect();
        let prior = weights.and_then(|weights| Self::from_weights(&Classes::emotions(), &weights));
        prior.map_err(|error| no_prior(error.to_string()))
    }

    /// A prior of custom classes, each with a weight above 0.
    fn of_classes(weights: Vec<(String, f64)>) -> Result<Self, TableError> {
        let (names, weights): (Vec<_>, Vec<_>) = weights.into_iter().unzip();
        let classes = Classes::new(names)?;
        if let Some((class, weight)) = weights.iter().enumerate().find(|(_, weight)| **weight == 0.0) {
            return Err(WeightError::Range { class: classes.name(class), weight: *weight }.into());
        }
        Ok(Self::from_weights(&classes, &weights)?)
    }
}

/// The table of custom classes in TOML.
const OWN_CLASSES: &str = "classes";

/// A TOML file of custom classes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    classes: BTreeMap<String, f64>,
}

/// The weights in a file.
enum Weights {
    OfEmotions(BTreeMap<Emotion, f64>),
    OfClasses(Vec<(String, f64)>),
}

/// The columns of a CSV file.
const COLUMNS: [&[&str]; 2] = [&["emotion", "class"], &["weight"]];

fn from_csv(text: &str) -> Result<Weights, String> {
    let in_words = |error: csv::Error| error.to_string();
    let separator = separator(text.as_bytes(), &COLUMNS);
    let mut rows = Rows::new(&reader(separator), text.as_bytes());
    let header = rows.headers().map_err(in_words)?;
    let place = |names: &[&str]| header.iter().position(|column| is_called(column, names));
    let [Some(name_column), Some(weight_column)] = COLUMNS.map(place) else {
        return Err("its first line has to name the columns emotion,weight or class,weight".to_owned());
    };
    let own = header.iter().any(|column| is_called(column, &["class"]));
    let columns = header.len();
    let (mut of_classes, mut of_emotions) = (Vec::new(), BTreeMap::new());
    let mut record = csv::StringRecord::new();
    while rows.read(&mut record).map_err(in_words)? {
        // Spreadsheets leave empty rows at the end.
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns {
            return Err(format!("line {line}: it has {} columns, the first line {columns}", record.len()));
        }
        let (name, word) = (&record[name_column], &record[weight_column]);
        let weight: f64 = with_point(word, separator)
            .parse()
            .map_err(|_unparsable| format!("line {line}: the weight “{word}” is not a number"))?;
        if own {
            of_classes.push((name.to_owned(), weight));
            continue;
        }
        let emotion: Emotion = name.parse().map_err(|error| format!("line {line}: {error}"))?;
        if of_emotions.insert(emotion, weight).is_some() {
            return Err(format!("line {line}: {emotion} is named twice"));
        }
    }
    Ok(if own { Weights::OfClasses(of_classes) } else { Weights::OfEmotions(of_emotions) })
}

#[cfg(test)]
mod tests {
    use crate::prior::PriorChoice;

    const ALL_SEVEN: &str = "angry = 1\ndisgust = 1\nfear = 1\nhappy = 3\nsad = 1\nsurprise = 1\nneutral = 2.0\n";

    fn read(name: &str, text: &str) -> Result<PriorChoice, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().parse::<PriorChoice>().map_err(|error| error.to_string())
    }

    fn shares(choice: &PriorChoice) -> Vec<f64> {
        match choice {
            PriorChoice::Given { prior, .. } => prior.shares().to_vec(),
            PriorChoice::Standard(_) => panic!("no file"),
        }
    }

    #[test]
    fn a_file_in_either_form_is_normalised() {
        let wanted = [0.1, 0.1, 0.1, 0.3, 0.1, 0.1, 0.2];
        let table = format!("emotion,weight\n{}", ALL_SEVEN.replace(" = ", ", ").replace("happy", "Happy"));
        for (name, text) in [("a.toml", ALL_SEVEN), ("a.csv", &table)] {
            let shares = shares(&read(name, text).unwrap());
            assert!(shares.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{shares:?}");
        }
    }

    #[test]
    fn what_spreadsheets_write_is_read_or_told() {
        let wanted = [0.1, 0.1, 0.1, 0.3, 0.1, 0.1, 0.2];
        let halves = ALL_SEVEN.replace("3\n", "1,5\n").replace("2.0", "1,0").replace("= 1\n", "= 0,5\n");
        let table = format!("\u{feff}Emotion;Weight\r\n{};\r\n", halves.replace(" = ", ";").replace('\n', "\r\n"));
        let tabs = format!("EMOTION\tWEIGHT\n{}", ALL_SEVEN.replace(" = ", "\t"));
        for text in [&table, &tabs] {
            let shares = shares(&read("a.csv", text).unwrap());
            assert!(shares.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{text}: {shares:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let utf16: Vec<u8> = format!("\u{feff}{tabs}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        std::fs::write(&path, utf16).unwrap();
        let error = path.to_str().unwrap().parse::<PriorChoice>().unwrap_err().to_string();
        assert!(error.contains("a.csv is not a prior: it isn't UTF-8 text"), "{error}");
    }

    #[test]
    fn files_that_are_no_prior_are_refused_with_the_reason() {
        let lacking = ALL_SEVEN.replace("fear = 1\n", "");
        let foreign = ALL_SEVEN.replace("fear", "contempt");
        let zero = ALL_SEVEN.replace("fear = 1", "fear = 0");
        let cases = [
            ("a.toml", lacking.as_str(), "Fear has no weight"),
            ("a.toml", &foreign, "contempt"),
            ("a.toml", &zero, "the weight of Fear is 0"),
            ("a.toml", "fear = ", "line 1"),
            ("a.csv", "emotion,weight\nangry,1\nangry,2\n", "line 3: Angry is named twice"),
            ("a.csv", "emotion,weight\nglad,1\n", "line 2: “glad”"),
            ("a.csv", "emotion,weight\nangry,much\n", "line 2: the weight “much” is not a number"),
            ("a.csv", "emotion,weight\nangry,0,5\n", "line 2: it has 3 columns, the first line 2"),
            ("a.csv", "emotion,share\nangry,1\n", "has to name the columns emotion,weight"),
            // Windows line ends, and a last line without one.
            ("a.csv", "emotion,weight\r\nangry,1\r\nangry,2\r\n", "line 3: Angry is named twice"),
            ("a.csv", "emotion,weight\r\nangry,much\r\n", "line 2: the weight “much”"),
            ("a.csv", "emotion,weight\nglad,1", "line 2: “glad”"),
            ("a.csv", "emotion,weight\n", "Angry has no weight"),
        ];
        for (name, text, reason) in cases {
            let error = read(name, text).unwrap_err();
            assert!(error.contains(reason) && error.contains(name), "{text}: {error}");
        }
        let error = "no/such/file".parse::<PriorChoice>().unwrap_err().to_string();
        assert!(error.contains("no/such/file") && error.contains("uniform"), "{error}");
    }

    #[test]
    fn a_file_can_give_the_weights_of_own_classes() {
        let own = |choice: &PriorChoice| match choice {
            PriorChoice::Given { prior, .. } => (prior.classes().to_string(), prior.shares().to_vec()),
            PriorChoice::Standard(_) => panic!("no file"),
        };
        let table = read("a.toml", "# Seen in May\n[classes]\n\"wide awake\" = 1\ntired = 3\n").unwrap();
        assert_eq!(own(&table), ("tired, wide awake".to_owned(), vec![0.75, 0.25]));
        let remark = read("a.toml", "[classes] # seen in May\nawake = 1\ntired = 3\n").unwrap();
        assert_eq!(own(&remark).0, "awake, tired");
        let rows = read("a.csv", "class,weight\nwide awake,1\nhappy,3\n").unwrap();
        assert_eq!(own(&rows), ("wide awake, happy".to_owned(), vec![0.25, 0.75]));
        let cases = [
            ("a.toml", "[classes]\ntired = 1\n", "at least two"),
            ("a.toml", "[classes]\ntired = 1\nawake = 0\n", "the weight of Awake is 0"),
            ("a.toml", "[classes]\ntired = 1\nawake = \"much\"\n", "line 3"),
            ("a.csv", "class,weight\ntired,1\nTired,1\n", "“Tired” is named twice"),
        ];
        for (name, text, reason) in cases {
            let error = read(name, text).unwrap_err();
            assert!(error.contains(reason) && error.contains(name), "{text}: {error}");
        }
    }
}
