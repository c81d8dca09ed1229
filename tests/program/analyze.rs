//! Analysing many files into tables.
#![cfg(feature = "vision")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use opencv::core::{Mat, Rect, Size, Vector};
use opencv::{imgcodecs, imgproc};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use predicates::prelude::*;
use predicates::str::contains;

use crate::support::drawn_face::picture_with_face;
use crate::support::program::{assert_refused, binary, mien, video_with_face, video_without_face, write_video};

fn analyze(home: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    mien().current_dir(home).arg("analyze").args(arguments).assert()
}

/// File, frame and time of each row.
fn rows(table: &Path) -> Vec<(String, u64, f64)> {
    let mut reader = csv::Reader::from_path(table).unwrap();
    let header = reader.headers().unwrap().clone();
    assert_eq!(header.iter().take(4).collect::<Vec<_>>(), ["file", "frame", "time_s", "face"]);
    let row = |row: csv::StringRecord| (row[0].to_owned(), row[1].parse().unwrap(), row[2].parse().unwrap());
    reader.records().map(Result::unwrap).map(row).collect()
}

/// The files below a folder except records.
fn tables(folder: &Path) -> Vec<String> {
    files(folder).into_iter().filter(|name| !name.ends_with(".mien.json")).collect()
}

/// Adds a dangling link and an unreadable folder. Returns their names, without the folder if this user can read it anyway (root).
#[cfg(unix)]
fn add_unreadable(folder: &Path) -> Vec<&'static str> {
    std::os::unix::fs::symlink("nowhere", folder.join("gone.mp4")).unwrap();
    let closed = folder.join("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(&closed, 0o000);
    if fs::read_dir(closed).is_ok() { vec!["gone.mp4"] } else { vec!["gone.mp4", "closed"] }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn add_unreadable(_: &Path) -> Vec<&'static str> {
    vec![]
}

/// All files below a folder except hidden ones.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file() && !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn write_picture(path: &Path) {
    let picture = picture_with_face(320, 240, Rect::new(100, 70, 110, 110));
    assert!(imgcodecs::imwrite(path, &picture, &Vector::new()).unwrap());
}

#[test]
fn a_video_of_one_or_two_frames_has_its_face_in_the_table() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (name, frames) in [("one.avi", 1), ("two.avi", 2)] {
        video_with_face(&home.join(name), frames);
    }
    analyze(home, &["one.avi", "two.avi", "--output", "out"]).success();
    // In the second video, only the second frame confirms the face.
    for (name, frame) in [("one", 0), ("two", 1)] {
        let frames: Vec<_> =
            rows(&home.join(format!("out/{name}.avi.csv"))).iter().map(|(_, frame, _)| *frame).collect();
        assert_eq!(frames, [frame], "{name}");
    }
}

