//! Annotated copies, summaries and reports of a batch.
#![cfg(feature = "vision")]

use std::fs;
use std::path::Path;
use std::process::Command;

use mien::source::{FrameSource as _, VideoSource};
use opencv::core::{Mat, MatTraitConst as _, MatTraitConstManual as _, Rect, Vector};
use opencv::imgcodecs;
use predicates::prelude::*;
use predicates::str::contains;

use crate::support::drawn_face::picture_with_face;
#[cfg(unix)]
use crate::support::ffmpeg::stand_ins;
use crate::support::ffmpeg::{ffmpeg, has_ffmpeg};
use crate::support::numbered::{number_in, numbered_picture};
use crate::support::program::{HEIGHT, WIDTH, mien, video_with_face, video_without_face, write_video};

fn analyze(home: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    mien().current_dir(home).arg("analyze").args(arguments).assert()
}

/// Number and time in seconds of each frame of a numbered video.
fn frames(video: &Path) -> Vec<(u8, f64)> {
    let mut source = VideoSource::open(video).unwrap();
    std::iter::from_fn(|| source.read().unwrap())
        .map(|frame| (number_in(&frame.image), frame.media_time.as_secs_f64()))
        .collect()
}

/// Time between two frames in seconds, as the video declares it.
fn interval(video: &Path) -> f64 {
    1.0 / VideoSource::open(video).unwrap().info().fps
}

/// Checks that each frame of a copy shows the newest frame of the original at a moment at most one interval away. Returns the copy's
/// frames.
fn assert_in_time(original: &[(u8, f64)], copy: &Path) -> Vec<(u8, f64)> {
    let shown = frames(copy);
    for (number, time) in &shown {
        let newest = |at: f64| original.iter().rfind(|(_, begin)| *begin <= at).map(|(number, _)| number);
        let near =
            (-20..=20).map(|part| time + f64::from(part) / 20.0 * interval(copy)).any(|at| newest(at) == Some(number));
        assert!(near, "{number} at {time} of {shown:?}, by {original:?}");
    }
    shown
}

/// Times at which silence ends, in seconds.
fn beeps(video: &Path) -> Vec<f64> {
    let find = ["-vn", "-af", "silencedetect=n=-30dB:d=0.2", "-f", "null", "-"];
    let output = Command::new("ffmpeg").arg("-i").arg(video).args(find).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    // The last silence lasts to the end of the file.
    let mut ends: Vec<f64> = words
        .split("silence_end: ")
        .skip(1)
        .map(|rest| rest.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    ends.pop();
    ends
}

/// Writes a video of four seconds at 25 frames a second that lacks frames in the middle and beeps at 1, 2 and 3 s.
fn uneven_video_with_beeps(home: &Path, name: &str, sound: &str) {
    let even = home.join("even.mp4");
    write_video(&even, 100, |number| numbered_picture(number as u8, WIDTH, HEIGHT));
    let beeps = "aevalsrc=sin(440*2*PI*t)*lt(mod(t\\,1)\\,0.2)*gte(t\\,1):d=4";
    let left_out = "select=lt(n\\,30)+gt(n\\,60)+not(mod(n\\,7))";
    let input = ["-i", even.to_str().unwrap(), "-f", "lavfi", "-i", beeps, "-map", "0:v", "-map", "1:a"];
    let coding = ["-vf", left_out, "-fps_mode", "vfr", "-c:v", "libx264", "-c:a", sound];
    ffmpeg(&[&input[..], &coding[..]].concat(), &home.join(name));
    fs::remove_file(even).unwrap();
}

#[test]
fn an_annotated_video_shows_each_frame_at_its_time_and_keeps_the_sound_in_step() {
    if !has_ffmpeg() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // One audio codec that MP4 supports, and one that it doesn't.
    for (name, sound, said) in
        [("a.mp4", "aac", "with the sound of the original\n"), ("b.mkv", "pcm_s16le", "re-encoded as AAC")]
    {
        uneven_video_with_beeps(home, name, sound);
        analyze(home, &[name, "--video"]).success().stderr(contains(said).and(contains("annotated video in ")));
        let copy = home.join(format!("mien-results/{name}.annotated.mp4"));
        let original = frames(&home.join(name));
        assert!((60..90).contains(&original.len()), "{} frames", original.len());
        let shown = assert_in_time(&original, &copy);
        let length = shown.last().unwrap().1;
        assert!((length - original.last().unwrap().1).abs() < interval(&copy), "{length} s");
        let (heard, wanted) = (beeps(&copy), beeps(&home.join(name)));
        assert_eq!((heard.len(), wanted.len()), (3, 3), "{heard:?} {wanted:?}");
        assert!(heard.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 0.03), "{heard:?} {wanted:?}");
    }
}

