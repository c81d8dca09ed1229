//! A recipe's data: one source, or several that share each batch.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Problems, is_positive};
use crate::balance::BalanceSpec;

/// `[data]` in a recipe. `data = "FER2013"` is short for one source of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DataSpec {
    /// The data sets for training, selection and evaluation, in order.
    pub sources: Vec<SourceSpec>,
    /// The source whose shares of classes the network's answers assume. The loss is corrected for classes that are shown more
    /// or less often (`corrections.rs`). Without it, the answers assume the shares of all pictures shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_of: Option<String>,
}

/// One of the data sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSpec {
    /// Its name in `mien train --data NAME=PATH`.
    pub name: String,
    /// Its part of each batch, in proportion to the other sources' shares. Without shares, sources count by their number of pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What its pictures are drawn evenly over.
    #[serde(skip_serializing_if = "EvenOver::is_pictures")]
    pub evenly_over: EvenOver,
    /// How evenly, from 0 to 1. With 1, the default, all classes or people are shown equally often; with 0, all pictures are. A
    /// class or person with n pictures is shown in proportion to n to the power of 1 − `evenness`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evenness: Option<f64>,
}

/// What the pictures of a source are drawn evenly over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvenOver {
    /// Each picture.
    #[default]
    Pictures,
    /// Each class that occurs, and within a class each picture.
    #[serde(alias = "classes")]
    Emotions,
    /// Each person, and within a person each picture.
    People,
}

impl EvenOver {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_pictures(&self) -> bool {
        *self == Self::Pictures
    }
}

impl DataSpec {
    /// Whether batches are composed by shares or evenness, rather than simply of all pictures in random order.
    pub fn is_drawn(&self) -> bool {
        self.sources.iter().any(|source| source.share.is_some() || source.evenly_over != EvenOver::Pictures)
    }

    /// The index of the source whose prior the answers assume, if the recipe names one.
    pub fn prior_source(&self) -> Option<usize> {
        self.prior_of.as_deref().and_then(|name| self.position(name))
    }

    /// The index of the source with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names().position(|known| known == name)
    }

    /// The names of the sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| source.name.as_str())
    }

    pub(super) fn check(&self, balance: &BalanceSpec, found: &mut Problems) {
        let sources = &self.sources;
        found.check("data.sources.name", self.names().all(|name| !name.is_empty()), "has to name each source");
        let is_new = |i: usize| sources[..i].iter().all(|before| before.name != sources[i].name);
        found.check("data.sources.name", (0..sources.len()).all(is_new), "has to be different for each source");
        let shares: Vec<f64> = sources.iter().filter_map(|source| source.share).collect();
        found.check("data.sources.share", shares.iter().all(|share| is_positive(*share)), "has to be greater than 0");
        let is_even = |source: &SourceSpec| source.evenness.is_none_or(|evenness| (0.0..=1.0).contains(&evenness));
        found.check("data.sources.evenness", sources.iter().all(is_even), "has to be from 0 to 1");
        let says_of_what = |s: &SourceSpec| s.evenness.is_none() || s.evenly_over != EvenOver::Pictures;
        found.check("data.sources.evenness", sources.iter().all(says_of_what), "needs `evenly_over` too");
        let is_whole = shares.is_empty() || shares.len() == sources.len();
        found.check("data.sources.share", is_whole, "has to be given for all sources or for none");
        if let Some(name) = &self.prior_of {
            found.check("data.prior_of", self.position(name).is_some(), "has to be the name of a source");
            let weighs = !matches!(balance, BalanceSpec::None {});
            found.check(
                "balance.kind",
                !weighs,
                "can't be combined with `data.prior_of`, which balances the sources itself",
            );
        }
        found.check(
            "balance.kind",
            !(self.is_drawn() && balance.repeats()),
            "can't repeat pictures where sources have shares or are drawn evenly: use `evenly_over = \"emotions\"`",
        );
    }
}

impl<'de> Deserialize<'de> for DataSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Table {
            sources: Vec<SourceSpec>,
            prior_of: Option<String>,
        }

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = DataSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a data set's name or a table with `sources`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<DataSpec, E> {
                let sources = vec![SourceSpec { name: name.to_owned(), ..SourceSpec::default() }];
                Ok(DataSpec { sources, ..DataSpec::default() })
            }

            /// Checkpoints from before multiple sources existed store null here.
            fn visit_unit<E: de::Error>(self) -> Result<DataSpec, E> {
                Ok(DataSpec::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DataSpec, A::Error> {
                let Table { sources, prior_of } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(DataSpec { sources, prior_of })
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
