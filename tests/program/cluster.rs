//! A batch divided among machines: plan, shards, merge, verify.
#![cfg(feature = "vision")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use assert_cmd::assert::Assert;
use opencv::core::{Rect, Vector};
use opencv::imgcodecs;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::drawn_face::picture_with_face;
use crate::support::program::{mien, video_with_face, video_without_face, write_video};

const MANIFEST: &str = "manifest.jsonl";

fn run(home: &Path, arguments: &[&str]) -> Assert {
    mien().current_dir(home).args(arguments).assert()
}

/// Writes five videos, two pictures and a file that is neither. Returns the lines of their manifest.
fn recordings(home: &Path) -> Vec<Value> {
    fs::create_dir_all(home.join("in/deep")).unwrap();
    for (name, frames) in [("a.mp4", 12), ("b.mp4", 30), ("deep/c.mp4", 18), ("d.mp4", 9)] {
        video_with_face(&home.join("in").join(name), frames);
    }
    video_without_face(&home.join("in/empty-room.mp4"), 10);
    for name in ["x.png", "y.png"] {
        picture(&home.join("in").join(name), 320, 240);
    }
    fs::write(home.join("in/broken.mp4"), "this is no video").unwrap();
    plan(home, &["in"])
}

fn plan(home: &Path, arguments: &[&str]) -> Vec<Value> {
    let assert = run(home, &[&["plan"], arguments].concat()).success();
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    fs::write(home.join(MANIFEST), &text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Analyses all shards into folders below `to`, and returns the exit codes.
fn shards(home: &Path, count: u32, to: &str, options: &[&str]) -> Vec<i32> {
    let shard = |number: u32| {
        let (shard, output) = (format!("{number}/{count}"), format!("{to}/{number}"));
        let arguments = ["analyze", "--manifest", MANIFEST, "--shard", &shard, "--output", &output];
        run(home, &[&arguments, options].concat()).get_output().status.code().unwrap()
    };
    (1..=count).map(shard).collect()
}

fn merge(home: &Path, folder: &str, output: &str, options: &[&str]) -> Assert {
    run(home, &[&["merge", folder, "--manifest", MANIFEST, "--output", output], options].concat())
}

#[test]
fn the_merged_table_has_the_same_bytes_however_the_work_was_divided() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let lines = recordings(home);
    let names: Vec<_> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
    let videos = ["in/a.mp4", "in/b.mp4", "in/broken.mp4", "in/d.mp4", "in/deep/c.mp4", "in/empty-room.mp4"];
    assert_eq!(names, [&videos[..], &["in/x.png", "in/y.png"]].concat());
    assert_eq!((lines[1]["frames"].as_u64(), lines[1]["seconds"].as_f64()), (Some(30), Some(1.2)));
    assert!(lines[2]["problem"].as_str().unwrap().contains("not a video"), "{}", lines[2]);

    let formats = ["--parquet", "--csv", "--jsonl", "--frames", "--summary"];
    run(home, &[&["analyze", "in", "--output", "single", "--together"], &formats[..]].concat()).code(3);
    for count in [1, 2, 5] {
        let folder = format!("results-{count}");
        let mut codes = shards(home, count, &folder, &formats);
        codes.sort_unstable();
        // One shard has the broken file.
        assert_eq!(codes, [vec![0; count as usize - 1], vec![3]].concat());
        for ending in ["parquet", "csv", "jsonl"] {
            let output = format!("all-{count}.{ending}");
            merge(home, &folder, &output, &[]).code(3).stdout(contains("in/broken.mp4").and(contains("not a video")));
            for kind in ["", ".frames"] {
                let table = |name: &str| fs::read(home.join(format!("{name}{kind}.{ending}"))).unwrap();
                assert!(table(&format!("all-{count}")) == table("single/together"), "{count} shards, {kind}.{ending}");
            }
            let summary = |name: &str| fs::read(home.join(format!("{name}.summary.csv"))).unwrap();
            assert_eq!(summary(&format!("all-{count}")), summary("single/together"));
        }
        let index = fs::read_to_string(home.join(&folder).join("index.html")).unwrap();
        assert!(index.contains("deep/c.mp4.html"), "{index}");
    }
    merge(home, "results-2", "again.csv", &["--allow-bad"]).success();
}

#[test]
fn a_shard_that_is_run_again_does_nothing_and_one_that_is_missing_is_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (name, frames) in [("a.mp4", 10), ("b.mp4", 10)] {
        video_with_face(&home.join(name), frames);
    }
    plan(home, &["a.mp4", "b.mp4"]);
    // The shard as Slurm and Kubernetes specify it.
    let mut first = mien();
    first.current_dir(home).args(["analyze", "--manifest", MANIFEST, "--output", "results/1"]);
    let slurm = [("ID", "0"), ("COUNT", "2"), ("MIN", "0"), ("MAX", "1")];
    first.envs(slurm.map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value)));
    first.assert().success().stdout(contains("1 analysed, 0 done before"));
    first.assert().success().stdout(contains("0 analysed, 1 done before"));

    merge(home, "results", "all.csv", &[]).code(75).stderr(contains("1 of the files has no results yet: b.mp4"));
    assert!(!home.join("all.csv").exists());
    merge(home, "results", "all.csv", &["--allow-missing"]).success().stdout(contains("Missing (1)"));

    let mut second = mien();
    second.current_dir(home).args(["analyze", "--manifest", MANIFEST, "--output", "results/2"]);
    second.env("JOB_COMPLETION_INDEX", "1").env("MIEN_SHARDS", "2").assert().success();
    merge(home, "results", "all.csv", &[]).success().stdout(contains("2 files"));
    // Only a part of an array, which would divide the files differently.
    let mut again = mien();
    again.current_dir(home).args(["analyze", "--manifest", MANIFEST]);
    let slurm = [("ID", "1"), ("COUNT", "1"), ("MIN", "1"), ("MAX", "1")];
    again.envs(slurm.map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value))).env("MIEN_SHARDS", "x");
    again.assert().code(1).stderr(contains("MIEN_SHARDS"));
}

