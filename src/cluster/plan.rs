//! What is to be analysed, frozen in a file: one line for each video, part of one or picture, with what it is and how long it takes.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::shard::{Shard, balance};
use crate::batch::{FileState, Input, Inputs, Part};
use crate::digits::TIME_DIGITS;
use crate::interrupt::Interrupted;
use crate::source::{FrameSource as _, SourceInfo, VideoSource};

/// What a picture counts against seconds of video when shards are balanced: a frame at 25 a second.
const PICTURE_SECONDS: f64 = 0.04;

/// Some drives keep times of change in steps of two seconds, and copies of a file differ by as much.
const TIME_TOLERANCE_MS: u64 = 2000;

/// Hexadecimal digits of an id: 64 bits, enough for billions of files.
const ID_DIGITS: usize = 16;

/// A line of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The first 16 digits of the SHA-256 of name, length, modification time and number of the part.
    pub id: String,
    /// Where it is, for all machines.
    pub path: PathBuf,
    /// What it is called in results.
    pub name: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Length in bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: Option<u64>,
    /// Duration in seconds, as it declares it: of the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Frames, as it declares them: of the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Which part of it, if not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Why it can't be analysed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Videos are analysed one by one, pictures all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A video.
    Video,
    /// A still picture.
    Picture,
}

/// How long films are cut into parts.
#[derive(Clone, Copy, Debug)]
pub struct Split {
    /// No part is longer than this, in seconds.
    pub longest: f64,
    /// What is analysed before each part, in seconds.
    pub overlap: f64,
}

/// The lines, videos first, then pictures, each in order of their paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan(pub Vec<Planned>);

/// A plan can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not there, or not to be read.
    #[error("can't read the manifest {}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        reason: std::io::Error,
    },
    /// A line is none of a plan.
    #[error("{}, line {line}: {reason}; make the manifest anew with `mien plan`", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        #[source]
        reason: serde_json::Error,
    },
}

impl Plan {
    /// Looks at each input. `tick` is called for each one.
    ///
    /// # Errors
    /// When the user interrupted it. An input that can't be read has a line that says so.
    pub fn make(
        inputs: &Inputs,
        split: Option<Split>,
        stop: &AtomicBool,
        mut tick: impl FnMut(),
    ) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        for (kind, input) in inputs
            .videos
            .iter()
            .map(|video| (Kind::Video, video))
            .chain(inputs.pictures.iter().map(|picture| (Kind::Picture, picture)))
        {
            if stop.load(Ordering::Relaxed) {
                bail!(Interrupted("no manifest was written".to_owned()));
            }
            lines.extend(planned(input, kind, split));
            tick();
        }
        for (path, reason) in &inputs.unreadable {
            let line = Planned::of(path, path, Kind::Video).with_problem(reason.clone());
            lines.push(line);
        }
        lines.sort_by(|a, b| (a.kind == Kind::Picture, &a.path).cmp(&(b.kind == Kind::Picture, &b.path)));
        Ok(Self(lines))
    }

    /// Reads the one at `path`.
    ///
    /// # Errors
    /// When it can't be read, or a line is none of a plan.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let unreadable = |reason| PlanError::Unreadable { path: path.to_owned(), reason };
        let file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut lines = Vec::new();
        for (number, line) in file.lines().enumerate() {
            let line = line.map_err(unreadable)?;
            if !line.trim().is_empty() {
                let error = |reason| PlanError::Line { path: path.to_owned(), line: number + 1, reason };
                lines.push(serde_json::from_str(&line).map_err(error)?);
            }
        }
        Ok(Self(lines))
    }

    /// As text.
    ///
    /// # Errors
    /// When a path can't stand in JSON.
    pub fn to_lines(&self) -> anyhow::Result<String> {
        let line = |planned: &Planned| {
            let line = serde_json::to_string(planned);
            line.with_context(|| format!("{} can't stand in a manifest", planned.path.display()))
        };
        let lines = self.0.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    }

    /// Those that can't be analysed.
    pub fn problems(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.0.iter().filter_map(|line| Some((line.name.as_path(), line.problem.as_deref()?)))
    }

    /// Whether a film is to be analysed in parts.
    pub fn has_parts(&self) -> bool {
        self.0.iter().any(|line| line.part.is_some())
    }

    /// What is to be analysed in a shard: the same wherever it is asked. What has changed since the plan was made is unreadable.
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

    fn of_shard(&self, shard: Shard) -> impl Iterator<Item = &Planned> {
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

    /// How long each takes, in seconds of video. Files that don't declare it are taken to be as long as others of their bytes.
    fn costs(&self, videos: &[Planned]) -> Vec<f64> {
        let known = self.0.iter().filter_map(|line| Some((line.seconds?, line.bytes as f64)));
        let (seconds, bytes) = known.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let rate = if bytes > 0.0 { seconds / bytes } else { 1.0 };
        let cost = |line: &Planned| {
            if line.problem.is_some() {
                return 0.0;
            }
            let whole = line.seconds.unwrap_or(line.bytes as f64 * rate);
            line.part.map_or(whole, |part| part.to_s.unwrap_or(whole) - part.from_s + part.overlap_s)
        };
        videos.iter().map(cost).collect()
    }
}