#[test]
fn broken_files_among_good_ones_are_listed_and_stop_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for folder in ["in/a", "in/b"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    video_with_face(&home.join("in/a/clip.mp4"), 20);
    video_with_face(&home.join("in/b/clip.mp4"), 12);
    video_without_face(&home.join("in/b/empty-room.mp4"), 10);
    write_picture(&home.join("in/face.png"));
    let whole = fs::read(home.join("in/a/clip.mp4")).unwrap();
    let broken = [
        ("zero.mp4", vec![]),
        ("text.mp4", b"this is no video".to_vec()),
        ("half.mp4", whole[..whole.len() / 2].to_vec()),
        ("head.mov", whole[..64].to_vec()),
        ("noise.avi", (0..4000_u32).map(|i| ((i * 7919) >> 3) as u8).collect()),
        ("sound.mkv", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0".to_vec()),
        ("picture.mp4", fs::read(home.join("in/face.png")).unwrap()),
        ("cut.png", fs::read(home.join("in/face.png")).unwrap()[..100].to_vec()),
        ("text.jpg", b"no picture".to_vec()),
        ("zero.webp", vec![]),
        ("wrong.avi", b"%PDF-1.7 this is a document".to_vec()),
    ];
    for (name, bytes) in &broken {
        fs::write(home.join("in").join(name), bytes).unwrap();
    }
    write_video(&home.join("in/no-frames.mp4"), 0, |_| unreachable!("no frame is asked for"));
    let others = ["no-frames.mp4"].into_iter().chain(add_unreadable(&home.join("in")));
    let broken: Vec<_> = broken.iter().map(|(name, _)| *name).chain(others).collect();
    let all_named = broken.iter().fold(contains("4 analysed").boxed(), |all, name| {
        // With a reason after the name.
        all.and(predicate::str::is_match(format!("{}.{{20}}", name.replace('.', "[.]"))).unwrap()).boxed()
    });
    let count = format!("{} of the inputs", broken.len());
    analyze(home, &["in"]).failure().code(3).stdout(all_named).stderr(contains(count));
    // So that the test's folder can be removed.
    #[cfg(unix)]
    set_mode(&home.join("in/closed"), 0o700);

    let results = home.join("mien-results");
    assert_eq!(tables(&results), ["in/a/clip.mp4.csv", "in/b/clip.mp4.csv", "in/b/empty-room.mp4.csv", "pictures.csv"]);
    assert!(rows(&results.join("in/a/clip.mp4.csv")).len() >= 16);
    assert!(rows(&results.join("in/b/empty-room.mp4.csv")).is_empty());
    let pictures = rows(&results.join("pictures.csv"));
    assert_eq!(pictures, [("in/face.png".to_owned(), 0, 0.0)]);
}

#[test]
fn a_second_run_passes_over_what_is_done_and_refuses_to_mix_options() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("one.mp4"), 12);
    video_with_face(&home.join("two.mp4"), 12);
    analyze(home, &["*.mp4"]).success().stdout(contains("2 analysed, 0 done before"));
    let before = fs::read(home.join("mien-results/one.mp4.csv")).unwrap();
    analyze(home, &["*.mp4"]).success().stdout(contains("0 analysed, 2 done before"));
    // So does one in a folder that was moved, and more can be added there.
    fs::rename(home.join("mien-results"), home.join("moved")).unwrap();
    let moved = ["*.mp4", "--output", "moved"];
    analyze(home, &moved).success().stdout(contains("0 analysed, 2 done before"));
    let more = [&moved[..], &["--csv", "--jsonl"]].concat();
    analyze(home, &more).success().stdout(contains("2 analysed, 0 done before"));
    fs::rename(home.join("moved"), home.join("mien-results")).unwrap();

    video_with_face(&home.join("two.mp4"), 24);
    let refused = contains(
        "two.mp4: was analysed with other options or by an older Mien, or it or its results have changed since",
    )
    .and(contains("1 done before"));
    analyze(home, &["*.mp4"]).failure().stdout(refused);
    // Files that are done and unchanged aren't analysed again.
    let older = contains("two.mp4.jsonl is of an earlier run and stays as before");
    analyze(home, &["*.mp4", "--force"]).success().stdout(contains("1 analysed, 1 done before")).stderr(older);
    assert_eq!(fs::read(home.join("mien-results/one.mp4.csv")).unwrap(), before, "not the same result");
    assert_eq!(rows(&home.join("mien-results/two.mp4.csv")).last().unwrap().1, 23);

    // A table that Mien didn't write.
    fs::write(home.join("mien-results/three.mp4.csv"), "mine").unwrap();
    video_with_face(&home.join("three.mp4"), 5);
    let left_alone = contains("three.mp4.csv exists already and was left alone");
    analyze(home, &["three.mp4", "one.mp4"]).failure().stdout(left_alone);
    assert_eq!(fs::read_to_string(home.join("mien-results/three.mp4.csv")).unwrap(), "mine");
}