#[test]
fn a_file_that_needs_another_try_is_waited_for_and_is_not_bad() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (name, frames) in [("a.mp4", 10), ("b.mp4", 10)] {
        video_with_face(&home.join(name), frames);
    }
    plan(home, &["a.mp4", "b.mp4"]);
    run(home, &["analyze", "a.mp4", "--output", "results/1"]).success();
    // What a run leaves that couldn't write.
    let problem = serde_json::json!({ "name": "b.mp4", "reason": "the disk is full", "try_again": true });
    let report = serde_json::json!({ "shard": "2/2", "done": 0, "problems": [problem] });
    fs::create_dir(home.join("results/2")).unwrap();
    fs::write(home.join("results/2/mien-run.json"), report.to_string()).unwrap();
    merge(home, "results", "all.csv", &["--allow-bad"]).code(75).stderr(contains("no results yet: b.mp4"));
    run(home, &["merge", "results", "--output", "all.csv"]).code(75).stderr(contains("no results yet: b.mp4"));
    assert!(!home.join("all.csv").exists());
    merge(home, "results", "all.csv", &["--allow-missing"]).success().stdout(contains("Missing (1)"));

    run(home, &["analyze", "b.mp4", "--output", "results/2"]).success();
    merge(home, "results", "all.csv", &[]).success().stdout(contains("2 files"));
}

fn picture(path: &Path, width: i32, height: i32) {
    let picture = picture_with_face(width, height, Rect::new(100, 70, 110, 110));
    assert!(imgcodecs::imwrite(path, &picture, &Vector::new()).unwrap());
}

/// A folder of two videos and a picture, and their manifest.
fn plan_of_two_videos_and_a_picture(home: &Path, videos: [&str; 2]) {
    fs::create_dir(home.join("in")).unwrap();
    for name in videos {
        video_with_face(&home.join("in").join(name), 10);
    }
    picture(&home.join("in/x.png"), 320, 240);
    plan(home, &["in"]);
}

