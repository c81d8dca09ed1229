//! The files to analyse, frozen in a list: one line for each video, part of one or picture, with what it is and how long it takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};

use super::line::{Kind, ManifestLine};
use super::shard::{Shard, balance};
use super::split::Split;
use crate::batch::{Input, Inputs, is_picture};
use crate::interrupt::Interrupted;

/// Cost of a picture in seconds of video, when shards are balanced: a frame at 25 a second.
const PICTURE_SECONDS: f64 = 0.04;

/// How each line begins.
const FIRST_FIELD: &str = "{\"id\":";

/// The lines, videos first, then pictures, each in order of their paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest(pub Vec<ManifestLine>);

/// Why a manifest can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It doesn't exist, or can't be read.
    #[error("can't read the manifest {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        reason: std::io::Error,
    },
    /// It is empty: the command that should have written it failed.
    #[error("the manifest {} is empty: `mien plan` must have failed; make the manifest anew, and read what the command says", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{} is not a manifest; name the file that `mien plan` printed", path.display())]
    Other {
        /// Which file.
        path: PathBuf,
    },
    /// A line isn't one of a manifest.
    #[error("{}, line {line} is cut off or damaged; make a new manifest with `mien plan`", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

impl Manifest {
    /// Examines each input and calls `tick` after each. Returns the manifest, and the names of films that `split` would cut but that stay
    /// whole because their clock restarts.
    ///
    /// # Errors
    /// When the user interrupted it. An input that can't be read has a line that says so.
    pub fn make(
        inputs: &Inputs,
        split: Option<Split>,
        stop: &AtomicBool,
        mut tick: impl FnMut(),
    ) -> anyhow::Result<(Self, Vec<PathBuf>)> {
        let (mut lines, mut uncut) = (Vec::new(), Vec::new());
        for (kind, input) in inputs
            .videos
            .iter()
            .map(|video| (Kind::Video, video))
            .chain(inputs.pictures.iter().map(|picture| (Kind::Picture, picture)))
        {
            if stop.load(Ordering::Relaxed) {
                bail!(Interrupted("no manifest was written".to_owned()));
            }
            lines.extend(ManifestLine::all_of(input, kind, split, &mut uncut));
            tick();
        }
        for (path, reason) in &inputs.unreadable {
            let kind = if is_picture(path) { Kind::Picture } else { Kind::Video };
            lines.push(ManifestLine::of(path, path, kind).with_problem(reason.clone()));
        }
        Ok((Self::in_order(lines), uncut))
    }

    /// Sorts lines; those of one file keep their order.
    fn in_order(mut lines: Vec<ManifestLine>) -> Self {
        lines.sort_by(|a, b| (a.kind == Kind::Picture, &a.path).cmp(&(b.kind == Kind::Picture, &b.path)));
        Self(lines)
    }