#[test]
fn frames_left_out_keep_the_numbers_and_times_of_the_others() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 50);
    analyze(home, &["clip.mp4", "--skip", "4", "--from", "0:00.4", "--to", "1.6", "--jsonl", "--csv"]).success();
    let rows = rows(&home.join("mien-results/clip.mp4.csv"));
    // Frames 10, 15 … 35; a face is reported once it was found on three of them.
    assert!(
        rows.iter().all(|(_, frame, time)| frame % 5 == 0 && (time - *frame as f64 / 25.0).abs() < 1e-3),
        "{rows:?}"
    );
    assert_eq!((rows.first().unwrap().1, rows.last().unwrap().1), (20, 35));
    let lines = fs::read_to_string(home.join("mien-results/clip.mp4.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), rows.len());
    for (line, (file, frame, _)) in lines.lines().zip(&rows) {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((object["file"].as_str(), object["frame"].as_u64()), (Some(file.as_str()), Some(*frame)));
    }
}

#[test]
fn the_time_between_two_frames_may_be_long() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 300);
    // At 25 frames a second: 2.4 s, and then one frame alone.
    for (skip, expected) in [("59", vec![0, 60, 120, 180, 240]), ("18446744073709551615", vec![0])] {
        let output = home.join(format!("out{skip}"));
        analyze(home, &["clip.mp4", "--skip", skip, "--output", output.to_str().unwrap()]).success();
        let rows = rows(&output.join("clip.mp4.csv"));
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), expected);
    }
    let table = csv::Reader::from_path(home.join("out59/clip.mp4.csv")).unwrap().into_records();
    assert!(table.map(Result::unwrap).all(|row| &row[3] == "1"), "the face changed its number");
}

#[test]
fn a_part_that_no_frame_lies_in_is_a_complaint() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("short.mp4"), 10);
    video_with_face(&home.join("long.mp4"), 60);
    let complaint = contains("1 analysed").and(contains("short.mp4: there is no frame after --from 2.0 s"));
    analyze(home, &["short.mp4", "long.mp4", "--from", "2"]).failure().code(3).stdout(complaint);
    assert_eq!(files(&home.join("mien-results")), ["long.mp4.csv", "long.mp4.mien.json"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_film_whose_results_would_have_too_long_names_is_a_complaint() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // The table would have a name of 255 bytes, which is allowed, but not its record.
    let name = "x".repeat(251 - ".mp4".len()) + ".mp4";
    video_with_face(&home.join("clip.mp4"), 5);
    fs::rename(home.join("clip.mp4"), home.join(&name)).unwrap();
    let complaint = contains(format!("{name}.mien.json would be too long as the name of a file"));
    analyze(home, &[&name]).failure().code(3).stdout(complaint);
    assert!(files(&home.join("mien-results")).is_empty());
}

#[cfg(unix)]
#[test]
fn a_picture_that_could_not_be_read_is_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for name in ["a.png", "b.png"] {
        write_picture(&home.join(name));
    }
    set_mode(&home.join("b.png"), 0o000);
    if fs::File::open(home.join("b.png")).is_ok() {
        return; // root
    }
    let run = || analyze(home, &["a.png", "b.png"]);
    let pictures = || rows(&home.join("mien-results/pictures.csv")).into_iter().map(|row| row.0).collect::<Vec<_>>();
    run().code(3).stdout(contains("1 analysed").and(contains("b.png can't be read")));
    assert_eq!(pictures(), ["a.png"]);
    run().code(3).stdout(contains("0 analysed, 1 done before"));
    set_mode(&home.join("b.png"), 0o600);
    run().success().stdout(contains("1 analysed, 0 done before"));
    assert_eq!(pictures(), ["a.png", "b.png"]);
    run().success().stdout(contains("0 analysed, 1 done before"));
}