#[test]
fn results_of_files_that_were_replaced_do_not_count() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    plan_of_two_videos_and_a_picture(home, ["a.mp4", "b.mp4"]);
    assert_eq!(shards(home, 1, "results", &[]), [0]);
    merge(home, "results", "all.csv", &[]).success();

    video_with_face(&home.join("in/a.mp4"), 20);
    plan(home, &["in"]);
    merge(home, "results", "new.csv", &[]).code(75).stderr(contains("yet: in/a.mp4").and(contains("--force")));
    assert!(!home.join("new.csv").exists());
    merge(home, "results", "new.csv", &["--allow-missing"]).success().stdout(contains("Missing (1)"));
    // Old results don't conflict with new ones beside them.
    run(home, &["analyze", "in/a.mp4", "--output", "newer"]).success();
    run(home, &["merge", "results", "newer", "--manifest", MANIFEST, "--output", "new.csv"]).success();

    picture(&home.join("in/y.png"), 320, 240);
    plan(home, &["in"]);
    let merge = |options: &[&str]| {
        run(home, &[&["merge", "results", "newer", "--manifest", MANIFEST, "--output", "new.csv"], options].concat())
    };
    merge(&[]).code(75).stderr(contains("1 of the files has no results yet: in/y.png"));
    picture(&home.join("in/x.png"), 640, 480);
    plan(home, &["in"]);
    merge(&[]).code(75).stderr(contains("no results yet: pictures").and(contains("--force")));
    assert_eq!(shards(home, 1, "results", &["--force"]), [0]);
    merge(&[]).success();
}

#[test]
fn results_that_are_not_in_the_manifest_are_left_out_and_listed() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    plan_of_two_videos_and_a_picture(home, ["a.mp4", "b.mp4"]);
    assert_eq!(shards(home, 1, "results", &[]), [0]);
    // Two different results of an input that is no longer in the manifest don't matter.
    run(home, &["analyze", "in/b.mp4", "--output", "results/2", "--skip", "1"]).success();
    for name in ["in/b.mp4", "in/x.png"] {
        fs::remove_file(home.join(name)).unwrap();
    }
    plan(home, &["in"]);
    let told = contains("1 file in").and(contains("Not in the manifest, left out (2):\n  in/b.mp4\n  pictures"));
    merge(home, "results", "all.csv", &[]).success().stdout(told);
    let table = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(table("all.csv"), table("results/1/in/a.mp4.csv"));

    video_with_face(&home.join("in/c.mp4"), 10);
    plan(home, &["in"]);
    let told = contains("no results yet: in/c.mp4 (there are results of in/b.mp4, pictures, which the manifest");
    merge(home, "results", "new.csv", &[]).code(75).stderr(told);
}

#[test]
fn files_that_were_added_are_planned_alone_and_merged_with_the_others() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    plan_of_two_videos_and_a_picture(home, ["a.mp4", "c.mp4"]);
    assert_eq!(shards(home, 2, "old", &[]), [0, 0]);
    let old = fs::read_to_string(home.join(MANIFEST)).unwrap();

    video_with_face(&home.join("in/b.mp4"), 12);
    plan(home, &["in/b.mp4"]);
    assert_eq!(shards(home, 2, "new", &[]), [0, 0]);
    let new = fs::read_to_string(home.join(MANIFEST)).unwrap();
    fs::write(home.join(MANIFEST), old + &new).unwrap();
    run(home, &["merge", "old", "new", "--manifest", MANIFEST, "--output", "all.csv"])
        .success()
        .stdout(contains("4 files in").and(contains("left out").not()));
    run(home, &["analyze", "in", "--output", "single", "--together"]).success();
    let table = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(table("all.csv"), table("single/together.csv"));
}

#[test]
fn the_device_decides_neither_what_is_done_nor_what_belongs_together() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for name in ["a.mp4", "b.mp4"] {
        video_with_face(&home.join(name), 10);
    }
    let a = ["analyze", "a.mp4", "--output", "results/1"];
    run(home, &a).success();
    run(home, &[&a[..], &["--device", "cpu"]].concat()).success().stdout(contains("0 analysed, 1 done before"));
    run(home, &["analyze", "b.mp4", "--output", "results/2", "--device", "cpu"]).success();
    run(home, &["merge", "results", "--output", "all.csv"]).success().stdout(contains("2 files in"));
}

