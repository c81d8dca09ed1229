//! Writing a model's card.

use std::path::Path;

use anyhow::Context as _;

use crate::whole::{self, Existing};

/// Writes a card of any kind, given as TOML, beside the weights file `model`.
///
/// # Errors
/// When the file can't be written; an existing card then stays as it was.
pub(super) fn write(card: &str, model: &Path) -> anyhow::Result<()> {
    let path = model.with_extension("toml");
    whole::write(&path, card.as_bytes(), Existing::Replace)
        .with_context(|| format!("can't write the model card {}", path.display()))
}
