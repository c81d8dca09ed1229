//! Units of work: a video, a part of one, or all pictures.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use super::inputs::{Input, Inputs, PICTURES_NAME};
use super::part::Part;
use super::products::{Product, Wanted, annotated_picture};

/// A unit of work whose results are made together.
pub struct Task {
    /// Path of its results below the output folder, without extension.
    pub name: PathBuf,
    /// One video, or all pictures.
    pub inputs: Vec<Input>,
    pub is_video: bool,
}

impl Task {
    /// All tasks for these inputs.
    pub fn all(inputs: Inputs) -> Vec<Self> {
        let video = |input: Input| {
            let name = input.part.map_or_else(|| input.name.clone(), |part| part.name(&input.name));
            Self { name, inputs: vec![input], is_video: true }
        };
        let mut tasks: Vec<Self> = inputs.videos.into_iter().map(video).collect();
        if !inputs.pictures.is_empty() {
            tasks.push(Self { name: PICTURES_NAME.into(), inputs: inputs.pictures, is_video: false });
        }
        tasks
    }

    /// The video's name in tables.
    pub fn file(&self) -> &std::path::Path {
        match self.inputs.as_slice() {
            [input] if self.is_video => &input.name,
            _ => &self.name,
        }
    }

    /// Which part of a video it is, if not the whole.
    pub fn part(&self) -> Option<Part> {
        self.inputs.first().and_then(|input| input.part)
    }

    /// File name of its results, without extension.
    pub fn file_name(&self) -> Cow<'_, str> {
        self.name.file_name().unwrap_or(self.name.as_os_str()).to_string_lossy()
    }

    /// Paths that its results may have, below its folder.
    pub fn result_names(&self, wanted: &Wanted) -> Vec<PathBuf> {
        let names =
            wanted.iter().flat_map(|product| product.names(&self.file_name(), self.is_video)).map(PathBuf::from);
        let has_copies = wanted.contains(&Product::Annotated) && !self.is_video;
        let copies = self.inputs.iter().filter(|_| has_copies).map(|input| annotated_picture(&input.name));
        names.chain(copies).collect()
    }

    /// Bytes to read; for a part, its share of the file.
    pub fn bytes(&self) -> u64 {
        let share = |input: &Input| {
            let bytes = fs::metadata(&input.path).map_or(0, |metadata| metadata.len());
            bytes / u64::from(input.part.map_or(1, |part| part.of.max(1)))
        };
        self.inputs.iter().map(share).sum()
    }
}
