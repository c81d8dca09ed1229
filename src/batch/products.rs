//! Everything that is written from the scenes of a file: tables, annotated copies, summary and report.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::Results;
use super::state::Output;
use super::summaries::Summaries;
use crate::blur::{Blur, SceneBlurrer, blur_still};
use crate::classes::Classes;
use crate::digits::{QUALITY_DIGITS, rounded};
use crate::export::{
    AnnotatedVideo, Existing, ExportError, FaceTable, FrameTable, Original, TableFormat, VideoShape, annotate, encoded,
    write_file,
};
use crate::pipeline::Scene;
use crate::report::Fact;
use crate::source::SourceInfo;
use crate::verdict::Verdict;

/// Inserted before the extension of annotated copies.
const ANNOTATED: &str = "annotated";

/// Formats of pictures that annotated copies keep. Copies of pictures in other formats are PNGs.
const KEPT_KINDS: [&str; 3] = ["jpeg", "jpg", "png"];

/// Inserted before the extension of tables of frames.
const FRAMES: &str = ".frames";

/// Something that is written for each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Product {
    /// The table of faces.
    Faces(TableFormat),
    /// The table of frames.
    Frames(TableFormat),
    /// Annotated copies.
    Annotated,
    /// Summary and report.
    Summary,
}

/// What to write for each file.
pub type Wanted = BTreeSet<Product>;

/// Where and how to write the results of one file, or of all pictures.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The name of files in it, without extension.
    pub name: &'a str,
    /// The video's name in tables and reports.
    pub file: &'a str,
    /// The products to write.
    pub wanted: &'a Wanted,
    /// Faces of lower quality are left out.
    pub least_quality: Option<f32>,
    /// What is blurred in copies and in a report's pictures.
    pub blur: Option<Blur>,
    /// The network's classes.
    pub classes: &'a Classes,
    /// What a report says about model, options and versions.
    pub facts: &'a [Fact],
}

/// Everything that is written from a stream of scenes. If it is dropped unfinished, it leaves files in its folder only.
pub struct Products<'a> {
    place: Place<'a>,
    face_tables: Vec<(TableFormat, FaceTable)>,
    frame_tables: Vec<(TableFormat, FrameTable)>,
    video: Option<AnnotatedVideo>,
    /// For a video whose pictures appear in a product.
    blurrer: Option<SceneBlurrer>,
    annotates_pictures: bool,
    pictures: Vec<PathBuf>,
    summaries: Option<Summaries>,
    /// The counts so far; outputs, complaints and notes are added at the end.
    results: Results,
}

impl Product {
    /// All products.
    fn all() -> impl Iterator<Item = Self> {
        TableFormat::ALL
            .into_iter()
            .flat_map(|format| [Self::Faces(format), Self::Frames(format)])
            .chain([Self::Annotated, Self::Summary])
    }

    /// The file names of this product that exist in any case, for a file of this name.
    pub fn names(self, name: &str, is_video: bool) -> Vec<String> {
        match self {
            Self::Annotated if is_video => vec![annotated_video(name)],
            // Copies are named after each picture that has a face.
            Self::Annotated => vec![],
            Self::Summary => vec![Summaries::table_name(name), Summaries::report_name(name)],
            Self::Faces(_) | Self::Frames(_) => self.table_name(name).into_iter().collect(),
        }
    }

    /// The file name of its table, if it has one.
    pub fn table_name(self, name: &str) -> Option<String> {
        match self {
            Self::Faces(format) => Some(format!("{name}{}", format.ending())),
            Self::Frames(format) => Some(format!("{name}{FRAMES}{}", format.ending())),
            Self::Annotated => None,
            Self::Summary => Some(Summaries::table_name(name)),
        }
    }

    /// The format of its table.
    pub fn table_format(self) -> Option<TableFormat> {
        match self {
            Self::Faces(format) | Self::Frames(format) => Some(format),
            Self::Annotated => None,
            Self::Summary => Some(TableFormat::Csv),
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Faces(format) => write!(f, "faces{}", format.ending()),
            Self::Frames(format) => write!(f, "frames{}", format.ending()),
            Self::Annotated => f.write_str("annotated"),
            Self::Summary => f.write_str("summary"),
        }
    }
}

impl From<Product> for String {
    fn from(product: Product) -> Self {
        product.to_string()
    }
}

