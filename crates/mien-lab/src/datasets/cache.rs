//! A cache of decoded data sets on disk, one file each, so that a second start is instant.
//!
//! A file belongs to a path and the options that it was read with, and holds a fingerprint of the data set's files (their
//! paths, sizes and times). It is rebuilt if the fingerprint has changed or it is damaged.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use directories::BaseDirs;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::DataError;
use super::reader::{About, Collection, Entry, ReadOptions, Source, Watch, decode};
use mien_core::crop::{CROP_PIXELS, CROP_SIZE};
use mien_core::whole::{self, Existing};

/// To be increased whenever decoding or the cache's format changes.
const FORMAT: u32 = 4;
/// Smaller data sets are decoded so fast that caching isn't worthwhile.
const LEAST_PICTURES: usize = 100;
/// Where the files are, below the user's cache folder.
const FOLDER_IN_CACHE: &str = "mien/datasets";
/// The only tensor of a file.
const PIXELS: &str = "pixels";
/// The only entry of a file's metadata.
const NOTE: &str = "mien";

/// The user's folder for decoded data sets; `None` if the system has no place for it.
pub fn cache_folder() -> Option<PathBuf> {
    BaseDirs::new().map(|user| user.cache_dir().join(FOLDER_IN_CACHE))
}

/// The cache entry of one data set, read with certain options.
pub(super) struct Cache {
    file: PathBuf,
    fingerprint: String,
}

/// What a file holds besides the pixels.
#[derive(Serialize, Deserialize)]
struct Note {
    fingerprint: String,
    about: About,
    entries: Vec<Entry>,
}

impl Cache {
    /// Computes file name and fingerprint, without reading the data set's files.
    pub fn new(folder: &Path, path: &Path, options: &ReadOptions, source: &dyn Source) -> Self {
        let mut place = Sha256::new();
        let absolute = std::fs::canonicalize(path).unwrap_or_else(|_unresolved| path.to_owned());
        place.update(format!("{FORMAT} {} {} ", env!("CARGO_PKG_VERSION"), source.faces().key()));
        place.update(format!("{:?} {:?} {:?} ", options.angles, options.ferplus.is_some(), options.classes));
        place.update(absolute.as_os_str().as_encoded_bytes());
        let mut files = Sha256::new();
        for file in source.files() {
            // Ignore files that can't be accessed: decoding reports them, and where they are listed.
            let looked_at = std::fs::metadata(file).ok();
            let modified = looked_at.as_ref().and_then(|metadata| metadata.modified().ok());
            let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            files.update(file.as_os_str().as_encoded_bytes());
            files.update(format!(" {:?} {modified:?}\n", looked_at.map(|metadata| metadata.len())));
        }
        let file = folder.join(format!("{:x}.safetensors", place.finalize()));
        Self { file, fingerprint: format!("{:x}", files.finalize()) }
    }

    /// Returns the data set from the cache, or decodes and caches it. If it can't be cached, that is only logged.
    ///
    /// # Errors
    /// When it has to be decoded and that fails.
    pub fn get_or_decode(&self, source: &dyn Source, watch: &Watch) -> Result<Collection, DataError> {
        if let Some(kept) = self.get() {
            return Ok(kept);
        }
        let collection = decode(source, watch)?;
        if collection.entries.len() >= LEAST_PICTURES
            && let Err(error) = self.keep(&collection)
        {
            tracing::warn!("the decoded data set can't be kept in {}: {error}", self.file.display());
        }
        Ok(collection)
    }

    /// `None` if nothing is cached, or what is cached is damaged or outdated.
    fn get(&self) -> Option<Collection> {
        let bytes = std::fs::read(&self.file).ok()?;
        let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
        let note: Note = serde_json::from_str(header.metadata().as_ref()?.get(NOTE)?).ok()?;
        let pixels = SafeTensors::deserialize(&bytes).ok()?.tensor(PIXELS).ok()?.data().to_vec();
        let is_whole = note.fingerprint == self.fingerprint && pixels.len() == note.entries.len() * CROP_PIXELS;
        is_whole.then_some(Collection { entries: note.entries, pixels, about: note.about })
    }