#[test]
fn pictures_of_two_runs_need_one_manifest() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (folder, height) in [("one", 240), ("two", 260)] {
        fs::create_dir(home.join(folder)).unwrap();
        picture(&home.join(folder).join("x.png"), 320, height);
        run(home, &["analyze", folder, "--output", &format!("results/{folder}")]).success();
    }
    run(home, &["merge", "results", "--output", "all.csv"])
        .code(1)
        .stderr(contains("different files").and(contains("mien plan")).and(contains("remove").not()));
}

#[test]
fn a_damaged_record_is_named_with_the_results_to_remove() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("a.mp4"), 10);
    let analyze = ["analyze", "a.mp4", "--output", "results", "--summary"];
    run(home, &analyze).success();
    fs::write(home.join("results/a.mp4.mien.json"), "{\"schema\"").unwrap();
    let told = contains("a.mp4.mien.json can't be read as a record of Mien").and(contains("results/a.mp4.*"));
    run(home, &["merge", "results", "--output", "all.csv"]).code(1).stderr(told);
    run(home, &["verify", "results"]).code(1).stdout(contains("a.mp4.mien.json: can't be read as a record"));
    // What it advises helps.
    for entry in fs::read_dir(home.join("results")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("a.mp4.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    run(home, &analyze).success();
    run(home, &["merge", "results", "--output", "all.csv"]).success();

    // An index that can't be renewed is no reason to keep silent about the table.
    fs::write(home.join("results/index.html"), "<h1>my home page</h1>").unwrap();
    let told = contains("warning: the index of results couldn't be renewed: ");
    run(home, &["merge", "results", "--output", "all.csv"]).success().stdout(contains("1 file in")).stderr(told);
}

#[test]
fn a_plan_says_how_much_there_is_and_shows_names_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let told = |file: &str| {
        let assert = run(home, &["plan", file]).success();
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    video_with_face(&home.join("a.mp4"), 50);
    assert!(told("a.mp4").ends_with("1 line; 2 s of video\n"), "{}", told("a.mp4"));
    picture(&home.join("x.png"), 320, 240);
    assert!(told("x.png").ends_with("1 line\n"), "{}", told("x.png"));
    fs::write(home.join("broken.mp4"), "this is no video").unwrap();
    assert!(told("broken.mp4").ends_with("1 line, which can't be read\n"), "{}", told("broken.mp4"));
    #[cfg(unix)]
    {
        fs::write(home.join("two\nlines.mp4"), "this is no video").unwrap();
        let told = told("two\nlines.mp4");
        assert!(told.contains("warning: two\\nlines.mp4: "), "{told}");
    }
}

#[test]
fn a_folder_without_results_is_not_verified() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("empty")).unwrap();
    run(home, &["verify", "empty"]).code(1).stderr(contains("there are no results of Mien in empty"));
}