impl TryFrom<String> for Product {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        Self::all().find(|product| product.to_string() == word).ok_or_else(|| format!("“{word}” is no product"))
    }
}

impl<'a> Products<'a> {
    /// Starts the products of a video whose analysed frames are `spacing` apart.
    pub fn of_video(place: Place<'a>, info: &SourceInfo, spacing: Duration) -> Result<Self, ExportError> {
        let shape = VideoShape { width: info.width, height: info.height, fps: 1.0 / spacing.as_secs_f64() };
        let path = place.folder.join(annotated_video(place.name));
        let video = place.wants(Product::Annotated).then(|| AnnotatedVideo::create(&path, shape)).transpose()?;
        let summaries = place.wants(Product::Summary).then(|| Summaries::of_video(place, info, spacing)).transpose()?;
        let blurrer = place.blur.filter(|_| video.is_some() || summaries.is_some()).map(SceneBlurrer::new);
        Ok(Self { video, summaries, blurrer, ..Self::tables_alone(place)? })
    }

    /// Starts the products of all pictures.
    pub fn of_pictures(place: Place<'a>) -> Result<Self, ExportError> {
        let summaries = place.wants(Product::Summary).then(|| Summaries::of_pictures(place)).transpose()?;
        Ok(Self { annotates_pictures: place.wants(Product::Annotated), summaries, ..Self::tables_alone(place)? })
    }

    fn tables_alone(place: Place<'a>) -> Result<Self, ExportError> {
        let (mut face_tables, mut frame_tables) = (Vec::new(), Vec::new());
        for product in place.wanted {
            let path = place.folder.join(product.table_name(place.name).unwrap_or_default());
            match *product {
                Product::Faces(format) => face_tables.push((format, FaceTable::create(&path, format, place.classes)?)),
                Product::Frames(format) => frame_tables.push((format, FrameTable::create(&path, format)?)),
                Product::Annotated | Product::Summary => {}
            }
        }
        Ok(Self {
            place,
            face_tables,
            frame_tables,
            video: None,
            blurrer: None,
            annotates_pictures: false,
            pictures: Vec::new(),
            summaries: None,
            results: Results { products: place.wanted.clone(), classes: place.classes.clone(), ..Results::default() },
        })
    }

    /// Adds the next scene of `file`.
    pub fn push(&mut self, file: &str, mut scene: Scene) -> anyhow::Result<()> {
        // Blur only if pictures are written. Faces of low quality are people too.
        let keeps_pictures = self.video.is_some() || self.annotates_pictures || self.summaries.is_some();
        let blur = self.place.blur.filter(|_| keeps_pictures);
        let everybody = if blur.is_some() { scene.faces.clone() } else { Vec::new() };
        if let Some(least) = self.place.least_quality {
            if let Some(summaries) = &mut self.summaries {
                summaries.note_present(scene.frame.media_time, &scene.faces);
            }
            self.results.below_quality += leave_out_poor(&mut scene, least);
        }
        self.count(&scene);
        self.face_tables.iter_mut().try_for_each(|(_, table)| table.push(file, &scene))?;
        self.frame_tables.iter_mut().try_for_each(|(_, table)| table.push(file, &scene))?;
        if let Some(blurrer) = &mut self.blurrer {
            let ready = blurrer.push(scene, &everybody)?;
            return ready.into_iter().try_for_each(|scene| self.show(file, scene));
        }
        if let Some(blur) = blur {
            blur_still(blur, Arc::make_mut(&mut scene.frame.image), &everybody)?;
        }
        self.show(file, scene)
    }

    fn count(&mut self, scene: &Scene) {
        let results = &mut self.results;
        results.frames += 1;
        results.frames_with_face += u64::from(!scene.faces.is_empty());
        results.faces += scene.faces.len() as u64;
        for face in &scene.faces {
            *results.verdicts.entry(Verdict::of(face).key(&scene.classes).to_owned()).or_default() += 1;
        }
    }