    fn keep(&self, collection: &Collection) -> Result<(), Box<dyn std::error::Error>> {
        let Collection { entries, pixels, about } = collection;
        let note = Note { fingerprint: self.fingerprint.clone(), about: about.clone(), entries: entries.clone() };
        let shape = vec![entries.len(), CROP_SIZE, CROP_SIZE];
        let tensors = [(PIXELS, TensorView::new(Dtype::U8, shape, pixels)?)];
        let notes = [(NOTE.to_owned(), serde_json::to_string(&note)?)];
        let bytes = safetensors::serialize(tensors, Some(notes.into()))?;
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(whole::write(&self.file, &bytes, Existing::Replace)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::datasets::{Split, Votes};
    use crate::faces::{FaceCounts, FaceFinding, FaceMode, LandmarkPlaces};
    use mien_core::crop::Framing;

    /// A data set of one file that counts how often it is decoded.
    struct Counted {
        file: PathBuf,
        decoded: AtomicUsize,
        faces: FaceFinding,
    }

    impl Counted {
        fn new(file: PathBuf, framing: Framing) -> Self {
            let faces = FaceFinding::new(FaceMode::Auto, FaceMode::Whole, framing);
            Self { file, decoded: AtomicUsize::new(0), faces }
        }
    }

    impl Source for Counted {
        fn files(&self) -> Vec<&Path> {
            vec![&self.file]
        }

        fn faces(&self) -> FaceFinding {
            self.faces
        }

        fn decode(&self, _watch: &Watch) -> Result<Collection, DataError> {
            self.decoded.fetch_add(1, Ordering::Relaxed);
            let entry = |i: usize| Entry {
                place: format!("line {i}"),
                label: i % 7,
                subject: i.is_multiple_of(2).then(|| "“A”".to_owned()),
                split: Some(Split::Public),
                votes: Some(Votes::new([i as u8; 10])),
            };
            let entries: Vec<_> = (0..LEAST_PICTURES).map(entry).collect();
            let pixels = (0..LEAST_PICTURES * CROP_PIXELS).map(|i| (i % 253) as u8).collect();
            let about = About {
                name: "test".to_owned(),
                sha256: vec!["ab".to_owned()],
                skipped: vec![],
                faces: FaceCounts { whole: 3, ..FaceCounts::default() },
                places: LandmarkPlaces::default(),
            };
            Ok(Collection { entries, pixels, about })
        }
    }

    #[test]
    fn what_was_kept_is_what_was_decoded_until_data_change_or_the_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let source = Counted::new(folder.path().join("data.csv"), Framing::Box);
        std::fs::write(&source.file, "one").unwrap();
        let options = ReadOptions::default();
        let cache = || Cache::new(&folder.path().join("cache"), &source.file, &options, &source);
        let first = cache().get_or_decode(&source, &Watch::default()).unwrap();
        assert_eq!(cache().get_or_decode(&source, &Watch::default()).unwrap(), first);
        assert_eq!(source.decoded.load(Ordering::Relaxed), 1);

        std::fs::write(&source.file, "three").unwrap();
        assert_eq!(cache().get_or_decode(&source, &Watch::default()).unwrap(), first);
        assert_eq!(source.decoded.load(Ordering::Relaxed), 2);

        let file = cache().file;
        let whole = std::fs::read(&file).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", b"junk that is long enough to hold a header"] {
            std::fs::write(&file, damaged).unwrap();
            let before = source.decoded.load(Ordering::Relaxed);
            assert_eq!(cache().get_or_decode(&source, &Watch::default()).unwrap(), first);
            assert_eq!(source.decoded.load(Ordering::Relaxed), before + 1);
        }
        assert_eq!(std::fs::read(&file).unwrap(), whole, "rebuilt");
    }

    #[test]
    fn each_way_to_crop_has_a_place_of_its_own() {
        let place = |framing| {
            let source = Counted::new(PathBuf::from("data.csv"), framing);
            Cache::new(Path::new("cache"), &source.file, &ReadOptions::default(), &source).file
        };
        assert_eq!(place(Framing::Box), place(Framing::default()));
        assert_ne!(place(Framing::Box), place(Framing::Upright));
    }

    #[test]
    fn a_cache_that_can_not_be_written_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let source = Counted::new(folder.path().join("data.csv"), Framing::Box);
        std::fs::write(&source.file, "one").unwrap();
        let cache = Cache::new(&source.file.join("below a file"), &source.file, &ReadOptions::default(), &source);
        assert_eq!(cache.get_or_decode(&source, &Watch::default()).unwrap().entries.len(), LEAST_PICTURES);
    }
}
