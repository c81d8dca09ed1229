//! Finds the files to analyse, from files, folders and patterns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::part::Part;
use super::results::OwnResults;
use super::together::TOGETHER_NAME;
use crate::export::is_temporary;

/// Extensions of files in folders that count as videos.
const VIDEOS: [&str; 15] =
    ["3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "vob", "webm", "wmv"];

/// Extensions of files that count as pictures.
const PICTURES: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Name of the table of all pictures, without extension.
pub const PICTURES_NAME: &str = "pictures";

/// Files to analyse, each once, in order of their paths.
#[derive(Debug, Default, PartialEq)]
pub struct Inputs {
    /// Videos, and files that were named themselves and whose extension is neither a picture's nor a video's.
    pub videos: Vec<Input>,
    /// Pictures.
    pub pictures: Vec<Input>,
    /// Files that were left out because Mien wrote them.
    pub left_out: Vec<PathBuf>,
    /// Other names of files that are there already: links, or paths with “..”.
    pub doubles: Vec<PathBuf>,
    /// What can't be read, and why: folders without permission, broken links.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// A file to analyse.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in results. It depends only on how the user named the file, or a folder above it, never on other inputs. Names are unique,
    /// except that the parts of a film share one.
    pub name: PathBuf,
    /// Which part of it, if not the whole.
    pub part: Option<Part>,
}

/// Why an input can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The pattern is invalid.
    #[error("“{0}” is not a valid file name pattern: {1}")]
    Pattern(String, glob::PatternError),
    /// No file matches.
    #[error("{0} does not exist, and no file matches it as a pattern; check the path")]
    Nothing(PathBuf),
    /// A folder holds neither videos nor pictures.
    #[error("{0} contains no file with the extension of a video or picture")]
    EmptyFolder(PathBuf),
    /// Mien wrote everything that was found.
    #[error("{0} was written by Mien, like everything else that was named; name the video that it was made from")]
    OnlyResults(PathBuf),
    /// Two files would have the same name in results.
    #[error(
        "{first} and {second} would both be called {name} in the results; go to a folder that holds both and name them \
         from there, or write their results to two folders"
    )]
    SameName {
        /// The first file.
        first: PathBuf,
        /// The second file.
        second: PathBuf,
        /// The name of both.
        name: PathBuf,
    },
    /// A video has the name of the table of pictures.
    #[error(
        "{0} would have the name of the table of all pictures; give it an extension, or analyse the pictures separately"
    )]
    CalledPictures(PathBuf),
    /// A video has the name of the tables over all files.
    #[error("{0} would have the name of the table over all files; give it another name, or an extension")]
    CalledTogether(PathBuf),
    /// The name of the output folder can't be recorded.
    #[error("the folder {0} has a name that is not Unicode; rename it, or name another with --output")]
    OutputNotUnicode(PathBuf),
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
    /// Finds the files that `named` stands for: files themselves, all videos and pictures in and below folders, and matches of patterns
    /// that the shell hasn't expanded. Leaves out files below `output`, unless they are named themselves, and files that Mien wrote. A file
    /// counts once, by its first name, even if links lead to it.
    ///
    /// # Errors
    /// When a name stands for nothing, or two files would have the same name in the results. Unreadable files are noticed only when they
    /// are analysed.
    pub fn find(named: &[PathBuf], output: &Path) -> Result<Self, InputError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|reason| InputError::Unreachable { path: path.to_owned(), reason })
        };
        let output = absolute(output)?;
        if output.to_str().is_none() {
            return Err(InputError::OutputNotUnicode(output));
        }
        let output = real(&output);
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        for named in named {
            for path in matches(named)? {
                let (at, name) = (absolute(&path)?, name_of(&path));
                if at.is_dir() {
                    let before = unreadable.len();
                    let files = in_folder(&at, &output, &mut unreadable);
                    if files.is_empty() && unreadable.len() == before {
                        return Err(InputError::EmptyFolder(named.clone()));
                    }
                    for (real, file) in files {
                        let name =
                            file.strip_prefix(&at).map_or_else(|_elsewhere| name_of(&file), |rest| name.join(rest));
                        found.push((real, file, name));
                    }
                } else {
                    found.push((real(&at), at, name));
                }
            }
        }
        let (mut files, mut known) = (BTreeMap::new(), BTreeSet::new());
        let (mut doubles, mut not_unicode) = (BTreeSet::new(), BTreeSet::new());
        for (real, path, name) in found {
            // Records and messages to programs hold Unicode only.
            if path.to_str().is_none() || name.to_str().is_none() {
                not_unicode.insert(path);
            } else if known.insert(real) {
                // The first name counts, so that adding another changes nothing.
                files.insert(path, name);
            } else if !files.contains_key(&path) {
                doubles.insert(path);
            }
        }
        unreadable.extend(not_unicode.into_iter().map(|path| {
            let reason = "its name is not Unicode and can't be noted beside results; rename it".to_owned();
            (PathBuf::from(path.to_string_lossy().into_owned()), reason)
        }));
        Ok(Self { unreadable, doubles: doubles.into_iter().collect(), ..Self::sort(files)? })
    }

    /// Notes on what was left out.
    pub fn notes_on_left_out(&self) -> impl Iterator<Item = String> {
        let by_mien = in_short(&self.left_out)
            .map(|names| format!("{names} left out: Mien wrote it; to have it analysed, rename it"));
        let doubles =
            in_short(&self.doubles).map(|names| format!("{names} left out: the same file is there under another name"));
        by_mien.into_iter().chain(doubles)
    }

    fn sort(files: BTreeMap<PathBuf, PathBuf>) -> Result<Self, InputError> {
        let mut inputs = Self::default();
        let (mut results, mut names) = (OwnResults::default(), BTreeMap::new());
        for (path, name) in files {
            if results.contains(&path) {
                inputs.left_out.push(path);
                continue;
            }
            if let Some(first) = names.insert(name.clone(), path.clone()) {
                return Err(InputError::SameName { first, second: path, name });
            }
            let kind = if is_picture(&path) { &mut inputs.pictures } else { &mut inputs.videos };
            kind.push(Input { path, name, part: None });
        }
        if !inputs.pictures.is_empty()
            && let Some(video) = inputs.videos.iter().find(|video| video.name == Path::new(PICTURES_NAME))
        {
            return Err(InputError::CalledPictures(video.path.clone()));
        }
        if let Some(video) = inputs.videos.iter().find(|video| video.name == Path::new(TOGETHER_NAME)) {
            return Err(InputError::CalledTogether(video.path.clone()));
        }
        match inputs.left_out.first() {
            Some(first) if inputs.videos.is_empty() && inputs.pictures.is_empty() => {
                Err(InputError::OnlyResults(first.clone()))
            }
            _ => Ok(inputs),
        }
    }
}