impl Planned {
    fn of(path: &Path, name: &Path, kind: Kind) -> Self {
        let state = FileState::of(path);
        let (bytes, modified_ms) = state.map_or((0, None), |state| (state.bytes, state.modified_ms));
        // Others can't stand in JSON.
        let text = |path: &Path| PathBuf::from(path.to_string_lossy().into_owned());
        let line = Self {
            id: String::new(),
            path: text(path),
            name: text(name),
            kind,
            bytes,
            modified_ms,
            seconds: None,
            frames: None,
            part: None,
            problem: None,
        };
        if path.to_str().is_some() && name.to_str().is_some() {
            line.with_id()
        } else {
            line.with_problem("its name is not Unicode and can't stand in a manifest; rename it".to_owned())
        }
    }

    fn with_problem(mut self, problem: String) -> Self {
        self.problem = Some(problem);
        self.with_id()
    }

    fn with_id(mut self) -> Self {
        let Self { name, bytes, modified_ms, part, .. } = &self;
        let part = part.map_or(0, |part| part.number);
        let facts = format!("{}\0{bytes}\0{}\0{part}", name.display(), modified_ms.unwrap_or_default());
        let digest = format!("{:x}", Sha256::digest(facts));
        self.id = digest.chars().take(ID_DIGITS).collect();
        self
    }

    /// What its results are called.
    pub fn unit_name(&self) -> PathBuf {
        self.part.map_or_else(|| self.name.clone(), |part| part.name(&self.name))
    }

    fn changed_since(&self) -> Option<String> {
        let state = match FileState::of(&self.path) {
            Ok(state) => state,
            Err(error) => return Some(format!("can't be read: {error}")),
        };
        let words = "has changed since the manifest was made; make it anew with `mien plan`";
        (!self.is_as_planned(&state)).then(|| words.to_owned())
    }

    /// Whether a file in this state is the one that the line is about: as long, and changed at the same time.
    pub fn is_as_planned(&self, state: &FileState) -> bool {
        let apart = self.modified_ms.zip(state.modified_ms).map_or(0, |(then, now)| then.abs_diff(now));
        state.bytes == self.bytes && apart <= TIME_TOLERANCE_MS
    }
}

/// The lines of an input.
fn planned(input: &Input, kind: Kind, split: Option<Split>) -> Vec<Planned> {
    let line = Planned::of(&input.path, &input.name, kind);
    if line.problem.is_some() || kind == Kind::Picture {
        return vec![line];
    }
    match VideoSource::open(&input.path) {
        Err(error) => vec![line.with_problem(error.to_string())],
        Ok(source) => {
            let info = source.info();
            let seconds = info.duration().map(|duration| duration.as_secs_f64());
            let line = Planned { seconds, frames: info.frames(), ..line };
            let parts = split.map(|split| parts(info, split)).unwrap_or_default();
            if parts.is_empty() {
                return vec![line];
            }
            parts.into_iter().map(|part| Planned { part: Some(part), ..line.clone() }.with_id()).collect()
        }
    }
}

/// Equal parts, unless the film is short enough or doesn't say how long it is.
fn parts(info: &SourceInfo, split: Split) -> Vec<Part> {
    let Some(frames) = info.frames().filter(|_| info.fps > 0.0) else { return Vec::new() };
    let of = (frames as f64 / info.fps / split.longest).ceil() as u32;
    if of < 2 {
        return Vec::new();
    }
    // Between two frames, where the rate is even.
    let cut =
        |number: u32| between_times(((f64::from(number) / f64::from(of) * frames as f64).round() - 0.5) / info.fps);
    let part = |number: u32| Part {
        number: number + 1,
        of,
        from_s: if number == 0 { 0.0 } else { cut(number) },
        to_s: (number + 1 < of).then(|| cut(number + 1)),
        overlap_s: split.overlap,
    };
    (0..of).map(part).collect()
}

