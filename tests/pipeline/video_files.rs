//! Video files as users have them: intact, cut off, unusual, and not videos at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mien::source::{Excerpt, FrameSource, SourceError, SourceKind, Span, VideoSource};
use opencv::core::Size;
use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};
use predicates::str::contains;

use crate::support::ffmpeg::{ffmpeg, has_ffmpeg};
use crate::support::files::Files;
use crate::support::numbered::{number_in, numbered_picture};

impl Files {
    /// Writes a video whose frames show their number, which [`number_in`] reads back.
    fn video(&self, name: &str, codec: &[u8; 4], (width, height): (i32, i32), frames: u8) -> PathBuf {
        let path = self.path(name);
        let fourcc = i32::from_le_bytes(*codec);
        let mut writer = VideoWriter::new(&path, fourcc, 25.0, Size::new(width, height), true).unwrap();
        assert!(writer.is_opened().unwrap(), "OpenCV can't write {name}");
        for number in 0..frames {
            writer.write(&numbered_picture(number, width, height)).unwrap();
        }
        writer.release().unwrap();
        path
    }
}

fn open(path: &Path) -> VideoSource {
    VideoSource::open(path).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(path: &Path) -> SourceError {
    match VideoSource::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// Number, index and media time of every frame that is left.
fn rest(video: &mut VideoSource) -> Vec<(u8, u64, Duration)> {
    std::iter::from_fn(|| video.read().unwrap())
        .map(|frame| (number_in(&frame.image), frame.index, frame.media_time))
        .collect()
}

fn next_number(video: &mut VideoSource) -> Option<u8> {
    video.read().unwrap().map(|frame| number_in(&frame.image))
}

/// Media times of all frames.
fn times(video: &mut VideoSource) -> Vec<Duration> {
    std::iter::from_fn(|| video.read().unwrap()).map(|frame| frame.media_time).collect()
}

#[test]
fn a_picture_that_stands_still_while_sound_goes_on_is_not_the_end() {
    if !has_ffmpeg() {
        return;
    }
    let folder = Files::new();
    let path = folder.path("slide.mkv");
    let picture = "color=gray:size=64x48:rate=25:duration=60";
    let still = "select='lt(t,1)+gt(t,50)'";
    let inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=duration=60", "-vf", still];
    ffmpeg(&[&inputs[..], &["-fps_mode", "vfr", "-c:v", "mpeg4", "-c:a", "aac"]].concat(), &path);
    let mut video = open(&path);
    let times = times(&mut video);
    assert!(times.len() > 250 && times.last().unwrap().as_secs() == 59, "{} frames to {:?}", times.len(), times.last());
    assert!(video.shortfall().is_none());
}

#[test]
fn time_goes_on_in_a_file_that_was_joined_of_two() {
    if !has_ffmpeg() {
        return;
    }
    let folder = Files::new();
    let part = folder.path("part.ts");
    ffmpeg(&["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=4", "-c:v", "mpeg2video"], &part);
    let joined = folder.file("joined.ts", [fs::read(&part).unwrap(), fs::read(&part).unwrap()].concat());
    let times = times(&mut open(&joined));
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(times.len() > 180 && longest < Duration::from_millis(200), "{} frames, {longest:?}", times.len());
    let length = *times.last().unwrap() - times[0];
    assert!((7.4..8.2).contains(&length.as_secs_f64()), "{length:?}");
}

#[test]
fn every_frame_comes_in_order_with_its_number_and_time() {
    let folder = Files::new();
    for (name, codec) in [("a.mp4", b"mp4v"), ("a.avi", b"MJPG"), ("h264.mp4", b"avc1")] {
        let mut video = open(&folder.video(name, codec, (320, 240), 50));
        assert_eq!((video.info().width, video.info().height, video.info().fps), (320, 240, 25.0), "{name}");
        let expected: Vec<_> = (0..50).map(|n| (n, u64::from(n), Duration::from_millis(40) * u32::from(n))).collect();
        let frames = rest(&mut video);
        assert_eq!(frames, expected, "{name}");
        assert_eq!(video.shortfall(), None, "{name}");
        assert!(video.read().unwrap().is_none(), "{name}: the end stays the end");
    }
}

#[test]
fn a_seek_gives_the_frame_that_is_shown_at_that_time() {
    let folder = Files::new();
    for (name, codec) in [("a.mp4", b"mp4v"), ("a.avi", b"MJPG"), ("h264.mp4", b"avc1")] {
        let mut video = open(&folder.video(name, codec, (160, 120), 100));
        for (millis, number) in [(2000, 50), (2039, 50), (0, 0), (3960, 99), (40, 1), (90, 2), (1000, 25), (99_000, 99)]
        {
            video.seek(Duration::from_millis(millis)).unwrap();
            let frame = video.read().unwrap().unwrap();
            assert_eq!((number_in(&frame.image), frame.index), (number, u64::from(number)), "{name} at {millis} ms");
        }
    }
}

#[test]
fn a_video_can_be_played_again_after_its_end() {
    let folder = Files::new();
    for (name, codec) in [("a.mp4", b"mp4v"), ("a.avi", b"MJPG"), ("h264.mp4", b"avc1")] {
        let mut video = open(&folder.video(name, codec, (160, 120), 20));
        let first = rest(&mut video);
        video.seek(Duration::ZERO).unwrap();
        assert_eq!(rest(&mut video), first, "{name}");
    }
}

#[test]
fn a_video_of_one_frame_is_a_video() {
    let folder = Files::new();
    let mut video = open(&folder.video("one.avi", b"MJPG", (160, 120), 1));
    assert_eq!(rest(&mut video), [(0, 0, Duration::ZERO)]);
    video.seek(Duration::from_secs(5)).unwrap();
    assert_eq!(next_number(&mut video), Some(0));
}

#[test]
fn a_frame_of_eight_thousand_pixels_is_read() {
    let folder = Files::new();
    let mut video = open(&folder.video("8k.avi", b"MJPG", (7680, 4320), 1));
    assert_eq!((video.info().width, video.info().height), (7680, 4320));
    assert_eq!(next_number(&mut video), Some(0));
}

#[test]
fn a_portrait_video_is_upright() {
    let folder = Files::new();
    let mut video = open(&folder.video("upright.avi", b"MJPG", (120, 160), 3));
    assert_eq!((video.info().width, video.info().height), (120, 160));
    assert_eq!(rest(&mut video).len(), 3);
}

#[test]
fn a_video_that_says_it_lies_on_its_side_is_turned() {
    let folder = Files::new();
    let mut bytes = fs::read(folder.video("lying.mp4", b"mp4v", (160, 120), 3)).unwrap();
    // A phone writes the rotation into the matrix of the track header, 44 bytes after the header's name.
    let matrix = bytes.windows(4).position(|name| name == b"tkhd").unwrap() + 44;
    let quarter_turn: [u32; 9] = [0, 0x0001_0000, 0, 0xFFFF_0000, 0, 0, 0, 0, 0x4000_0000];
    for (place, value) in bytes[matrix..matrix + 36].chunks_mut(4).zip(quarter_turn) {
        place.copy_from_slice(&value.to_be_bytes());
    }
    let mut video = open(&folder.file("turned.mp4", &bytes));
    assert_eq!((video.info().width, video.info().height), (120, 160));
    let frame = video.read().unwrap().unwrap();
    assert_eq!((frame.width(), frame.height()), (120, 160));
}

#[test]
fn a_variable_frame_rate_keeps_the_real_times_also_after_a_seek() {
    if !has_ffmpeg() {
        return;
    }
    let folder = Files::new();
    let steady = folder.video("steady.avi", b"MJPG", (160, 120), 60);
    for name in ["variable.mp4", "variable.mkv"] {
        let variable = folder.path(name);
        // 20 frames 40 ms apart, 20 frames 200 ms apart, 20 frames 20 ms apart.
        let stamps = "setpts='if(lt(N,20),N*0.04,if(lt(N,40),0.8+(N-20)*0.2,4.8+(N-40)*0.02))/TB'";
        ffmpeg(
            &[
                "-r",
                "50",
                "-i",
                steady.to_str().unwrap(),
                "-vf",
                stamps,
                "-fps_mode",
                "vfr",
                "-video_track_timescale",
                "1000",
                "-c:v",
                "mpeg4",
            ],
            &variable,
        );
        let expected: Vec<_> = (0..60_u8)
            .map(|n| match u32::from(n) {
                k @ 0..20 => (n, k * 40),
                k @ 20..40 => (n, 800 + (k - 20) * 200),
                k => (n, 4800 + (k - 40) * 20),
            })
            .collect();
        let mut video = open(&variable);
        let frames = rest(&mut video);
        let seen: Vec<_> = frames.iter().map(|(number, _, time)| (*number, time.as_millis() as u32)).collect();
        assert_eq!(seen, expected, "{name}");
        assert_eq!(video.shortfall(), None, "{name}");

        // Three frames back: known from the index of an MP4, else only of what was read.
        for (video, is_known) in [(&mut open(&variable), name == "variable.mp4"), (&mut video, true)] {
            for (number, millis) in [59, 45, 41, 25, 3].map(|place: usize| expected[place]) {
                let before = video.time_before(Duration::from_millis(millis.into()), 3);
                assert_eq!(before.is_some(), is_known, "{name} before frame {number}");
                if let Some(before) = before {
                    video.seek(before).unwrap();
                    assert_eq!(next_number(video), Some(number - 3), "{name} before frame {number}");
                }
            }
        }

        // First in a file that wasn't read yet, then in this one, whose frame numbers are known.
        let mut fresh = open(&variable);
        for (millis, number) in [(4900, 45), (850, 20), (1000, 21), (3999, 35), (5100, 55), (0, 0), (400, 10)] {
            for (video, is_known) in [(&mut fresh, false), (&mut video, true)] {
                video.seek(Duration::from_millis(millis)).unwrap();
                let frame = video.read().unwrap().unwrap();
                assert_eq!(number_in(&frame.image), number, "{name} at {millis} ms");
                assert_eq!(
                    frame.media_time.as_millis() as u32,
                    expected[usize::from(number)].1,
                    "{name} at {millis} ms"
                );
                if is_known {
                    assert_eq!(frame.index, u64::from(number), "{name} at {millis} ms");
                }
            }
        }
    }
}

#[test]
fn the_first_and_the_last_frames_have_their_times_although_b_frames_are_reordered() {
    if !has_ffmpeg() {
        return;
    }
    let folder = Files::new();
    let inputs = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=8"];
    let late = folder.path("late.mp4");
    let pause = ["-vf", "select='lt(t,3)+eq(n,175)'", "-fps_mode", "vfr", "-c:v", "libx264", "-bf", "3"];
    ffmpeg(&[&inputs[..], &pause].concat(), &late);
    let mut video = open(&late);
    let times = times(&mut video);
    assert_eq!((times.len(), *times.last().unwrap(), video.shortfall()), (76, Duration::from_secs(7), None));
    let avi = folder.path("b-frames.avi");
    ffmpeg(&[&inputs[..], &["-c:v", "mpeg4", "-bf", "2"]].concat(), &avi);
    let mut video = open(&avi);
    let first = video.read().unwrap().unwrap();
    assert_eq!((first.index, first.media_time), (0, Duration::ZERO));
    video.seek(Duration::from_millis(4020)).unwrap();
    let frame = video.read().unwrap().unwrap();
    assert_eq!((frame.index, frame.media_time.as_millis()), (100, 4000));
}

#[test]
fn a_cut_video_ends_early_and_says_by_how_much() {
    let folder = Files::new();
    let whole = fs::read(folder.video("whole.avi", b"MJPG", (320, 240), 100)).unwrap();
    let mut video = open(&folder.file("cut.avi", &whole[..whole.len() / 2]));
    let frames = rest(&mut video);
    assert!((30..70).contains(&frames.len()), "{}", frames.len());
    let shortfall = video.shortfall().expect("half of the file is missing");
    assert_eq!((shortfall.lost, shortfall.declared), (100 - frames.len() as u64, 100));
    assert_eq!(shortfall.first, Duration::from_millis(40) * u32::try_from(frames.len()).unwrap());
}

#[test]
fn frames_after_a_damaged_part_keep_their_numbers_and_the_others_are_counted() {
    let folder = Files::new();
    for (name, codec) in [("mpeg4.mp4", b"mp4v"), ("h264.mp4", b"avc1")] {
        let mut bytes = fs::read(folder.video(name, codec, (320, 240), 250)).unwrap();
        let media = bytes.windows(4).position(|name| name == b"mdat").unwrap() + 4;
        let length = bytes.windows(4).position(|name| name == b"moov").unwrap() - media;
        // Longer than a pause without pictures in an intact file.
        bytes[media + length * 3 / 10..media + length * 7 / 10].fill(0);
        let path = folder.file(name, &bytes);
        let mut video = open(&path);
        let frames = rest(&mut video);
        let step = Duration::from_millis(40);
        assert!(frames.iter().all(|(_, index, time)| *time == step * *index as u32), "{name}: {frames:?}");
        assert_eq!(frames.last().map(|(number, index, _)| (*number, *index)), Some((249, 249)), "{name}");
        let shortfall = video.shortfall().expect("two fifths of the file are missing");
        let missing = 250 - frames.len() as u64;
        assert!(shortfall.declared == 250 && missing > 64, "{name}: {missing}, {shortfall}");
        assert!(missing.abs_diff(shortfall.lost) < 5, "{name}: {missing}, {shortfall}");
        assert!((40..110).contains(&(shortfall.first.as_millis() / 40)), "{name}: {shortfall}");

        // Up to there, nothing is missing.
        let span = Span { to: Some(Duration::from_millis(400)), ..Span::default() };
        let mut excerpt = Excerpt::new(Box::new(open(&path)), span).unwrap();
        while excerpt.read().unwrap().is_some() {}
        assert_eq!(excerpt.shortfall(), None, "{name}");
    }
}

#[test]
fn an_excerpt_made_without_re_encoding_is_not_called_truncated() {
    if !has_ffmpeg() {
        return;
    }
    let folder = Files::new();
    let whole = folder.path("whole.mp4");
    let picture = "testsrc=size=64x48:rate=25:duration=8";
    ffmpeg(&["-f", "lavfi", "-i", picture, "-c:v", "mpeg4", "-g", "100", "-bf", "2"], &whole);
    for name in ["excerpt.mp4", "excerpt.mov"] {
        let path = folder.path(name);
        ffmpeg(&["-ss", "3", "-i", whole.to_str().unwrap(), "-t", "4", "-c", "copy"], &path);
        let mut video = open(&path);
        let SourceKind::File { duration, frames } = video.info().kind else { panic!("{name} is a file") };
        let times = times(&mut video);
        // The excerpt holds the frames from the key frame at 0 s on, but its edit list hides those before 3 s.
        assert!((98..=102).contains(&times.len()), "{name} shows {} frames", times.len());
        assert!(frames.unwrap().abs_diff(times.len() as u64) <= 2, "{name} declares {frames:?} frames");
        assert!((3.9..4.2).contains(&duration.unwrap().as_secs_f64()), "{name} takes {duration:?}");
        assert_eq!(video.shortfall(), None, "{name}");
    }
    let whole = fs::read(&whole).unwrap();
    let index = whole.windows(4).position(|name| name == b"moov").unwrap() - 4;
    let media = whole.windows(4).position(|name| name == b"mdat").unwrap() - 4;
    assert!(media < index, "ffmpeg writes the index last");
    assert!(matches!(refusal(&folder.file("no-index.mp4", &whole[..index])), SourceError::Damaged { .. }));
}

#[test]
fn sound_that_outlasts_the_picture_does_not_make_a_matroska_file_truncated() {
    if !has_ffmpeg() {
        return;
    }
    let folder = Files::new();
    let path = folder.path("long-sound.mkv");
    let inputs =
        ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=4", "-f", "lavfi", "-i", "sine=duration=20"];
    ffmpeg(&[&inputs[..], &["-c:v", "mpeg4", "-c:a", "aac"]].concat(), &path);
    let mut video = open(&path);
    assert_eq!((times(&mut video).len(), video.shortfall()), (100, None));
    let whole = fs::read(&path).unwrap();
    let (begin, rest) = whole.split_at(whole.len() / 4);
    let zeros = [begin, &vec![0; rest.len()]].concat();
    for (name, bytes) in [("cut.mkv", begin), ("filled-up.mkv", &zeros)] {
        let mut video = open(&folder.file(name, bytes));
        let frames = times(&mut video).len();
        assert!(frames < 100 && video.shortfall().is_some(), "{name} has {frames} frames");
    }
}

#[test]
fn a_video_cut_before_its_index_is_called_cut_or_damaged() {
    let folder = Files::new();
    let whole = fs::read(folder.video("whole.mp4", b"mp4v", (320, 240), 50)).unwrap();
    let path = folder.file("cut.mp4", &whole[..whole.len() / 2]);
    let error = refusal(&path);
    assert!(matches!(error, SourceError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("an MP4 video"), "{error}");
}

#[test]
fn what_is_no_video_is_named_for_what_it_is() {
    let folder = Files::new();
    let text = b"It was a bright cold day in April, and the clocks were striking thirteen.\n".repeat(50);
    let cases = [
        (folder.path("nowhere.mp4"), "does not exist"),
        (folder.file("x", b"file").join("below-a-file.mp4"), "does not exist"),
        (folder.folder().to_owned(), "is a folder"),
        (folder.file("empty.mp4", b""), "is empty"),
        (folder.file("text.mp4", &text), "is text or unknown data, not a video"),
        // FFmpeg would play this one as terminal art.
        (folder.file("text.txt", &text), "is text or unknown data, not a video"),
        (folder.file("sound.wav", wav(8000)), "is a WAV recording: it has sound but no picture"),
        (folder.file("sound.mp4", wav(8000)), "is a WAV recording: it has sound but no picture"),
    ];
    for (path, words) in cases {
        let message = refusal(&path).to_string();
        assert!(message.contains(words), "{}: {message}", path.display());
    }
}

/// Playlists that refer to a video, each with what the error calls it.
fn lists(video: &Path) -> [(String, &'static str); 3] {
    let video = video.display();
    [
        (format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n"), "is an M3U playlist"),
        (format!("ffconcat version 1.0\nfile '{video}'\n"), "is a list of files to join"),
        (format!("[playlist]\nFile1={video}\n"), "is a PLS playlist"),
    ]
}

#[test]
fn a_playlist_is_refused_whatever_it_is_called() {
    let folder = Files::new();
    let video = folder.video("video.avi", b"MJPG", (64, 64), 3);
    for (list, words) in lists(&video) {
        for name in ["list.m3u8", "list.mp4", "list.ffconcat", "list.txt"] {
            let message = refusal(&folder.file(name, list.as_bytes())).to_string();
            assert!(message.contains(words) && message.contains("give the video itself"), "{name}: {message}");
        }
    }
    open(&video);
}

#[test]
fn no_file_but_the_one_that_was_named_is_opened() {
    if !has_ffmpeg() {
        return;
    }
    let folder = Files::new();
    let video = folder.video("video.avi", b"MJPG", (64, 64), 25);
    let manifest = folder.path("manifest.mpd");
    ffmpeg(&["-i", video.to_str().unwrap(), "-c:v", "mpeg4", "-f", "dash"], &manifest);
    let manifest = fs::read_to_string(manifest).unwrap();
    // What the file is appears only after the part that is checked before FFmpeg gets it.
    let hidden = manifest.replacen("<MPD", &format!("<!--{}-->\n<MPD", " ".repeat(9000)), 1);
    let path = folder.file("hidden.mp4", hidden.as_bytes());
    let mut mien = assert_cmd::Command::cargo_bin("mien").unwrap();
    mien.current_dir(folder.folder()).arg("analyze").arg(path).assert().failure().stdout(contains("not a video"));
}

#[test]
fn a_still_picture_is_no_video() {
    let folder = Files::new();
    let path = folder.path("photo.jpg");
    let parameters = opencv::core::Vector::new();
    opencv::imgcodecs::imwrite(&path, &numbered_picture(9, 64, 64), &parameters).unwrap();
    let message = refusal(&path).to_string();
    assert!(message.contains("is a JPG picture, not a video") && message.contains("“mien analyze”"), "{message}");
    let text = refusal(&folder.file("text.mp4", b"It was a bright cold day in April.\n")).to_string();
    assert!(text.contains("not a video") && !text.contains("analyze"), "{text}");
}

#[test]
fn a_video_without_a_frame_is_refused() {
    let folder = Files::new();
    let message = refusal(&folder.video("none.avi", b"MJPG", (160, 120), 0)).to_string();
    assert!(message.contains("none.avi"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_says_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Files::new();
    let path = folder.file("secret.mp4", b"x");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read every file");
        return;
    }
    let message = refusal(&path).to_string();
    assert!(message.contains("check its permissions"), "{message}");
}

#[test]
fn odd_file_names_are_only_names() {
    let folder = Files::new();
    let plain = folder.video("plain.avi", b"MJPG", (160, 120), 2);
    for name in ["12:30 Grüße.avi", "100%d.avi", "-i.avi", "file:x.avi"] {
        let path = folder.path(name);
        fs::copy(&plain, &path).unwrap();
        assert_eq!(rest(&mut open(&path)).len(), 2, "{name}");
        assert_eq!(open(&path).info().name, name);
    }
}

#[test]
fn the_length_is_told_before_the_first_frame() {
    let folder = Files::new();
    let video = open(&folder.video("a.mp4", b"mp4v", (160, 120), 50));
    let expected = SourceKind::File { duration: Some(Duration::from_secs(2)), frames: Some(50) };
    assert_eq!(video.info().kind, expected);
}

/// A recording of silence: 16-bit, one channel, 8 kHz.
fn wav(samples: u32) -> Vec<u8> {
    let data = samples * 2;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    for (value, length) in [(16_u32, 4), (1, 2), (1, 2), (8000, 4), (16_000, 4), (2, 2), (16, 2)] {
        bytes.extend(&value.to_le_bytes()[..length]);
    }
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    bytes.resize(bytes.len() + data as usize, 0);
    bytes
}
