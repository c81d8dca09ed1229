//! A stem and four stages of blocks: the parameters of `mien` and of `repvgg`.

use serde::Deserialize;
use serde::de::Error as _;

use super::BuildError;
use super::stack::share;

/// Number of stages.
pub const STAGES: usize = 4;

/// Width and depth of the stages.
#[derive(Clone, Copy)]
pub struct Stages {
    /// Filters of the stem and of each stage.
    pub channels: [i64; 1 + STAGES],
    /// Blocks of each stage. `repvgg` adds one to each, which halves the map.
    pub blocks: [usize; STAGES],
    /// Dropout rate before the last layer.
    pub dropout: f64,
}

impl Stages {
    /// Reads the parameters of a recipe, with `usual` as defaults. Each number in `channels` must be at least `least_filters`, and each
    /// in `blocks` at least `least_blocks`.
    ///
    /// # Errors
    /// When a parameter is unknown or out of range.
    pub fn of(
        parameters: toml::Table,
        usual: Self,
        least_filters: i64,
        least_blocks: usize,
    ) -> Result<Self, BuildError> {
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
        if stages.channels.iter().any(|filters| *filters < least_filters) {
            return Err(
                toml::de::Error::custom(format!("each of `channels` has to be at least {least_filters}")).into()
            );
        }
        if stages.blocks.iter().any(|blocks| *blocks < least_blocks) {
            return Err(toml::de::Error::custom(format!("each of `blocks` has to be at least {least_blocks}")).into());
        }
        Ok(stages)
    }
}
