//! Writing a model's card.

use std::path::Path;

use anyhow::Context as _;

use crate::whole::{self, Existing};

/// Writes a card of any kind, as it is stored, beside the weights `model` that it is of.
///
/// # Errors
/// When the disk is full or the folder can't be written; a card that was there stays.
pub(super) fn write(card: &str, model: &Path) -> anyhow::Result<()> {
    let path = model.with_extension("toml");
    whole::write(&path, card.as_bytes(), Existing::Replace)
        .with_context(|| format!("can't write the model card {}", path.display()))
}