#[test]
fn the_formats_hold_the_same() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 20);
    write_picture(&home.join("face.png"));
    analyze(home, &["clip.mp4", "face.png", "--csv", "--jsonl", "--parquet"]).success();
    for name in ["clip.mp4", "pictures"] {
        let path = |ending: &str| home.join(format!("mien-results/{name}.{ending}"));
        let table = SerializedFileReader::new(fs::File::open(path("parquet")).unwrap()).unwrap();
        let from_parquet: Vec<_> = table.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let lines = fs::read_to_string(path("jsonl")).unwrap();
        let from_jsonl: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut reader = csv::Reader::from_path(path("csv")).unwrap();
        let header = reader.headers().unwrap().clone();
        let from_csv: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert!(!from_csv.is_empty());
        assert_eq!((from_parquet.len(), from_jsonl.len()), (from_csv.len(), from_csv.len()));
        for (row, (typed, object)) in from_csv.iter().zip(from_parquet.iter().zip(&from_jsonl)) {
            assert_eq!(typed.len(), header.len());
            for ((column, cell), (typed_column, value)) in header.iter().zip(row).zip(typed.get_column_iter()) {
                assert_eq!(column, typed_column);
                let same = match value {
                    Field::Str(text) => text == cell && object[column] == **text,
                    Field::Long(count) => count.to_string() == cell && object[column] == *count,
                    Field::Double(number) => cell.parse() == Ok(*number) && object[column] == *number,
                    // A landmark that was not found.
                    Field::Null => cell.is_empty() && object[column].is_null(),
                    _ => false,
                };
                assert!(same, "{column}: {cell}, {value}, {}", object[column]);
            }
        }
    }
}

#[test]
fn files_worked_on_side_by_side_give_the_same_tables() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (name, frames) in [("a.mp4", 30), ("b.mp4", 20), ("c.mp4", 25), ("d.mp4", 15)] {
        video_with_face(&home.join(name), frames);
    }
    write_picture(&home.join("face.png"));
    let inputs = ["a.mp4", "b.mp4", "c.mp4", "d.mp4", "face.png", "--csv", "--jsonl", "--parquet"];
    for jobs in ["1", "3"] {
        analyze(home, &[&inputs[..], &["--jobs", jobs, "--output", jobs]].concat()).success();
    }
    let tables = tables(&home.join("1"));
    assert_eq!(tables.len(), 15);
    for table in tables {
        assert!(
            fs::read(home.join("1").join(&table)).unwrap() == fs::read(home.join("3").join(&table)).unwrap(),
            "{table}"
        );
    }
}

#[test]
fn results_are_named_by_how_their_inputs_were() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for folder in ["day1", "day2"] {
        fs::create_dir(home.join(folder)).unwrap();
        video_with_face(&home.join(folder).join("clip.mp4"), 5);
    }
    analyze(home, &["day1"]).success();
    // Another input doesn't rename existing results, which are skipped. A pattern works like the shell's.
    analyze(home, &["day1", "day2"]).success().stdout(contains("1 analysed, 1 done before"));
    analyze(home, &["day*/*.mp4"]).success().stdout(contains("0 analysed, 2 done before"));
    assert_eq!(tables(&home.join("mien-results")), ["day1/clip.mp4.csv", "day2/clip.mp4.csv"]);
    let absolute = ["day1", "day2"].map(|day| home.join(day).join("clip.mp4").to_str().unwrap().to_owned());
    let command = || {
        let mut command = mien();
        command.current_dir(home).arg("analyze").args(&absolute);
        command
    };
    assert_refused(&mut command(), &["day1", "day2", "would both be called clip.mp4"]);
}

#[test]
fn what_mien_wrote_is_no_input() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("in")).unwrap();
    video_with_face(&home.join("in/clip.mp4"), 10);
    mien().current_dir(home).args(["replay", "in/clip.mp4", "--headless", "--output", "in"]).assert().success();
    assert!(home.join("in/clip-emotions.mp4").exists());
    let note = contains("clip-emotions.mp4 left out: Mien wrote it");
    analyze(home, &["in"]).success().stdout(contains("1 analysed")).stderr(note);
    // The user's own file may have such a name.
    fs::remove_file(home.join("in/clip-emotions.csv")).unwrap();
    analyze(home, &["in"]).success().stdout(contains("1 analysed, 1 done before"));
}