    /// Reads the manifest at `path`, or several that were concatenated into this file.
    ///
    /// # Errors
    /// When it can't be read, has no line, or a line isn't one of a manifest.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let unreadable = |reason| ManifestError::Unreadable { path: path.to_owned(), reason };
        let file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut lines = BTreeMap::new();
        for (number, line) in file.lines().enumerate() {
            let line = match line {
                // Not text.
                Err(reason) if reason.kind() == ErrorKind::InvalidData => String::from(char::REPLACEMENT_CHARACTER),
                line => line.map_err(unreadable)?,
            };
            if !line.trim().is_empty() {
                let is_of_a_manifest = !lines.is_empty() || line.starts_with(FIRST_FIELD);
                let damaged = |reason: serde_json::Error| {
                    tracing::debug!("line {} of {}: {reason}", number + 1, path.display());
                    if is_of_a_manifest {
                        ManifestError::Line { path: path.to_owned(), line: number + 1 }
                    } else {
                        ManifestError::Other { path: path.to_owned() }
                    }
                };
                let line: ManifestLine = serde_json::from_str(&line).map_err(damaged)?;
                // If a file is in several, its last line counts.
                let part = line.part.map(|part| (part.of, part.number));
                lines.insert((line.kind == Kind::Picture, line.path.clone(), part), line);
            }
        }
        if lines.is_empty() {
            return Err(ManifestError::Empty { path: path.to_owned() });
        }
        Ok(Self::in_order(lines.into_values().collect()))
    }

    /// The manifest as text.
    ///
    /// # Errors
    /// When a path can't be written as JSON.
    pub fn to_lines(&self) -> anyhow::Result<String> {
        let text = |line: &ManifestLine| {
            let text = serde_json::to_string(line);
            text.with_context(|| format!("{} can't be written to a manifest", line.path.display()))
        };
        let lines = self.0.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    }

    /// Files that can't be analysed, and why.
    pub fn problems(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.0.iter().filter_map(|line| Some((line.name.as_path(), line.problem.as_deref()?)))
    }

    /// Whether a film is to be analysed in parts.
    pub fn has_parts(&self) -> bool {
        self.0.iter().any(|line| line.part.is_some())
    }

    /// The inputs of a shard, the same on all machines. Files that have changed since the manifest was made are unreadable.
    pub fn inputs(&self, shard: Shard) -> Inputs {
        let mut inputs = Inputs::default();
        for line in self.of_shard(shard) {
            if let Some(problem) = line.problem.clone().or_else(|| line.changed_since()) {
                inputs.unreadable.push((line.unit_name(), problem));
                continue;
            }
            let input = Input { path: line.path.clone(), name: line.name.clone(), part: line.part };
            match line.kind {
                Kind::Video => inputs.videos.push(input),
                Kind::Picture => inputs.pictures.push(input),
            }
        }
        inputs
    }

    fn of_shard(&self, shard: Shard) -> impl Iterator<Item = &ManifestLine> {
        // Pictures have one table, so they stay together.
        let pictures = self.0.iter().position(|line| line.kind == Kind::Picture).unwrap_or(self.0.len());
        let (videos, pictures) = self.0.split_at(pictures);
        let mut costs: Vec<f64> = self.costs(videos);
        costs.push(PICTURE_SECONDS * pictures.len() as f64);
        let shard_of = balance(&costs, shard.count());
        let mine = move |number: usize| shard_of.get(number).copied() == Some(shard.index());
        let has_pictures = mine(videos.len());
        let videos = videos.iter().enumerate().filter(move |(number, _)| mine(*number)).map(|(_, line)| line);
        videos.chain(pictures.iter().filter(move |_| has_pictures))
    }

    /// The cost of each line, in seconds of video. Undeclared durations are estimated from the file's size.
    fn costs(&self, videos: &[ManifestLine]) -> Vec<f64> {
        let known = self.0.iter().filter_map(|line| Some((line.seconds?, line.bytes as f64)));
        let (seconds, bytes) = known.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let rate = if bytes > 0.0 { seconds / bytes } else { 1.0 };
        let cost = |line: &ManifestLine| {
            if line.problem.is_some() {
                return 0.0;
            }
            let whole = line.seconds.unwrap_or(line.bytes as f64 * rate);
            line.part.map_or(whole, |part| part.to_s.unwrap_or(whole) - part.from_s + part.overlap_s)
        };
        videos.iter().map(cost).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Part;

    fn line(name: &str, kind: Kind, seconds: Option<f64>, bytes: u64) -> ManifestLine {
        let line = ManifestLine::of(Path::new(name), Path::new(name), kind);
        ManifestLine { seconds, bytes, ..line }
    }

    fn names(manifest: &Manifest, shard: Shard) -> Vec<String> {
        manifest.of_shard(shard).map(|line| line.name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn each_file_is_in_one_shard_and_pictures_stay_together() {
        let mut lines: Vec<_> =
            (0..9_u32).map(|i| line(&format!("{i}.mp4"), Kind::Video, Some(f64::from(i) * 10.0), 1000)).collect();
        lines.push(line("unknown.mp4", Kind::Video, None, 500));
        lines.push(line("broken.mp4", Kind::Video, None, 0).with_problem("is empty".to_owned()));
        lines.extend((0..5).map(|i| line(&format!("{i}.png"), Kind::Picture, None, 10)));
        let manifest = Manifest(lines);
        for count in [1, 2, 3, 20] {
            let shards: Vec<_> =
                (1..=count).map(|number| names(&manifest, Shard::new(number, count).unwrap())).collect();
            let mut all = shards.concat();
            all.sort();
            let mut wanted: Vec<_> = manifest.0.iter().map(|line| line.name.to_string_lossy().into_owned()).collect();
            wanted.sort();
            assert_eq!(all, wanted);
            assert_eq!(shards.iter().filter(|names| names.iter().any(|name| name.ends_with(".png"))).count(), 1);
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("manifest.jsonl");
        let part = Part { number: 2, of: 2, from_s: 59.98, to_s: None, overlap_s: 15.0 };
        let film = ManifestLine { part: Some(part), ..line("film.mp4", Kind::Video, Some(120.0), 7) }.with_id();
        let manifest = Manifest(vec![film, line("a.png", Kind::Picture, None, 3)]);
        std::fs::write(&path, manifest.to_lines().unwrap()).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), manifest);
        assert!(manifest.has_parts() && manifest.0[0].id != manifest.0[1].id);
        let whole = manifest.to_lines().unwrap().into_bytes();
        let not_text = [&whole[..], b"\xff\xfe\n"].concat();
        let cases: [(&[u8], &str); 8] = [
            (b"{\"id\": 1}\n", "line 1 is cut off or damaged"),
            (&whole[..whole.len() - 9], "line 2 is cut off or damaged"),
            (&not_text, "line 3 is cut off or damaged"),
            (b"\xff\xfe\n", "is not a manifest"),
            (b"[]", "is not a manifest"),
            (b"file,frame\n", "is not a manifest"),
            (b"", "is empty"),
            (b"\n", "is empty"),
        ];
        for (text, words) in cases {
            std::fs::write(&path, text).unwrap();
            let error = Manifest::read(&path).unwrap_err();
            let told = error.to_string();
            assert!(told.contains(words) && told.contains("mien plan"), "{told}");
            assert!(std::error::Error::source(&error).is_none(), "{error:?}");
        }
    }

    #[test]
    fn an_unreadable_file_is_of_the_kind_that_its_name_says() {
        let unreadable = ["a.PNG", "b.mp4", "folder"].map(|name| (PathBuf::from(name), "can't be read".to_owned()));
        let inputs = Inputs { unreadable: unreadable.to_vec(), ..Inputs::default() };
        let (manifest, _) = Manifest::make(&inputs, None, &AtomicBool::new(false), || ()).unwrap();
        let kinds: Vec<_> = manifest.0.iter().map(|line| (line.name.to_str().unwrap(), line.kind)).collect();
        assert_eq!(kinds, [("b.mp4", Kind::Video), ("folder", Kind::Video), ("a.PNG", Kind::Picture)]);
    }

    #[test]
    fn two_manifests_one_after_another_are_one_with_its_pictures_last() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("manifest.jsonl");
        let old = Manifest(vec![line("a.mp4", Kind::Video, Some(9.0), 7), line("a.png", Kind::Picture, None, 3)]);
        let new = Manifest(vec![line("b.mp4", Kind::Video, Some(9.0), 7)]);
        std::fs::write(&path, old.to_lines().unwrap() + &new.to_lines().unwrap()).unwrap();
        let both = Manifest::read(&path).unwrap();
        let shards = [1, 2].map(|number| names(&both, Shard::new(number, 2).unwrap()));
        assert_eq!(shards, [vec!["a.mp4", "a.png"], vec!["b.mp4"]]);
    }

    #[test]
    fn what_has_changed_since_is_not_analysed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.mp4");
        std::fs::write(&path, "film").unwrap();
        let manifest = Manifest(vec![ManifestLine::of(&path, Path::new("a.mp4"), Kind::Video)]);
        assert_eq!(manifest.inputs(Shard::WHOLE).videos.len(), 1);
        std::fs::write(&path, "longer film").unwrap();
        let inputs = manifest.inputs(Shard::WHOLE);
        assert!(inputs.videos.is_empty() && inputs.unreadable[0].1.contains("has changed"), "{inputs:?}");
    }
}