/// The name of a path in results: the path as typed if it leads down from the current folder, otherwise its last component.
fn name_of(path: &Path) -> PathBuf {
    let leads_down = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if leads_down {
        return path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    }
    // Resolve “..”, which is no name.
    let mut place = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_gone| path.to_owned()).components() {
        if part == Component::ParentDir {
            place.pop();
        } else {
            place.push(part);
        }
    }
    place.file_name().map(PathBuf::from).unwrap_or_default()
}

/// The first of some paths, and how many more there are. `None` if there is none.
pub fn in_short(paths: &[PathBuf]) -> Option<String> {
    let [first, others @ ..] = paths else { return None };
    let others = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    Some(format!("{}{others}", first.display()))
}

/// Where a file or folder is, whatever links lead to it. The same path if it can't be accessed.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_inaccessible| path.to_owned())
}

/// Files below a folder, each after its real path. Those that only a link leads to come last: a file's own path comes before other ones of
/// it, so that a new link renames no results.
pub fn own_paths_first(folder: &Path, files: impl Iterator<Item = PathBuf>) -> Vec<(PathBuf, PathBuf)> {
    let here = real(folder);
    let mut files: Vec<_> = files.map(|file| (real(&file), file)).collect();
    files.sort_by_key(|(real, file)| file.strip_prefix(folder).is_ok_and(|below| *real != here.join(below)));
    files
}

/// The paths that a name stands for: itself if it exists, otherwise its matches as a pattern.
fn matches(name: &Path) -> Result<Vec<PathBuf>, InputError> {
    if name.exists() {
        return Ok(vec![name.to_owned()]);
    }
    let pattern = name.to_string_lossy();
    let paths = glob::glob(&pattern).map_err(|error| InputError::Pattern(pattern.clone().into_owned(), error))?;
    // What can't be read doesn't match.
    let found: Vec<PathBuf> = paths.filter_map(Result::ok).collect();
    if found.is_empty() { Err(InputError::Nothing(name.to_owned())) } else { Ok(found) }
}

