//! Adds the original's sound to the annotated video with ffmpeg and ffprobe, if they are installed.
//!
//! OpenCV writes no sound. ffmpeg is run as a program rather than linked, because nothing else needs it, and a machine without it loses
//! only the sound.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Original;
use crate::source::CONTAINERS;

/// Codecs that an MP4 file can contain, by ffmpeg's names; everything else is re-encoded.
const IN_MP4: [&str; 6] = ["aac", "ac3", "alac", "eac3", "mp3", "opus"];

/// Time limit for ffmpeg, plus the length of the video. It normally copies hundreds of times faster than playback.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a running program is checked.
const TICK: Duration = Duration::from_millis(20);

/// What became of the sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// It was copied unchanged.
    Copied,
    /// It was re-encoded, because MP4 can't contain it as it was, or copying it failed.
    Recoded,
    /// There is none.
    None,
    /// ffmpeg found nothing to write: the sound ends before the part, or lies behind the end of a file that was cut off.
    NotFound,
    /// ffmpeg isn't installed.
    NoProgram,
    /// It was left out because it would be out of sync: gaps were shortened, or ffmpeg can't seek to the first scene.
    OutOfStep,
    /// The user interrupted it.
    Interrupted,
    /// ffmpeg failed; its message.
    Failed(String),
}

/// The part of the original that the video shows.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Media time of the first scene.
    pub first: Duration,
    /// Length of the sound from then on; `None` up to its end.
    pub length: Option<Duration>,
    /// Length of the annotated video.
    pub shown: Duration,
}

/// Writes the picture of `silent` with the sound of a part of `original` to `output`, which is overwritten.
pub fn add(silent: &Path, original: &Original<'_>, part: Part, output: &Path) -> Sound {
    try_add(silent, original, part, output).unwrap_or_else(|sound| sound)
}

fn try_add(silent: &Path, original: &Original<'_>, part: Part, output: &Path) -> Result<Sound, Sound> {
    let limit = PATIENCE + part.shown;
    let probe = |path: &Path| -> Result<Probed, Sound> {
        let probed = run("ffprobe", &probe_arguments(path), original.stop, limit)?;
        serde_json::from_slice(&probed).map_err(|error| Sound::Failed(error.to_string()))
    };
    let streams = probe(original.path)?;
    let codecs: Vec<&str> = streams.sounds().collect();
    if codecs.is_empty() {
        return Err(Sound::None);
    }
    let begin = part.first.as_secs_f64() + streams.picture_begins();
    let mux = |codecs: &[&str]| {
        let arguments = mux_arguments(silent, original.path, begin, part.length, codecs, output);
        run("ffmpeg", &arguments, original.stop, limit)
    };
    let is_copied = codecs.iter().all(|codec| IN_MP4.contains(codec));
    let sound = match mux(&codecs) {
        Ok(_) if is_copied => Sound::Copied,
        Ok(_) => Sound::Recoded,
        // Packets that can't be copied can often still be decoded.
        Err(Sound::Failed(_)) if is_copied => mux(&vec![""; codecs.len()]).map(|_| Sound::Recoded)?,
        Err(sound) => return Err(sound),
    };
    // ffmpeg leaves out a track that it found nothing of, without an error.
    if probe(output)?.sounds().next().is_some() { Ok(sound) } else { Err(Sound::NotFound) }
}

impl Sound {
    /// A warning about the result, if something went wrong.
    pub(super) fn complaint(&self) -> Option<String> {
        matches!(self, Self::Failed(_)).then(|| format!("the annotated video is {self}"))
    }
}

impl fmt::Display for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copied => f.write_str("with the sound of the original"),
            Self::Recoded => f.write_str("with the sound of the original, re-encoded as AAC"),
            Self::None => f.write_str("without sound: there is none"),
            Self::NotFound => f.write_str("without sound: none was found in this part of the original"),
            Self::NoProgram => f.write_str("without sound: this needs the program ffmpeg, which isn't installed"),
            Self::OutOfStep => f.write_str("without sound: it would be out of sync"),
            Self::Interrupted => f.write_str("without sound: interrupted"),
            Self::Failed(words) => write!(f, "without sound: ffmpeg failed: {words}"),
        }
    }
}

/// What ffprobe says about a file.
#[derive(Debug, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Deserialize)]
struct Stream {
    codec_type: Option<String>,
    #[serde(default)]
    codec_name: String,
    start_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Format {
    start_time: Option<String>,
}

impl Probed {
    fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Stream> {
        self.streams.iter().filter(move |stream| stream.codec_type.as_deref() == Some(kind))
    }

    /// The codecs of all sound tracks.
    fn sounds(&self) -> impl Iterator<Item = &str> {
        self.of_type("audio").map(|stream| stream.codec_name.as_str())
    }