#[test]
fn more_outputs_are_added_to_what_is_there_and_other_options_refused_once() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("one.mp4"), 20);
    video_with_face(&home.join("two.mp4"), 12);
    write_picture(&home.join("face.png"));
    let inputs = ["one.mp4", "two.mp4", "face.png"];
    let run = |options: &[&str]| analyze(home, &[&inputs[..], options].concat());
    let result = |name: &str| home.join("mien-results").join(name);
    run(&[]).success();
    // A changed table stays as long as its format isn't requested again.
    let mut table = fs::read_to_string(result("one.mp4.csv")).unwrap();
    table.push_str("my row\n");
    fs::write(result("one.mp4.csv"), &table).unwrap();
    run(&["--parquet", "--summary", "--video"]).success().stdout(contains("3 analysed, 0 done before"));
    run(&["--parquet", "--summary", "--video"]).success().stdout(contains("0 analysed, 3 done before"));
    run(&["--video"]).failure().stdout(contains("one.mp4: was analysed").and(contains("2 done before")));
    assert_eq!(fs::read_to_string(result("one.mp4.csv")).unwrap(), table);
    let names = ["csv", "parquet", "summary.csv", "html", "annotated.mp4"].map(|ending| format!("two.mp4.{ending}"));
    assert!(names.iter().all(|name| result(name).exists()), "{:?}", files(&home.join("mien-results")));
    // Only the file whose output was removed is analysed again.
    fs::remove_file(result("two.mp4.html")).unwrap();
    run(&["--parquet", "--summary"]).success().stdout(contains("1 analysed, 2 done before"));
    assert!(result("two.mp4.html").exists());

    let record: serde_json::Value = serde_json::from_slice(&fs::read(result("two.mp4.mien.json")).unwrap()).unwrap();
    let version = mien::version::Versions::here();
    assert_eq!((&record["schema"], &record["versions"]["mien"]), (&3.into(), &version.mien.into()));
    assert_eq!(record["versions"]["commit"], version.commit);
    assert_eq!(record["results"]["products"].as_array().unwrap().len(), 4, "{record}");

    let once = contains("one.mp4 and 2 more files: were analysed with other options").count(1);
    run(&["--skip", "1"]).failure().stdout(once).stderr(contains("3 of the inputs"));
    let older = contains("one.mp4.parquet and 11 more are of an earlier run");
    run(&["--skip", "1", "--force"]).success().stderr(older);
    assert!(fs::read_to_string(result("one.mp4.csv")).unwrap().lines().count() < table.lines().count());
    // Outputs that were made with the other options are replaced when they are requested.
    let all_new = contains("of an earlier run").not();
    run(&["--skip", "1", "--parquet", "--summary", "--video"]).success().stderr(all_new);
    // As long as any result of a file exists, nothing is replaced without --force.
    fs::remove_file(result("two.mp4.annotated.mp4")).unwrap();
    run(&["--skip", "2"]).failure().stdout(contains("one.mp4 and 2 more files: were analysed with other options"));
    // Even --force doesn't replace files that aren't Mien's.
    fs::write(result("one.mp4.jsonl"), "mine").unwrap();
    run(&["--skip", "1", "--jsonl", "--force"]).failure().stdout(contains("one.mp4.jsonl exists already"));
    assert_eq!(fs::read_to_string(result("one.mp4.jsonl")).unwrap(), "mine");
}