/// Videos and pictures in and below a folder, as [`own_paths_first`] gives them. What can't be read is added to `unreadable`.
fn in_folder(folder: &Path, output: &Path, unreadable: &mut Vec<(PathBuf, String)>) -> Vec<(PathBuf, PathBuf)> {
    let is_wanted = |path: &Path| {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        !is_hidden && (ends_in(path, &VIDEOS) || ends_in(path, &PICTURES))
    };
    let is_output = |entry: &DirEntry| entry.file_type().is_dir() && real(entry.path()) == output;
    let files = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !(is_output(entry) || is_temporary(entry.path())))
        .filter_map(|entry| entry.map_err(|error| unreadable.extend(complaint(&error))).ok())
        .filter(|entry| entry.file_type().is_file() && is_wanted(entry.path()))
        .map(DirEntry::into_path);
    own_paths_first(folder, files)
}

/// What can't be read, and why. `None` if nothing is lost: a link that leads back up has been searched, and a broken one matters only if
/// its name is that of a video or picture.
fn complaint(error: &walkdir::Error) -> Option<(PathBuf, String)> {
    let (path, reason) = (error.path()?, error.io_error()?);
    let is_of_interest = !path.is_symlink() || ends_in(path, &VIDEOS) || ends_in(path, &PICTURES);
    is_of_interest.then(|| (path.to_owned(), format!("can't be read: {reason}")))
}

/// Whether a file has the extension of a picture.
pub fn is_picture(path: &Path) -> bool {
    ends_in(path, &PICTURES)
}