#[test]
fn results_that_do_not_belong_together_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (name, frames) in [("a.mp4", 10), ("b.mp4", 12)] {
        video_with_face(&home.join(name), frames);
    }
    plan(home, &["a.mp4", "b.mp4"]);
    run(home, &["analyze", "a.mp4", "--output", "results/1"]).success();
    run(home, &["analyze", "b.mp4", "--output", "results/2", "--smoothing", "off"]).success();
    merge(home, "results", "all.csv", &[])
        .code(1)
        .stderr(contains("smoothing_secs is 0.2").and(contains("--allow-mixed")));
    merge(home, "results", "all.csv", &["--allow-mixed"]).success();
    merge(home, "results", "all.parquet", &["--allow-mixed"]).code(1).stderr(contains("--parquet"));
    merge(home, "results", "all.xlsx", &[]).code(1).stderr(contains(".parquet, .csv or .jsonl"));

    // The same result once more, then a different one.
    run(home, &["analyze", "a.mp4", "--output", "results/3"]).success();
    merge(home, "results", "all.csv", &["--allow-mixed"]).success().stdout(contains("more than once"));
    run(home, &["analyze", "a.mp4", "--output", "results/4", "--skip", "1"]).success();
    merge(home, "results", "all.csv", &["--allow-mixed"]).code(1).stderr(contains("two different results"));
    fs::remove_dir_all(home.join("results/4")).unwrap();

    run(home, &["verify", "results"]).success().stdout(contains("3 results are as they were written"));
    let table = home.join("results/2/b.mp4.csv");
    let text = fs::read_to_string(&table).unwrap();
    fs::write(&table, text.replacen('1', "7", 1)).unwrap();
    run(home, &["verify", "results"]).code(1).stdout(contains("b.mp4.csv: its contents have changed"));
    merge(home, "results", "all.csv", &["--allow-mixed"]).code(1).stderr(contains("b.mp4.csv has changed"));
    fs::write(&table, "short").unwrap();
    run(home, &["verify", "results"]).code(1).stdout(contains("b.mp4.csv: has 5 bytes instead of"));
    merge(home, "results", "all.csv", &["--allow-mixed"]).code(1).stderr(contains("b.mp4.csv has changed"));

    // Unlike a killed merge, a failed one doesn't claim the table: a user's changes to it are still respected.
    fs::write(&table, text).unwrap();
    fs::write(home.join("all.csv"), "worked on").unwrap();
    merge(home, "results", "all.csv", &["--allow-mixed"]).code(1).stderr(contains("all.csv was changed since"));
    merge(home, "results", "all.csv", &["--allow-mixed", "--force"]).success();
}

#[test]
fn what_has_changed_since_the_plan_is_bad_and_wrong_usage_is_told() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("a.mp4"), 10);
    plan(home, &["a.mp4"]);
    video_with_face(&home.join("a.mp4"), 20);
    assert_eq!(shards(home, 1, "results", &[]), [3]);
    merge(home, "results", "all.csv", &[]).code(1).stderr(contains("no results of files"));
    run(home, &["analyze", "--manifest", MANIFEST, "--shard", "3/2"]).code(2).stderr(contains("I/N"));
    run(home, &["analyze", "a.mp4", "--shard", "1/2"]).code(2).stderr(contains("--shard"));
    run(home, &["analyze"]).code(2);
    run(home, &["plan", "a.mp4", "--split", "10s"]).code(2).stderr(contains("twice as long as --overlap"));
    run(home, &["analyze", "--manifest", "absent.jsonl"]).code(1).stderr(contains("absent.jsonl"));
    // What a failed plan leaves.
    fs::write(home.join("empty.jsonl"), "").unwrap();
    let told = contains("empty.jsonl is empty").and(contains("mien plan"));
    run(home, &["analyze", "--manifest", "empty.jsonl"]).code(1).stderr(told);
}

#[test]
fn a_program_is_told_in_lines_of_json() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    video_with_face(&home.join("a.mp4"), 10);
    fs::write(home.join("b.mp4"), "no video").unwrap();
    let assert = run(home, &["analyze", "a.mp4", "b.mp4", "--progress", "json", "--threads", "1"]).code(3);
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind = |kind: &str| events.iter().find(|event| event["event"] == kind).unwrap();
    assert_eq!(of_kind("begin")["files"], 2);
    assert_eq!((&of_kind("file-done")["file"], &of_kind("file-done")["frames"]), (&"a.mp4".into(), &10.into()));
    assert_eq!(
        (&of_kind("file-failed")["file"], &of_kind("file-failed")["try_again"]),
        (&"b.mp4".into(), &false.into())
    );
    assert_eq!(events.last().unwrap()["analysed"], 1);
}

/// Writes a film of two people who move. The second one arrives late, leaves before the second boundary between parts and is back after it.
fn film(path: &Path, frames: i32) {
    write_video(path, frames, |number| {
        let sway = |phase: f64| (f64::from(number) / 25.0 * phase).sin();
        let first = Rect::new(30 + (8.0 * sway(1.7)) as i32, 70 + (5.0 * sway(2.3)) as i32, 90, 90);
        let second = Rect::new(200 + (8.0 * sway(1.1)) as i32, 80 + (6.0 * sway(1.9)) as i32, 90, 90);
        let left = picture_with_face(320, 240, first);
        let is_away = number < 200 || (650..700).contains(&number);
        if is_away {
            return left;
        }
        let mut picture = left;
        let right = picture_with_face(320, 240, second);
        let half = Rect::new(160, 0, 160, 240);
        let mut target = opencv::core::Mat::roi_mut(&mut picture, half).unwrap();
        opencv::prelude::MatTraitConst::copy_to(&opencv::core::Mat::roi(&right, half).unwrap(), &mut target).unwrap();
        drop(target);
        picture
    });
}