    /// Seconds between the beginnings of the file and of the picture: media times count from the picture, ffmpeg's from the file.
    fn picture_begins(&self) -> f64 {
        let secs = |time: &Option<String>| time.as_ref().and_then(|time| time.parse::<f64>().ok());
        let picture = self.of_type("video").next().and_then(|stream| secs(&stream.start_time));
        picture.zip(secs(&self.format.start_time)).map_or(0.0, |(picture, file)| (picture - file).max(0.0))
    }
}

fn probe_arguments(path: &Path) -> Vec<OsString> {
    let mut arguments = words(["-v", "error", "-of", "json", "-show_entries"]);
    arguments.extend(words(["stream=codec_type,codec_name,start_time:format=start_time"]));
    arguments.extend(input(path));
    arguments
}

fn mux_arguments(
    silent: &Path,
    original: &Path,
    begin: f64,
    length: Option<Duration>,
    codecs: &[&str],
    output: &Path,
) -> Vec<OsString> {
    let mut arguments = words(["-nostdin", "-v", "error", "-y"]);
    arguments.extend(input(silent));
    if begin > 0.0 {
        arguments.extend(words(["-ss", &format!("{begin:.6}")]));
    }
    arguments.extend(input(original));
    arguments.extend(words(["-map", "0:v:0", "-map", "1:a", "-c:v", "copy"]));
    for (number, codec) in codecs.iter().enumerate() {
        let how = if IN_MP4.contains(codec) { "copy" } else { "aac" };
        arguments.extend(words([format!("-c:a:{number}"), how.to_owned()]));
    }
    if begin > 0.0 {
        // ffmpeg starts to read at a key frame of the picture. Drop the sound between there and `begin`.
        arguments.extend(words(["-copypriorss", "0"]));
    }
    if let Some(length) = length {
        arguments.extend(words(["-t", &format!("{:.6}", length.as_secs_f64())]));
    }
    arguments.extend(words(["-movflags", "+faststart", "-f", "mp4"]));
    arguments.push(file(output));
    arguments
}

fn words<const N: usize>(words: [impl AsRef<OsStr>; N]) -> Vec<OsString> {
    words.map(|word| word.as_ref().to_owned()).to_vec()
}

/// Arguments to read a file, but no other that it may refer to.
fn input(path: &Path) -> Vec<OsString> {
    let mut arguments = words(["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS, "-i"]);
    arguments.push(file(path));
    arguments
}

/// A path that ffmpeg can't take for an option or a URL, whatever it contains.
fn file(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    name
}

/// Runs a program to its end and returns its standard output.
fn run(program: &str, arguments: &[OsString], stop: &AtomicBool, limit: Duration) -> Result<Vec<u8>, Sound> {
    let failed = |reason: io::Error| Sound::Failed(reason.to_string());
    // Unlike pipes, files don't fill up while nobody reads.
    let (mut out, mut complaints) = (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(failed)?)
        .stderr(complaints.try_clone().map_err(failed)?)
        .spawn();
    let mut child = match started {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Sound::NoProgram),
        started => started.map_err(failed)?,
    };
    let status = wait(&mut child, stop, limit)?;
    if status.success() {
        return whole(&mut out).map_err(failed);
    }
    let words = whole(&mut complaints).map_err(failed)?;
    let words = String::from_utf8_lossy(&words);
    let last = words.lines().rev().find(|line| !line.trim().is_empty());
    Err(Sound::Failed(last.map_or_else(|| format!("{program} ended with {status}"), |line| line.trim().to_owned())))
}

/// Waits for the program, but not for ever.
fn wait(child: &mut Child, stop: &AtomicBool, limit: Duration) -> Result<ExitStatus, Sound> {
    let began = Instant::now();
    loop {
        let ended = child.try_wait().map_err(|reason| Sound::Failed(reason.to_string()))?;
        let given_up = if stop.load(Ordering::Relaxed) {
            Sound::Interrupted
        } else if let Some(status) = ended {
            return Ok(status);
        } else if began.elapsed() > limit {
            Sound::Failed(format!("it was not finished after {:.0} s", limit.as_secs_f64()))
        } else {
            thread::sleep(TICK);
            continue;
        };
        // It may have ended by itself meanwhile.
        child.kill().and_then(|()| child.wait()).ok();
        return Err(given_up);
    }
}

fn whole(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_begins_where_the_picture_does() {
        let probed: Probed = serde_json::from_str(
            r#"{"streams": [{"codec_type": "audio", "codec_name": "aac", "start_time": "1.400000"},
                {"codec_type": "video", "codec_name": "h264", "start_time": "1.480000"}, {"codec_type": "data"}],
                "format": {"start_time": "1.400000"}}"#,
        )
        .unwrap();
        assert_eq!(probed.sounds().collect::<Vec<_>>(), ["aac"]);
        assert!((probed.picture_begins() - 0.08).abs() < 1e-9);
    }

    #[test]
    fn what_mp4_cannot_hold_is_reencoded_and_names_are_no_options() {
        let arguments =
            mux_arguments(Path::new("/a"), Path::new("-y"), 0.0, None, &["aac", "pcm_s16le"], Path::new("/b"));
        let has = |pair: [&str; 2]| arguments.windows(2).any(|two| two == pair);
        assert!(has(["-c:a:0", "copy"]) && has(["-c:a:1", "aac"]), "{arguments:?}");
        assert!(!arguments.iter().skip(4).any(|argument| argument == "-y" || argument == "-ss"), "{arguments:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_is_missing_fails_or_hangs_is_told_apart() {
        let arguments = |script: &str| words(["-c", script]);
        let (go, stop) = (AtomicBool::new(false), AtomicBool::new(true));
        let long = Duration::from_secs(600);
        assert_eq!(run("no-such-program", &[], &go, long), Err(Sound::NoProgram));
        assert_eq!(run("sh", &arguments("echo yes"), &go, long), Ok(b"yes\n".to_vec()));
        let failed = run("sh", &arguments("echo first >&2; echo why >&2; exit 3"), &go, long);
        assert_eq!(failed, Err(Sound::Failed("why".to_owned())));
        assert_eq!(run("sh", &arguments("exec sleep 600"), &stop, long), Err(Sound::Interrupted));
        let hung = run("sh", &arguments("exec sleep 600"), &go, Duration::from_millis(50));
        assert!(matches!(&hung, Err(Sound::Failed(words)) if words.contains("not finished")), "{hung:?}");
    }
}