#[test]
fn one_table_over_all_files_and_a_row_for_each_frame() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("a.mp4"), 20);
    video_without_face(&home.join("wall.mp4"), 10);
    write_picture(&home.join("face.png"));
    let inputs = ["a.mp4", "wall.mp4", "face.png", "--csv", "--jsonl", "--parquet", "--frames", "--summary"];
    analyze(home, &inputs).success();
    let result = |name: &str| home.join("mien-results").join(name);
    let read = |name: &str| fs::read_to_string(result(name)).unwrap();
    assert_eq!(read("wall.mp4.frames.csv").lines().count(), 11);
    assert!(read("wall.mp4.frames.csv").ends_with("wall.mp4,9,0.3600,0\n"), "{}", read("wall.mp4.frames.csv"));
    assert_eq!(read("pictures.frames.csv").lines().last(), Some("face.png,0,0.0000,1"));
    assert!(!result("together.csv").exists());

    analyze(home, &[&inputs[..], &["--together"]].concat()).success().stdout(contains("0 analysed, 3 done before"));
    for (ending, kinds) in [("csv", ["", "frames."]), ("jsonl", ["", "frames."])] {
        for kind in kinds {
            let parts: Vec<String> =
                ["a.mp4", "wall.mp4", "pictures"].iter().map(|name| read(&format!("{name}.{kind}{ending}"))).collect();
            let header = usize::from(ending == "csv");
            let lines = parts.iter().flat_map(|part| part.lines().skip(header));
            let lines = parts[0].lines().take(header).chain(lines).map(|line| format!("{line}\n"));
            assert_eq!(read(&format!("together.{kind}{ending}")), lines.collect::<String>(), "{kind}{ending}");
        }
    }
    let rows = |name: &str| {
        let table = SerializedFileReader::new(fs::File::open(result(name)).unwrap()).unwrap();
        table.get_row_iter(None).unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(rows("together.parquet").len(), read("together.jsonl").lines().count());
    assert_eq!(rows("together.frames.parquet").len(), 31);
    assert_eq!(read("together.summary.csv").lines().count(), 1 + 3 * 7);
    let index = read("index.html");
    assert!(index.contains("wall.mp4.html") && index.contains("Unsure") && !index.contains("together"), "{index}");

    // The joined table is replaced as long as it is unchanged.
    analyze(home, &["a.mp4", "--together"]).success();
    assert_eq!(read("together.csv"), read("a.mp4.csv"));
    let record = |name: &str| serde_json::from_str::<serde_json::Value>(&read(name)).unwrap();
    let (one, all) = (record("a.mp4.mien.json"), record("together.mien.json"));
    for figure in ["frames", "frames_with_face", "faces", "verdicts", "arithmetic"] {
        assert_eq!(all["results"][figure], one["results"][figure], "{figure}");
    }
    assert!(one["results"]["verdicts"].as_object().is_some_and(|verdicts| !verdicts.is_empty()), "{one}");
    assert!(one["results"]["arithmetic"][0].is_string(), "{one}");
    fs::write(result("together.csv"), "worked on").unwrap();
    analyze(home, &["a.mp4", "--together"]).failure().stdout(contains("together.csv was changed since"));
    assert_eq!(read("together.csv"), "worked on");

    // A run that is killed while it writes joined tables leaves a mark in the record: all that is there counts as Mien's.
    let killed = read("together.mien.json").replacen("\"results\":", "\"adding\": true, \"results\":", 1);
    fs::write(result("together.mien.json"), killed).unwrap();
    analyze(home, &["a.mp4", "--together"]).success();
    assert_eq!(read("together.csv"), read("a.mp4.csv"));

    // A part that was edited isn't joined, even if its length is the same.
    let part = read("a.mp4.jsonl");
    let written = fs::metadata(result("a.mp4.jsonl")).unwrap().modified().unwrap();
    fs::write(result("a.mp4.jsonl"), part.replacen('{', "[", 1)).unwrap();
    analyze(home, &["a.mp4", "--jsonl"]).code(1).stdout(contains("a.mp4: was analysed with other options"));

    // If a part can't be read, the error is about the part, not about the joined table.
    let damaged = fs::File::options().append(true).open(result("a.mp4.jsonl")).unwrap();
    damaged.set_modified(written).unwrap();
    analyze(home, &["a.mp4", "--jsonl", "--together"])
        .code(1)
        .stdout(contains("cannot read").and(contains("a.mp4.jsonl")));

    // A run with other options doesn't claim the joined tables that it didn't write.
    let told = contains("together.jsonl").and(contains("of an earlier run"));
    analyze(home, &["a.mp4", "--skip", "1", "--force", "--together"]).success().stderr(told);
    let all = record("together.mien.json");
    assert_eq!((&all["options"]["skip"], &all["results"]["frames"]), (&1.into(), &10.into()));
    let count = |list: &serde_json::Value| list.as_array().unwrap().len();
    assert_eq!((count(&all["results"]["outputs"]), count(&all["left"])), (1, 6), "{all}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_who_has_gone_ends_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 8);
    fs::write(home.join("bad.mp4"), "bad").unwrap();
    let closed = || Stdio::from(std::io::pipe().unwrap().1);
    let mut run = std::process::Command::new(binary());
    run.current_dir(home).env("RUST_LOG", "debug").args(["analyze", "bad.mp4", "clip.mp4"]);
    let status = run.stdout(closed()).stderr(closed()).status().unwrap();
    assert_eq!(status.code(), Some(3), "{status}");
    assert!(home.join("mien-results/clip.mp4.csv").exists());
}

#[test]
fn what_cannot_be_a_batch_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("clip.mp4"), 5);
    let refuse = |arguments: &[&str], words: &[&str]| {
        assert_refused(mien().current_dir(home).arg("analyze").args(arguments), words);
    };
    refuse(&["none.mp4"], &["none.mp4", "does not exist"]);
    refuse(&["clip.mp4", "--model", "nonesuch"], &["nonesuch"]);
    // Before a model is loaded.
    let misused = |arguments: &[&str], words: &str| {
        analyze(home, &[arguments, &["--model", "nonesuch"]].concat()).code(2).stderr(contains(words));
    };
    misused(&["clip.mp4", "--from", "5", "--to", "4"], "--to has to be later");
    misused(&["clip.mp4", "--output", "clip.mp4"], "clip.mp4 is a file; --output has to name a folder");
    misused(&["clip.mp4", "--output", "clip.mp4/out"], "clip.mp4 is a file");
    misused(&["clip.mp4", "-"], "- means standard output");
    misused(&["--jsonl", "-"], "name videos or pictures");
}

