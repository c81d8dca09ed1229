//! What a recipe says of the data: one source, or several that share each batch.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Problems, is_positive};
use crate::balance::BalanceSpec;

/// `[data]` in a recipe. `data = "FER2013"` is short for one source of that name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DataSpec {
    /// The data sets that the network learns from, chooses on and is measured on, one after the other.
    pub sources: Vec<SourceSpec>,
}

/// A data set among others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSpec {
    /// What `mien train --data NAME=PATH` calls it.
    pub name: String,
    /// How much of each batch comes from it, beside the other sources' shares. Without shares each has as much as it has pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What is shown equally often.
    #[serde(skip_serializing_if = "EvenOver::is_pictures")]
    pub evenly_over: EvenOver,
}

/// What a source shows equally often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvenOver {
    /// Each picture.
    #[default]
    Pictures,
    /// Each class that occurs, and within a class each picture.
    #[serde(alias = "classes")]
    Emotions,
    /// Each person, and of a person each picture.
    People,
}

impl EvenOver {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_pictures(&self) -> bool {
        *self == Self::Pictures
    }
}

impl DataSpec {
    /// Whether the batches are made up by shares or evenness, and not simply of all pictures in random order.
    pub fn is_drawn(&self) -> bool {
        self.sources.iter().any(|source| source.share.is_some() || source.evenly_over != EvenOver::Pictures)
    }

    /// What the sources are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| source.name.as_str())
    }

    pub(super) fn check(&self, balance: &BalanceSpec, found: &mut Problems) {
        let sources = &self.sources;
        found.check("data.sources.name", self.names().all(|name| !name.is_empty()), "has to name each source");
        let is_new = |i: usize| sources[..i].iter().all(|before| before.name != sources[i].name);
        found.check("data.sources.name", (0..sources.len()).all(is_new), "has to be another for each source");
        let shares: Vec<f64> = sources.iter().filter_map(|source| source.share).collect();
        found.check("data.sources.share", shares.iter().all(|share| is_positive(*share)), "has to be greater than 0");
        let is_whole = shares.is_empty() || shares.len() == sources.len();
        found.check("data.sources.share", is_whole, "has to be there for all sources or for none");
        found.check(
            "balance.kind",
            !(self.is_drawn() && balance.repeats()),
            "can't repeat pictures where sources have shares or are drawn evenly: take `evenly_over = \"emotions\"`",
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
        }

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = DataSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a data set's name or a table with `sources`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<DataSpec, E> {
                Ok(DataSpec { sources: vec![SourceSpec { name: name.to_owned(), ..SourceSpec::default() }] })
            }

            /// Checkpoints of before there could be several hold nothing here where nothing was said.
            fn visit_unit<E: de::Error>(self) -> Result<DataSpec, E> {
                Ok(DataSpec::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DataSpec, A::Error> {
                let Table { sources } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(DataSpec { sources })
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
