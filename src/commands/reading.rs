//! How a data set is to be read: the options that the lab's verbs share.

use std::path::PathBuf;

use clap::Args;

use crate::crop::Framing;
use crate::detection::MakeDetector;
use crate::lab::datasets::{Angle, ReadOptions, SplitSpec, cache_folder};
use crate::lab::faces::FaceMode;
use crate::pixels::PixelLimit;

/// Options of everything that reads a data set.
#[derive(Args, Debug)]
pub struct ReadingArgs {
    /// The FER+ votes that stand row by row beside fer2013.csv
    #[arg(long, value_name = "fer2013new.csv")]
    pub ferplus: Option<PathBuf>,

    /// How faces in larger pictures are found
    #[arg(long, value_enum, default_value_t)]
    pub faces: FaceMode,

    /// Angles of KDEF that take part [default: straight]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ANGLES")]
    pub angles: Vec<Angle>,

    /// Refuse pictures of more megapixels
    #[arg(long, value_name = "N", default_value_t)]
    pub max_megapixels: PixelLimit,

    /// Decode the data set anew, and don't keep it decoded in the user's cache folder
    #[arg(long)]
    pub no_cache: bool,
}

impl ReadingArgs {
    /// These options, with `split` for data sets that their publishers didn't split, and `crop` for those of larger pictures.
    pub fn options(&self, split: &SplitSpec, crop: Framing) -> ReadOptions {
        ReadOptions {
            ferplus: self.ferplus.clone(),
            split: split.clone(),
            angles: self.angles.clone(),
            faces: self.faces,
            detector: app_detector(),
            crop,
            pixels: self.max_megapixels,
            cache: if self.no_cache { None } else { cache_folder() },
        }
    }
}

/// The detector of the app, which the lab alone lacks.
fn app_detector() -> Option<MakeDetector> {
    #[cfg(feature = "vision")]
    return Some(|| Ok(Box::new(crate::detect::HaarDetector::new(&crate::detect::DetectionOptions::default())?)));
    #[cfg(not(feature = "vision"))]
    None
}