#[test]
fn a_leap_of_thirty_days_is_shortened_and_said() {
    if !has_ffmpeg() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let even = home.join("even.mp4");
    write_video(&even, 20, |number| numbered_picture(number as u8, WIDTH, HEIGHT));
    let leap = ["-vf", "setpts=PTS+gte(N\\,10)*2592000/TB", "-fps_mode", "vfr", "-c:v", "mjpeg"];
    ffmpeg(&[&["-i", even.to_str().unwrap()], &leap[..]].concat(), &home.join("leap.mkv"));
    let said = "shortens them by 719:59:00 in all";
    analyze(home, &["leap.mkv", "--video"]).failure().stdout(contains(said));
    let shown = frames(&home.join("mien-results/leap.mkv.annotated.mp4"));
    // Ten frames, the last of which is held for a minute at 25 frames a second, and the other ten at their pace.
    assert_eq!(shown.len(), 10 + 60 * 25 + 9, "{shown:?}");
    assert_eq!(
        shown.iter().rev().take(10).map(|(number, _)| *number).collect::<Vec<_>>(),
        (10..20).rev().collect::<Vec<_>>()
    );
}

#[test]
fn a_part_of_a_video_has_the_sound_of_that_part() {
    if !has_ffmpeg() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    uneven_video_with_beeps(home, "a.mp4", "aac");
    analyze(home, &["a.mp4", "--video", "--from", "0.6", "--to", "2.7", "--skip", "1"]).success();
    let copy = home.join("mien-results/a.mp4.annotated.mp4");
    // It begins with the frame at 0.6 s and contains every second frame.
    let original = frames(&home.join("a.mp4"));
    let analysed: Vec<_> = original
        .into_iter()
        .filter(|(_, time)| (0.6..2.7).contains(time))
        .step_by(2)
        .map(|(n, t)| (n, t - 0.6))
        .collect();
    let shown = assert_in_time(&analysed, &copy);
    assert_eq!((analysed[0].0, shown[0]), (15, (15, 0.0)));
    let heard = beeps(&copy);
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!((heard[0] - 0.4).abs() < 0.03 && (heard[1] - 1.4).abs() < 0.03, "{heard:?}");
}

#[test]
fn a_part_after_the_end_of_the_sound_is_silent_and_that_is_said() {
    if !has_ffmpeg() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let silent = home.join("silent.mp4");
    write_video(&silent, 50, |number| numbered_picture(number as u8, WIDTH, HEIGHT));
    let sound = ["-f", "lavfi", "-i", "sine=d=0.5", "-c:v", "copy", "-c:a", "aac"];
    ffmpeg(&[&["-i", silent.to_str().unwrap()], &sound[..]].concat(), &home.join("a.mp4"));
    let from = |time: &str, output: &str| analyze(home, &["a.mp4", "--video", "--from", time, "--output", output]);
    from("0", "whole").success().stderr(contains("with the sound of the original"));
    from("1.2", "later").success().stderr(contains("without sound: none was found in this part of the original"));
}

#[test]
fn without_ffmpeg_or_sound_the_copy_is_silent_and_that_is_said() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 25);
    let mut command = mien();
    command.current_dir(home).args(["analyze", "clip.mp4", "--video"]).env("PATH", "/no/such/folder");
    command.assert().success().stderr(contains("without sound: this needs the program ffmpeg"));
    let mut copy = VideoSource::open(&home.join("mien-results/clip.mp4.annotated.mp4")).unwrap();
    assert_eq!(std::iter::from_fn(|| copy.read().unwrap()).count(), 25);
    let record = fs::read_to_string(home.join("mien-results/clip.mp4.mien.json")).unwrap();
    assert!(record.contains("without sound") && record.contains("annotated.mp4"), "{record}");

    if has_ffmpeg() {
        analyze(home, &["clip.mp4", "--video", "--output", "with"]).success().stderr(contains("there is none"));
    }
}

