//! `mien recipe`: writes a recipe to start from, or checks recipes.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use crate::console::{describe, print};
use crate::lab::detection::FacesRecipe;
use crate::lab::recipe::{Recipe, RecipeList, TEMPLATE};

/// Write a recipe to start from, or check one
///
/// A recipe contains everything that decides the result of `mien train`: network, data, how pictures are varied, optimiser, seed. Every
/// field has a default; docs/training.md lists them all.
#[derive(Args, Debug)]
pub struct RecipeArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a commented recipe with sensible defaults
    New {
        /// The recipe's name, or the path of its file
        #[arg(value_name = "NAME")]
        name: PathBuf,
    },
    /// Report all mistakes in a recipe, each with its line; for a list of recipes, those in each of them
    Check {
        /// The recipes, and lists of them
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl RecipeArgs {
    /// Writes or checks.
    ///
    /// # Errors
    /// When the file is there already or can't be written, or a recipe has mistakes.
    pub fn run(&self) -> anyhow::Result<()> {
        match &self.action {
            Action::New { name } => new(name),
            Action::Check { files } => check(files),
        }
    }
}

fn new(name: &Path) -> anyhow::Result<()> {
    let stem = name.file_name().and_then(|file| file.to_str()).map(|file| file.strip_suffix(".toml").unwrap_or(file));
    let Some(stem) = stem.filter(|stem| is_plain(stem)) else {
        bail!(
            "{}: a recipe's name consists of letters, digits, dots, dashes and underscores, and begins with a letter or digit",
            name.display()
        );
    };
    let path = name.with_file_name(format!("{stem}.toml"));
    let written =
        File::create_new(&path).and_then(|mut file| file.write_all(TEMPLATE.replace("NAME", stem).as_bytes()));
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} already exists: choose another name", path.display())
        }
        written => written.with_context(|| format!("can't write the recipe {}", path.display()))?,
    }
    print(&format!("{0}\nNext: mien train {0} --data DATA\n", path.display()))
}

/// Whether a name can be used in a TOML string, a command and a file name without escaping.
fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter))
}

fn check(files: &[PathBuf]) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for file in files {
        match fitting(file) {
            Ok(architecture) => print(&format!("{}: valid ({architecture})\n", file.display()))?,
            Err(error) => wrong.push(describe(&error)),
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("; ")) }
}

/// The architecture that a recipe of either kind names, or how many recipes a list has.
fn fitting(file: &Path) -> anyhow::Result<String> {
    if RecipeList::is_at(file) {
        return Ok(format!("a list of {} recipes", RecipeList::read(file)?.recipes.len()));
    }
    if FacesRecipe::is_at(file) {
        let recipe = FacesRecipe::read(file)?;
        recipe.network.detector_cost().with_context(|| format!("the recipe {} has a mistake", file.display()))?;
        Ok(recipe.network.architecture)
    } else {
        Ok(Recipe::read(file)?.network.architecture)
    }
}
