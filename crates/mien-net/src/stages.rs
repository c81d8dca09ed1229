//! A stem and four stages of blocks: what a recipe may say of `mien` and of `repvgg`.

use serde::Deserialize;
use serde::de::Error as _;

use super::BuildError;
use super::stack::share;

/// How many stages.
pub const STAGES: usize = 4;

/// How wide and deep they are.
#[derive(Clone, Copy)]
pub struct Stages {
    /// Filters of the stem and of each stage.
    pub channels: [i64; 1 + STAGES],
    /// Blocks of each stage.
    pub blocks: [usize; STAGES],
    /// Share of the last layer's inputs that is dropped.
    pub dropout: f64,
}

impl Stages {
    /// As a recipe says, or as is `usual` where it says nothing. No layer has less than `least` filters.
    ///
    /// # Errors
    /// When a parameter is unknown or can't be.
    pub fn of(parameters: toml::Table, usual: Self, least: i64) -> Result<Self, BuildError> {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Parameters {
            channels: Option<[i64; 1 + STAGES]>,
            blocks: Option<[usize; STAGES]>,
            dropout: Option<f64>,
        }
        let Parameters { channels, blocks, dropout } = parameters.try_into()?;
        let stages = Self {
            channels: channels.unwrap_or(usual.channels),
            blocks: blocks.unwrap_or(usual.blocks),
            dropout: share("dropout", dropout.unwrap_or(usual.dropout))?,
        };
        if stages.channels.iter().any(|filters| *filters < least) {
            return Err(toml::de::Error::custom(format!("each of `channels` has to be at least {least}")).into());
        }
        Ok(stages)
    }
}