#[cfg(unix)]
#[test]
fn an_ffmpeg_that_fails_costs_the_sound_alone() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 10);
    // The second succeeds without writing a video.
    for (number, script) in ["echo 'it is broken' >&2; exit 3", "exit 0"].into_iter().enumerate() {
        let folder = home.join(format!("programs-{number}"));
        stand_ins(&folder, script);
        let output = format!("out-{number}");
        let mut command = mien();
        command.current_dir(home).args(["analyze", "clip.mp4", "--video", "--output", &output]).env("PATH", folder);
        let why = if number == 0 { "it is broken" } else { "lacks frames" };
        command.assert().code(3).stdout(contains("without sound: ffmpeg failed").and(contains(why)));
        assert_eq!(frames(&home.join(&output).join("clip.mp4.annotated.mp4")).len(), 10);
        // The problem is reported until ffmpeg works and the file is analysed again.
        if has_ffmpeg() {
            let again = ["clip.mp4", "--video", "--output", &output];
            analyze(home, &again).code(3);
            analyze(home, &[&again[..], &["--force"]].concat()).success();
            analyze(home, &again).success().stdout(contains("1 done before"));
        }
    }
}

const FACE: Rect = Rect { x: 100, y: 70, width: 110, height: 110 };

fn write_picture(path: &Path, has_face: bool) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let face = if has_face { FACE } else { Rect::new(10, 10, 8, 8) };
    assert!(imgcodecs::imwrite(path, &picture_with_face(320, 240, face), &Vector::new()).unwrap());
}

#[test]
fn pictures_with_a_face_have_annotated_copies_and_a_report_together() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (name, has_face) in [("in/a.png", true), ("in/deep/a.png", true), ("in/b.bmp", true), ("in/wall.jpg", false)] {
        write_picture(&home.join(name), has_face);
    }
    write_picture(&home.join("in/c.jpg"), true);
    analyze(home, &["in", "--output", "plain"]).success();
    analyze(home, &["in", "--output", "out", "--video", "--summary"]).success();
    let out = home.join("out");
    assert_eq!(fs::read(home.join("plain/pictures.csv")).unwrap(), fs::read(out.join("pictures.csv")).unwrap());
    for (name, magic) in [
        ("in/a.png.annotated.png", &b"\x89PNG"[..]),
        ("in/deep/a.png.annotated.png", b"\x89PNG"),
        ("in/b.bmp.annotated.png", b"\x89PNG"),
        ("in/c.jpg.annotated.jpg", b"\xff\xd8\xff"),
    ] {
        let bytes = fs::read(out.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(bytes.starts_with(magic), "{name}");
        let copy = imgcodecs::imread(out.join(name), imgcodecs::IMREAD_COLOR).unwrap();
        assert_eq!((copy.cols(), copy.rows()), (320, 240));
        assert!(differs(&copy, &picture_with_face(320, 240, FACE)), "nothing is drawn in {name}");
    }
    assert!(!out.join("in/wall.jpg.annotated.jpg").exists());
    let page = fs::read_to_string(out.join("pictures.html")).unwrap();
    assert!(page.contains("4 faces in 4 of 5 pictures") && page.contains("in/deep/a.png"), "{page}");
    let rows: Vec<_> = csv::Reader::from_path(out.join("pictures.summary.csv")).unwrap().into_records().collect();
    let faces: u64 = rows.iter().map(|row| row.as_ref().unwrap()[3].parse::<u64>().unwrap()).sum();
    assert_eq!((rows.len(), faces), (7, 4));

    // Existing results are skipped, and annotated copies are no inputs.
    analyze(home, &["in", "--output", "out", "--video", "--summary"]).success().stdout(contains("1 done before"));
    analyze(home, &["in", "out", "--output", "again"]).success().stdout(contains("5 frames"));
}

/// Whether two pictures differ by more than JPEG's artefacts.
fn differs(a: &Mat, b: &Mat) -> bool {
    let [a, b] = [a, b].map(|picture| picture.data_bytes().unwrap());
    a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > 60).count() > 500
}