    /// Adds a scene to the products that contain pictures.
    fn show(&mut self, file: &str, mut scene: Scene) -> anyhow::Result<()> {
        if let Some(summaries) = &mut self.summaries {
            summaries.push(file, &scene)?;
        }
        if let Some(video) = &mut self.video {
            video.push(scene)?;
        } else if self.annotates_pictures && !scene.faces.is_empty() {
            annotate(Arc::make_mut(&mut scene.frame.image), &scene.faces, &scene.classes)?;
            let copy = annotated_picture(Path::new(file));
            let ending = copy.extension().map_or(Cow::default(), |ending| ending.to_string_lossy());
            let path = self.place.folder.join(&copy);
            let picture = encoded(&scene.frame.image, &ending)?;
            self.pictures.push(write_file(&path, &picture, Existing::Keep)?);
        }
        Ok(())
    }

    /// Completes everything. The sound comes from `original`.
    pub fn finish(mut self, mut complaints: Vec<String>, original: Option<&Original<'_>>) -> anyhow::Result<Results> {
        if let Some(blurrer) = self.blurrer.take() {
            blurrer.finish()?.into_iter().try_for_each(|scene| self.show(self.place.file, scene))?;
        }
        let mut paths = Vec::new();
        let (mut notes, mut lacks_sound) = (Vec::new(), false);
        for (format, table) in self.face_tables {
            paths.push((Product::Faces(format), table.finish()?));
        }
        for (format, table) in self.frame_tables {
            paths.push((Product::Frames(format), table.finish()?));
        }
        if let Some(video) = self.video {
            let video = video.finish(original)?;
            notes.push(video.to_string());
            lacks_sound = video.lacks_sound();
            complaints.extend(video.complaints());
            paths.push((Product::Annotated, video.path));
        }
        if let Some(summaries) = self.summaries {
            paths.extend(summaries.finish(self.place, &complaints)?.map(|path| (Product::Summary, path)));
        }
        paths.extend(self.pictures.into_iter().map(|path| (Product::Annotated, path)));
        let outputs = paths.iter().map(|(product, path)| Output::of(*product, path)).collect::<Result<_, _>>()?;
        Ok(Results { outputs, complaints, notes, lacks_sound, ..self.results })
    }
}

impl Place<'_> {
    fn wants(&self, product: Product) -> bool {
        self.wanted.contains(&product)
    }
}

/// Removes faces whose quality is known to be less than `least`, and returns how many.
pub(super) fn leave_out_poor(scene: &mut Scene, least: f32) -> u64 {
    let all = scene.faces.len();
    scene.faces.retain(|face| face.quality.is_none_or(|quality| is_good(quality, least)));
    (all - scene.faces.len()) as u64
}

/// Whether a quality is at least `least`, rounded as in tables: a limit read off a table keeps the row that shows it.
fn is_good(quality: f32, least: f32) -> bool {
    rounded(quality.into(), QUALITY_DIGITS) as f32 >= least
}

/// The file name of a video's annotated copy.
fn annotated_video(name: &str) -> String {
    format!("{name}.{ANNOTATED}.mp4")
}

/// The name of a picture's annotated copy, which no other picture's copy has.
pub fn annotated_picture(picture: &Path) -> PathBuf {
    let ending = picture.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let ending = KEPT_KINDS.into_iter().find(|kind| *kind == ending).unwrap_or("png");
    picture.with_added_extension(format!("{ANNOTATED}.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_known_by_its_word() {
        let words: Vec<_> = Product::all().map(String::from).collect();
        assert_eq!(words.len(), words.iter().collect::<BTreeSet<_>>().len());
        for product in Product::all() {
            assert_eq!(Product::try_from(String::from(product)), Ok(product));
        }
        assert!(Product::try_from("film".to_owned()).is_err());
    }

    #[test]
    fn a_quality_counts_as_tables_show_it() {
        // Written 0.35 and 0.34; a tenth isn't exact in binary.
        assert!(is_good(0.345_1, 0.35) && !is_good(0.344_9, 0.35));
        assert!(is_good(0.1, 0.1) && is_good(0.095_1, 0.1) && is_good(1.0, 1.0) && !is_good(0.0, 0.01));
    }

    #[test]
    fn copies_of_pictures_keep_their_folders_and_kinds_and_never_meet() {
        let copy = |name: &str| annotated_picture(Path::new(name)).to_string_lossy().replace('\\', "/");
        assert_eq!(copy("a/face.JPG"), "a/face.JPG.annotated.jpg");
        assert_eq!(copy("a/face.tiff"), "a/face.tiff.annotated.png");
        assert_eq!(copy("face.png"), "face.png.annotated.png");
    }
}