/// The qualities in a table.
fn qualities(table: &Path) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(table).unwrap();
    assert_eq!(reader.headers().unwrap().iter().next_back(), Some("quality"));
    reader.records().map(|row| row.unwrap().iter().next_back().unwrap().parse().unwrap()).collect()
}

#[test]
fn faces_of_less_quality_than_asked_for_are_left_out_and_counted() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sharp = picture_with_face(640, 480, Rect::new(200, 120, 200, 200));
    let mut soft = Mat::default();
    imgproc::gaussian_blur_def(&sharp, &mut soft, Size::new(0, 0), 5.0).unwrap();
    for (name, picture) in [("a-sharp.png", &sharp), ("b-soft.png", &soft)] {
        assert!(imgcodecs::imwrite(home.join(name), picture, &Vector::new()).unwrap());
    }
    let arguments = ["a-sharp.png", "b-soft.png", "--csv", "--frames", "--summary"];
    analyze(home, &[&arguments[..], &["--output", "all"]].concat()).success().stderr(contains("left out").not());
    let all = qualities(&home.join("all/pictures.csv"));
    let [sharp, soft] = all.as_slice() else { panic!("{all:?}") };
    assert!(0.0 < *soft && soft < sharp && *sharp <= 1.0, "{all:?}");

    let between = ((sharp + soft) as f32 / 2.0).to_string();
    let arguments = [&arguments[..], &["--quality-at-least", &between, "--output", "good"]].concat();
    analyze(home, &arguments).success().stderr(contains(format!("1 face of a quality below {between}")));
    assert_eq!(qualities(&home.join("good/pictures.csv")), [*sharp]);
    let record = fs::read_to_string(home.join("good/pictures.mien.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["results"]["faces"], &record["results"]["below_quality"]), (&1.into(), &1.into()));
    let summary = fs::read_to_string(home.join("good/pictures.summary.csv")).unwrap();
    let frames: u64 =
        csv::Reader::from_reader(summary.as_bytes()).records().map(|row| row.unwrap()[3].parse::<u64>().unwrap()).sum();
    assert_eq!(frames, 1, "{summary}");
    // Results made with other options don't count.
    let without = ["a-sharp.png", "b-soft.png", "--output", "good"];
    analyze(home, &without).failure().stdout(contains("other options"));
    for wrong in ["2", "-1", "good"] {
        mien().current_dir(home).args(["analyze", "a-sharp.png", "--quality-at-least", wrong]).assert().code(2);
    }
}