/// The time nearby that lies in the middle between two that tables can have. The part before ends by a frame's exact time, and the rows of
/// the part behind begin by the rounded one: here no rounding takes a frame over the cut, whatever the rate is.
fn between_times(seconds: f64) -> f64 {
    let steps = 10_f64.powi(TIME_DIGITS as i32);
    ((seconds * steps).floor() + 0.5) / steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits::rounded;
    use crate::source::SourceKind;

    fn line(name: &str, kind: Kind, seconds: Option<f64>, bytes: u64) -> Planned {
        let line = Planned::of(Path::new(name), Path::new(name), kind);
        Planned { seconds, bytes, ..line }
    }

    fn names(plan: &Plan, shard: Shard) -> Vec<String> {
        plan.of_shard(shard).map(|line| line.name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn each_file_is_in_one_shard_and_pictures_stay_together() {
        let mut lines: Vec<_> =
            (0..9_u32).map(|i| line(&format!("{i}.mp4"), Kind::Video, Some(f64::from(i) * 10.0), 1000)).collect();
        lines.push(line("unknown.mp4", Kind::Video, None, 500));
        lines.push(line("broken.mp4", Kind::Video, None, 0).with_problem("is empty".to_owned()));
        lines.extend((0..5).map(|i| line(&format!("{i}.png"), Kind::Picture, None, 10)));
        let plan = Plan(lines);
        for count in [1, 2, 3, 20] {
            let shards: Vec<_> = (1..=count).map(|number| names(&plan, Shard::new(number, count).unwrap())).collect();
            let mut all = shards.concat();
            all.sort();
            let mut wanted: Vec<_> = plan.0.iter().map(|line| line.name.to_string_lossy().into_owned()).collect();
            wanted.sort();
            assert_eq!(all, wanted);
            assert_eq!(shards.iter().filter(|names| names.iter().any(|name| name.ends_with(".png"))).count(), 1);
        }
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("manifest.jsonl");
        let part = Part { number: 2, of: 2, from_s: 59.98, to_s: None, overlap_s: 15.0 };
        let film = Planned { part: Some(part), ..line("film.mp4", Kind::Video, Some(120.0), 7) }.with_id();
        let plan = Plan(vec![film, line("a.png", Kind::Picture, None, 3)]);
        std::fs::write(&path, plan.to_lines().unwrap()).unwrap();
        assert_eq!(Plan::read(&path).unwrap(), plan);
        assert!(plan.has_parts() && plan.0[0].id != plan.0[1].id);
        std::fs::write(&path, "{\"id\": 1}\n").unwrap();
        let error = Plan::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("mien plan"), "{error}");
    }

    #[test]
    fn what_has_changed_since_is_not_analysed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.mp4");
        std::fs::write(&path, "film").unwrap();
        let plan = Plan(vec![Planned::of(&path, Path::new("a.mp4"), Kind::Video)]);
        assert_eq!(plan.inputs(Shard::WHOLE).videos.len(), 1);
        std::fs::write(&path, "longer film").unwrap();
        let inputs = plan.inputs(Shard::WHOLE);
        assert!(inputs.videos.is_empty() && inputs.unreadable[0].1.contains("has changed"), "{inputs:?}");
    }

    #[test]
    fn a_film_is_cut_into_equal_parts_between_frames() {
        let kind = SourceKind::File { duration: None, frames: Some(2500) };
        let info = SourceInfo { name: "a".into(), kind, width: 1, height: 1, fps: 25.0, fourcc: String::new() };
        let split = |longest| parts(&info, Split { longest, overlap: 15.0 });
        assert_eq!(split(100.0), []);
        let cut = split(40.0);
        let times: Vec<_> = cut.iter().map(|part| (part.number, part.of, part.from_s, part.to_s)).collect();
        let (first, second) = (cut[1].from_s, cut[2].from_s);
        assert_eq!(times, [(1, 3, 0.0, Some(first)), (2, 3, first, Some(second)), (3, 3, second, None)]);
        // 833 and 1667 frames.
        for (cut, middle) in [(first, 832.5 / 25.0), (second, 1666.5 / 25.0)] {
            assert!((cut - middle).abs() < 1e-4, "{cut}");
            // By whichever time a frame is judged, the exact one or that of a table, it is on the same side.
            let shifts = [-1e-3, -6e-5, -1e-9, 1e-9, 6e-5, 1e-3];
            assert!(shifts.iter().all(|shift| (rounded(cut + shift, TIME_DIGITS) >= cut) == (*shift > 0.0)), "{cut}");
        }
    }
}