fn ends_in(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
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

    /// Names in results.
    fn names(inputs: &[Input]) -> Vec<String> {
        inputs.iter().map(|input| input.name.to_string_lossy().replace('\\', "/")).collect()
    }

    fn find(home: &Path, named: &[&str]) -> Result<Inputs, InputError> {
        let named: Vec<_> = named.iter().map(|name| home.join(name)).collect();
        Inputs::find(&named, &home.join("out"))
    }

    #[test]
    fn folders_are_searched_to_the_bottom_and_results_are_left_out() {
        let home = folder(&[
            "in/a/clip.mp4",
            "in/b/clip.MP4",
            "in/b/deep/face.jpg",
            "in/notes.txt",
            "in/.hidden.mp4",
            "in/out/old.mp4",
            "in/.mien-part-x/half.mp4",
        ]);
        let inputs = Inputs::find(&[home.path().join("in")], &home.path().join("in/out")).unwrap();
        assert_eq!(names(&inputs.videos), ["in/a/clip.mp4", "in/b/clip.MP4"]);
        assert_eq!(names(&inputs.pictures), ["in/b/deep/face.jpg"]);
        // Input and output are the same folder.
        let inputs = Inputs::find(&[home.path().join("in/b")], &home.path().join("in/b")).unwrap();
        assert_eq!(names(&inputs.videos), ["b/clip.MP4"]);
    }

    #[test]
    fn patterns_and_files_named_twice_count_once() {
        let home = folder(&["a/x1.mp4", "a/x2.mp4", "a/y.mp4", "a/film"]);
        let inputs = find(home.path(), &["a/x*.mp4", "a/x1.mp4", "a/film"]).unwrap();
        assert_eq!(names(&inputs.videos), ["film", "x1.mp4", "x2.mp4"]);
    }

    #[test]
    fn a_name_follows_from_how_the_file_was_named() {
        for (typed, name) in [
            ("clip.mp4", "clip.mp4"),
            ("day1/clip.mp4", "day1/clip.mp4"),
            ("./day1/./clip.mp4", "day1/clip.mp4"),
            (".", ""),
            ("/data/day1/clip.mp4", "clip.mp4"),
            ("../day1", "day1"),
            ("day1/../day2/clip.mp4", "clip.mp4"),
            ("/data/day1/..", "data"),
            ("/", ""),
        ] {
            assert_eq!(name_of(Path::new(typed)), Path::new(name), "{typed}");
        }
    }

    #[test]
    fn another_input_changes_no_name() {
        let home = folder(&["a/clip.mp4", "b/clip.mp4", "b/deep/other.mp4"]);
        assert_eq!(names(&find(home.path(), &["b"]).unwrap().videos), ["b/clip.mp4", "b/deep/other.mp4"]);
        let both = find(home.path(), &["b", "a", "b/deep/other.mp4"]).unwrap();
        assert_eq!(names(&both.videos), ["a/clip.mp4", "b/clip.mp4", "b/deep/other.mp4"]);
    }

    #[test]
    fn two_files_that_would_have_one_name_are_refused() {
        let home = folder(&["a/clip.mp4", "b/clip.mp4", "c/pictures", "c/face.png"]);
        let error = find(home.path(), &["a/clip.mp4", "b/clip.mp4"]).unwrap_err().to_string();
        assert!(["a/clip.mp4", "b/clip.mp4", "called clip.mp4"].iter().all(|words| error.contains(words)), "{error}");
        assert!(matches!(find(home.path(), &["c/pictures", "c"]), Err(InputError::CalledPictures(_))));
        let home = folder(&["together"]);
        assert!(matches!(find(home.path(), &["together"]), Err(InputError::CalledTogether(_))));
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_to_no_video_are_told_and_those_that_lead_back_are_not() {
        use std::os::unix::fs::symlink;
        let home = folder(&["a/clip.mp4"]);
        symlink(home.path().join("a"), home.path().join("a/back")).unwrap();
        symlink("nowhere", home.path().join("a/gone.mp4")).unwrap();
        symlink("nowhere", home.path().join("a/gone.txt")).unwrap();
        let inputs = find(home.path(), &["a"]).unwrap();
        assert_eq!(names(&inputs.videos), ["a/clip.mp4"]);
        let told: Vec<_> = inputs.unreadable.iter().map(|(path, _)| path.file_name().unwrap()).collect();
        assert_eq!(told, ["gone.mp4"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_counts_once_whatever_leads_to_it() {
        use std::os::unix::fs::symlink;
        let home = folder(&["a/clip.mp4", "a/deep/other.mp4", "b/x.mp4"]);
        let path = |name: &str| home.path().join(name);
        symlink("clip.mp4", path("a/another.mp4")).unwrap();
        symlink("deep", path("a/alias")).unwrap();
        let inputs = find(home.path(), &["a", "a/../a/clip.mp4"]).unwrap();
        assert_eq!(names(&inputs.videos), ["a/clip.mp4", "a/deep/other.mp4"]);
        let notes: Vec<_> = inputs.notes_on_left_out().collect();
        assert!(notes.len() == 1 && notes[0].contains("and 2 more left out: the same file"), "{notes:?}");
        let inputs = find(home.path(), &["a/another.mp4", "a"]).unwrap();
        assert_eq!(names(&inputs.videos), ["another.mp4", "a/deep/other.mp4"]);
        // Links to files elsewhere keep their names, and hard links are files of their own.
        std::fs::create_dir(path("links")).unwrap();
        symlink(path("b/x.mp4"), path("links/1.mp4")).unwrap();
        symlink(path("a/clip.mp4"), path("links/2.mp4")).unwrap();
        let links = find(home.path(), &["links"]).unwrap();
        assert_eq!(names(&links.videos), ["links/1.mp4", "links/2.mp4"]);
        assert!(links.videos[0].path.ends_with("links/1.mp4") && links.doubles.is_empty());
        std::fs::hard_link(path("b/x.mp4"), path("b/y.mp4")).unwrap();
        assert_eq!(names(&find(home.path(), &["b"]).unwrap().videos), ["b/x.mp4", "b/y.mp4"]);
    }

    #[cfg(unix)]
    #[test]
    fn results_that_a_link_leads_to_are_left_out() {
        let home = folder(&["in/clip.mp4", "out/old.mp4"]);
        std::os::unix::fs::symlink("../out", home.path().join("in/results")).unwrap();
        for output in ["out", "in/results", "in/../out"] {
            let inputs = Inputs::find(&[home.path().join("in")], &home.path().join(output)).unwrap();
            assert_eq!(names(&inputs.videos), ["in/clip.mp4"], "{output}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_not_unicode_are_told_and_keep_nothing_else_back() {
        use std::os::unix::ffi::OsStrExt as _;
        let home = folder(&["a/clip.mp4"]);
        std::fs::write(home.path().join(std::ffi::OsStr::from_bytes(b"a/M\xfcller.mp4")), "").unwrap();
        let inputs = find(home.path(), &["a"]).unwrap();
        assert_eq!(names(&inputs.videos), ["a/clip.mp4"]);
        let [(path, reason)] = inputs.unreadable.as_slice() else { panic!("{:?}", inputs.unreadable) };
        assert!(path.to_str().unwrap().ends_with("ller.mp4") && reason.contains("not Unicode"), "{reason}");
    }

    #[test]
    fn a_name_for_nothing_is_refused() {
        let home = folder(&["a/notes.txt"]);
        let error = |name: &str| find(home.path(), &[name]).unwrap_err().to_string();
        assert!(error("none.mp4").contains("none.mp4"));
        assert!(error("*.avi").contains("*.avi"));
        assert!(error("a").contains("contains no file"));
        assert!(error("a[").contains("not a valid file name pattern"));
    }
}