/// The cells of each row, by frame and face number.
fn by_face(table: &Path) -> BTreeMap<(u64, u64), Vec<String>> {
    let rows = csv::Reader::from_path(table).unwrap().into_records().map(Result::unwrap);
    rows.map(|row| ((row[1].parse().unwrap(), row[3].parse().unwrap()), row.iter().map(str::to_owned).collect()))
        .collect()
}

/// Places of columns in a row.
const BOX: Range<usize> = 4..8;
const LABEL: usize = 9;
const SMOOTHED: Range<usize> = 18..25;

#[test]
fn a_film_in_parts_gives_nearly_what_the_whole_gives() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    film(&home.join("film.mp4"), 1000);
    let lines = plan(home, &["film.mp4", "--split", "14s", "--overlap", "6s"]);
    assert_eq!(lines.len(), 3);
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    run(home, &["analyze", "film.mp4", "--output", "whole", "--csv", "--parquet", "--frames"]).success();
    assert_eq!(shards(home, 2, "parts", &["--csv", "--parquet", "--frames"]), [0, 0]);
    run(home, &["analyze", "--manifest", MANIFEST, "--summary", "--output", "no"]).code(1).stderr(contains("--split"));

    // A missing part is noticed even without a manifest.
    let part = home.join("parts/1/film.mp4.part-001-of-003.mien.json");
    let part = if part.exists() { part } else { home.join("parts/2/film.mp4.part-001-of-003.mien.json") };
    let record = fs::read(&part).unwrap();
    fs::remove_file(&part).unwrap();
    run(home, &["merge", "parts", "--output", "all.csv"]).code(75).stderr(contains("part-001-of-003"));
    fs::write(&part, record).unwrap();

    // So are results of both a part and the whole film.
    run(home, &["merge", "whole", "parts", "--output", "all.csv"]).code(1).stderr(contains("the whole and of a part"));

    merge(home, "parts", "all.csv", &[]).success().stdout(contains("1 file in"));
    merge(home, "parts", "all.parquet", &[]).success();
    let read = |name: &str| fs::read(home.join(name)).unwrap();
    assert_eq!(read("all.frames.csv").len(), read("whole/film.mp4.frames.csv").len());
    let (whole, joined) = (by_face(&home.join("whole/film.mp4.csv")), by_face(&home.join("all.csv")));
    let both: Vec<_> = whole.iter().filter_map(|(key, row)| Some((row, joined.get(key)?))).collect();
    let share = |count: usize| count as f64 / whole.len() as f64;
    let labels = both.iter().filter(|(one, other)| one[LABEL] == other[LABEL]).count();
    assert!(whole.len() > 1500 && both.len() == whole.len() && joined.len() == whole.len(), "{}", joined.len());
    assert!(share(labels) >= 0.995, "{labels} of {}", whole.len());
    for (one, other) in both {
        let furthest = |columns: Range<usize>| {
            let difference =
                |column: usize| one[column].parse::<f64>().unwrap() - other[column].parse::<f64>().unwrap();
            columns.map(difference).fold(0.0, |most: f64, difference| most.max(difference.abs()))
        };
        assert!(furthest(BOX) <= 4.0, "{one:?}\n{other:?}");
        // Faces between two emotions are sensitive to the processor's rounding: 0.06 with AMX, less than 0.05 without.
        assert!(furthest(SMOOTHED) <= 0.1, "{one:?}\n{other:?}");
    }
    let faces = |rows: &BTreeMap<(u64, u64), Vec<String>>| rows.keys().map(|key| key.1).max();
    assert_eq!(faces(&joined), faces(&whole));
}