#[test]
fn a_summary_adds_the_table_up_and_the_index_knows_every_run() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("talk & more.mp4"), 50);
    video_without_face(&home.join("wall.mp4"), 10);
    analyze(home, &["talk & more.mp4", "--summary"]).success();
    analyze(home, &["wall.mp4", "--summary"]).success();
    let results = home.join("mien-results");

    let rows = |name: &str| -> Vec<csv::StringRecord> {
        csv::Reader::from_path(results.join(name)).unwrap().records().map(Result::unwrap).collect()
    };
    let (table, summary) = (rows("talk & more.mp4.csv"), rows("talk & more.mp4.summary.csv"));
    assert_eq!(summary.len(), 7);
    for row in &summary {
        assert_eq!((&row[0], &row[1]), ("talk & more.mp4", "1"));
        let labelled = table.iter().filter(|face| face[9] == row[2]).count();
        assert_eq!(row[3].parse::<usize>().unwrap(), labelled, "{row:?}");
        assert!((row[4].parse::<f64>().unwrap() - labelled as f64 / 25.0).abs() < 0.002, "{row:?}");
        let column = 18 + mien::emotion::Emotion::ALL.iter().position(|it| it.key() == &row[2]).unwrap();
        let mean = table.iter().map(|face| face[column].parse::<f64>().unwrap()).sum::<f64>() / table.len() as f64;
        assert!((row[6].parse::<f64>().unwrap() - mean).abs() < 0.001, "{row:?}, {mean}");
    }
    // Rate, length, and how many of the frames have a face.
    let with_face = table.iter().map(|row| &row[1]).collect::<std::collections::BTreeSet<_>>().len().to_string();
    assert_eq!(summary[0].iter().skip(18).collect::<Vec<_>>(), ["25.000", "2.000", "50", &with_face]);
    let unsure = table.iter().filter(|face| &face[10] == "unsure").count();
    assert_eq!(summary.iter().map(|row| row[16].parse::<usize>().unwrap()).sum::<usize>(), unsure);
    let wall = rows("wall.mp4.summary.csv");
    assert_eq!((wall.len(), &wall[0][0], &wall[0][1], &wall[0][20], &wall[0][21]), (7, "wall.mp4", "", "10", "0"));

    let page = fs::read_to_string(results.join("talk & more.mp4.html")).unwrap();
    for wanted in ["not feelings", "uniform", "data:image/jpeg;base64", "Versions", "<h2 id=\"face-1\">"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    let index = || fs::read_to_string(results.join("index.html")).unwrap();
    let links = ["talk%20%26%20more.mp4.html", "wall.mp4.html"];
    assert!(links.iter().all(|link| index().contains(&format!("href=\"{link}\""))), "{}", index());

    // A run over one of the files keeps the others in the index.
    analyze(home, &["wall.mp4", "--summary"]).success().stdout(contains("1 done before"));
    assert!(links.iter().all(|link| index().contains(link)), "{}", index());
    // More outputs are added to the existing ones.
    analyze(home, &["wall.mp4", "--summary", "--video"]).success().stdout(contains("1 analysed, 0 done before"));
    assert!(index().contains("wall.mp4.annotated.mp4"), "{}", index());

    fs::write(results.join("index.html"), "mine").unwrap();
    let refused = analyze(home, &["wall.mp4", "--summary", "--video"]).code(1);
    refused.stdout(contains("index.html is not Mien's")).stderr(contains("all inputs are analysed"));
    assert_eq!(index(), "mine");
}

#[test]
fn somebody_who_comes_back_under_the_same_number_is_one_face_in_the_summary_too() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // Away for three seconds at 25 frames a second.
    write_video(&home.join("clip.mp4"), 200, |number| {
        let side = if (60..135).contains(&number) { 8 } else { 110 };
        picture_with_face(WIDTH, HEIGHT, Rect::new(100, 70, side, side))
    });
    analyze(home, &["clip.mp4", "--summary"]).success();
    let faces = |name: &str, column: usize| -> Vec<String> {
        let rows = csv::Reader::from_path(home.join("mien-results").join(name)).unwrap().into_records();
        let mut faces: Vec<_> = rows.map(|row| row.unwrap()[column].to_owned()).collect();
        faces.dedup();
        faces
    };
    let table = faces("clip.mp4.csv", 3);
    assert_eq!(table, ["1"], "the tracker gives the number back");
    assert_eq!(faces("clip.mp4.summary.csv", 1), table);
    let rows = csv::Reader::from_path(home.join("mien-results/clip.mp4.summary.csv")).unwrap().into_records().count();
    assert_eq!(rows, 7);
}
