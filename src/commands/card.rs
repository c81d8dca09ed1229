//! Writing a model's card.

use std::path::Path;

use anyhow::Context as _;

use crate::net::Card;
use crate::net::faces::FacesCard;
use crate::whole::{self, Existing};

/// Writes the card of the weights `model` beside them.
///
/// # Errors
/// When the disk is full or the folder can't be written; a card that was there stays.
pub(super) fn write(card: &Card, model: &Path) -> anyhow::Result<()> {
    put(&card.to_toml()?, model)
}

/// Writes a detector's, likewise.
///
/// # Errors
/// As [`write`].
pub(super) fn write_detector(card: &FacesCard, model: &Path) -> anyhow::Result<()> {
    put(&card.to_toml()?, model)
}

fn put(card: &str, model: &Path) -> anyhow::Result<()> {
    let path = model.with_extension("toml");
    whole::write(&path, card.as_bytes(), Existing::Replace)
        .with_context(|| format!("can't write the model card {}", path.display()))
}
