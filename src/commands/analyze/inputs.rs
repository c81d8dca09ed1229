//! What is to be analysed: files, out of files, folders and patterns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// Endings of files in folders that are taken for videos.
const VIDEOS: [&str; 14] =
    ["3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "webm", "wmv"];

/// And for pictures.
const PICTURES: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Files to analyse, each once, in order of their names.
#[derive(Debug, Default, PartialEq)]
pub struct Inputs {
    /// Videos, and what is neither picture nor video by its name but was named itself.
    pub videos: Vec<Input>,
    /// Pictures.
    pub pictures: Vec<Input>,
}

/// A file to analyse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// Where it is below the folder that all inputs have in common: no two have the same.
    pub relative: PathBuf,
}

/// Nothing can be made of an input.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The pattern is none.
    #[error("“{0}” is no pattern of file names: {1}")]
    Pattern(String, glob::PatternError),
    /// No file fits.
    #[error("{0} does not exist, and no file fits it as a pattern; check the path")]
    Nothing(PathBuf),
    /// A folder holds neither videos nor pictures.
    #[error("{0} holds no file whose name ends like that of a video or picture")]
    EmptyFolder(PathBuf),
    /// The current folder is gone.
    #[error("{path} can't be found: {reason}")]
    Unreachable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

impl Inputs {
    /// Finds the files that `named` stands for: files themselves, all videos and pictures in and below folders, and what
    /// fits a pattern that the shell hasn't replaced. Nothing below `output` takes part: that is what earlier runs wrote.
    ///
    /// # Errors
    /// When a name stands for nothing. A file that is there and can't be read is found out when its turn comes.
    pub fn find(named: &[PathBuf], output: &Path) -> Result<Self, InputError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|reason| InputError::Unreachable { path: path.to_owned(), reason })
        };
        let output = absolute(output)?;
        let mut files = BTreeSet::new();
        for name in named {
            for path in matches(name)? {
                let path = absolute(&path)?;
                if path.is_dir() {
                    let found = in_folder(&path, &output);
                    if found.is_empty() {
                        return Err(InputError::EmptyFolder(name.clone()));
                    }
                    files.extend(found);
                } else {
                    files.insert(path);
                }
            }
        }
        let common = common_folder(&files);
        let inputs = files.into_iter().map(|path| {
            let relative = path.strip_prefix(&common).unwrap_or(&path).to_owned();
            Input { relative, path }
        });
        let (pictures, videos) = inputs.partition(|input| ends_in(&input.path, &PICTURES));
        Ok(Self { videos, pictures })
    }
}

/// The paths that a name stands for: itself if it is there, else what fits it as a pattern.
fn matches(name: &Path) -> Result<Vec<PathBuf>, InputError> {
    if name.exists() {
        return Ok(vec![name.to_owned()]);
    }
    let pattern = name.to_string_lossy();
    let paths = glob::glob(&pattern).map_err(|error| InputError::Pattern(pattern.clone().into_owned(), error))?;
    // What can't be looked at doesn't fit.
    let found: Vec<PathBuf> = paths.filter_map(Result::ok).collect();
    if found.is_empty() { Err(InputError::Nothing(name.to_owned())) } else { Ok(found) }
}

fn in_folder(folder: &Path, output: &Path) -> Vec<PathBuf> {
    let is_wanted = |path: &Path| {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        !is_hidden && (ends_in(path, &VIDEOS) || ends_in(path, &PICTURES))
    };
    WalkDir::new(folder)
        .follow_links(true)
        .into_iter()
        .filter_entry(|entry| entry.path() != output)
        // What can't be looked at, a folder without permission say, can't be listed either.
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file() && is_wanted(entry.path()))
        .map(walkdir::DirEntry::into_path)
        .collect()
}

fn ends_in(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

/// The deepest folder that holds all files.
fn common_folder(files: &BTreeSet<PathBuf>) -> PathBuf {
    let mut folders = files.iter().filter_map(|file| file.parent());
    let Some(first) = folders.next() else { return PathBuf::new() };
    folders.fold(first.to_owned(), |common, folder| {
        common.components().zip(folder.components()).take_while(|(a, b)| a == b).map(|(part, _)| part).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        folder
    }

    fn relative(inputs: &[Input]) -> Vec<String> {
        inputs.iter().map(|input| input.relative.to_string_lossy().replace('\\', "/")).collect()
    }

    #[test]
    fn folders_are_searched_to_the_bottom_and_results_are_left_out() {
        let home = folder(&["a/clip.mp4", "b/clip.MP4", "b/deep/face.jpg", "notes.txt", ".hidden.mp4", "out/old.mp4"]);
        let inputs = Inputs::find(&[home.path().to_owned()], &home.path().join("out")).unwrap();
        assert_eq!(relative(&inputs.videos), ["a/clip.mp4", "b/clip.MP4"]);
        assert_eq!(relative(&inputs.pictures), ["b/deep/face.jpg"]);
    }

    #[test]
    fn patterns_and_files_named_twice_count_once() {
        let home = folder(&["a/x1.mp4", "a/x2.mp4", "a/y.mp4", "a/film"]);
        let named = ["a/x*.mp4", "a/x1.mp4", "a/film"].map(|name| home.path().join(name));
        let inputs = Inputs::find(&named, &home.path().join("out")).unwrap();
        assert_eq!(relative(&inputs.videos), ["film", "x1.mp4", "x2.mp4"]);
    }

    #[test]
    fn a_name_for_nothing_is_refused() {
        let home = folder(&["a/notes.txt"]);
        let find = |name: &str| Inputs::find(&[home.path().join(name)], Path::new("out")).unwrap_err().to_string();
        assert!(find("none.mp4").contains("none.mp4"));
        assert!(find("*.avi").contains("*.avi"));
        assert!(find("a").contains("holds no file"));
        assert!(find("a[").contains("no pattern"));
    }
}
