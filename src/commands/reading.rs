//! The options for reading a data set that the lab's commands share.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum as _};

use crate::classes::Classes;
use crate::console::tell;
use crate::crop::Framing;
use crate::interrupt::{self, Interrupted};
use crate::lab::datasets::{
    Angle, DataError, Dataset, ReadOptions, SplitSpec, Undivided, Watch, cache_folder, join, read_undivided,
    takes_votes,
};
use crate::lab::faces::FaceMode;
use crate::pixels::PixelLimit;

/// Fewest faces between two reports of progress; they take a few seconds.
const LEAST_TOLD: usize = 500;

/// Options of everything that reads a data set.
#[derive(Args, Debug)]
pub struct ReadingArgs {
    /// The FER+ votes, which belong to fer2013.csv row by row
    #[arg(long, value_name = "fer2013new.csv")]
    pub ferplus: Option<PathBuf>,

    /// How faces in larger pictures are found
    #[arg(long, value_enum, default_value_t)]
    pub faces: FaceMode,

    /// KDEF's angles to use [default: straight]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ANGLES")]
    pub angles: Vec<Angle>,

    /// Refuse pictures with more megapixels than this
    #[arg(long, value_name = "N", default_value_t)]
    pub max_megapixels: PixelLimit,

    /// Decode the data set again, and don't keep the result in the cache folder
    #[arg(long)]
    pub no_cache: bool,
}

impl ReadingArgs {
    /// Reads data sets with the labels `classes`, and joins them. Each gets the name given with its path, or else its own. `split` gets the
    /// SHA-256 of a data set's files, and returns how to split it if it has no official split. Only FER2013 takes votes.
    ///
    /// # Errors
    /// When one can't be read, two are the same, or votes are given and FER2013 isn't among them.
    pub fn read(
        &self,
        paths: &[(Option<String>, PathBuf)],
        classes: &Classes,
        split: &dyn Fn(&[String]) -> SplitSpec,
        crop: Framing,
    ) -> anyhow::Result<Dataset> {
        let mut parts = Vec::with_capacity(paths.len());
        let mut voted = self.ferplus.is_none();
        for (name, path) in paths {
            tell(&format!("Reading {}", path.display()));
            let mut options = self.options(classes, crop);
            if paths.len() > 1 && !takes_votes(path, classes)? {
                options.ferplus = None;
            }
            voted |= options.ferplus.is_some();
            let data = told(path, &options)?;
            let data = data.divided(&split(data.sha256()))?;
            parts.push((name.clone().unwrap_or_else(|| data.name.clone()), data));
        }
        if !voted {
            bail!("--ferplus gives votes for FER2013, which isn't among the data sets");
        }
        Ok(join(parts)?)
    }

    /// Reads a single data set without splitting it.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read_undivided(&self, path: &Path, classes: &Classes, crop: Framing) -> anyhow::Result<Undivided> {
        tell(&format!("Reading {}", path.display()));
        told(path, &self.options(classes, crop))
    }

    /// The same options as arguments for another process, with or without the votes.
    pub fn arguments(&self, votes: bool) -> Vec<OsString> {
        let name = |value: Option<PossibleValue>| value.map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut arguments: Vec<OsString> = vec![
            "--faces".into(),
            name(self.faces.to_possible_value()).into(),
            "--max-megapixels".into(),
            self.max_megapixels.to_string().into(),
        ];
        for angle in &self.angles {
            arguments.extend(["--angles".into(), name(angle.to_possible_value()).into()]);
        }
        if let Some(ferplus) = self.ferplus.as_ref().filter(|_| votes) {
            arguments.extend(["--ferplus".into(), ferplus.into()]);
        }
        if self.no_cache {
            arguments.push("--no-cache".into());
        }
        arguments
    }

    /// These options for data sets whose labels are `classes`, with `crop` for those of larger pictures.
    fn options(&self, classes: &Classes, crop: Framing) -> ReadOptions {
        ReadOptions {
            classes: classes.clone(),
            ferplus: self.ferplus.clone(),
            angles: self.angles.clone(),
            faces: self.faces,
            crop,
            pixels: self.max_megapixels,
            watch: watch(crop),
            cache: if self.no_cache { None } else { cache_folder() },
        }
    }
}

/// Reads a data set, and tells the user how faces were found if they had to be cut out.
fn told(path: &Path, options: &ReadOptions) -> anyhow::Result<Undivided> {
    let data = read_undivided(path, options).map_err(|error| match error {
        DataError::Stopped => Interrupted("nothing was changed".to_owned()).into(),
        error => anyhow::Error::from(error),
    })?;
    if data.faces().are_cut() {
        tell(&format!("{}: {}", path.display(), data.faces()));
    }
    Ok(data)
}

/// Reports progress while faces are turned upright, at each tenth of the way, and stops if the user asks for that.
fn watch(crop: Framing) -> Watch {
    Watch::new(move |done, of| {
        if crop == Framing::Upright && done > 0 && done.is_multiple_of(of.div_ceil(10).max(LEAST_TOLD)) {
            tell(&format!("looked for {done} of {of} faces"));
        }
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}
