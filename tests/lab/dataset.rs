//! Data sets of several kinds as users work with them: counted, shown, trained and measured on.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

use crate::fixtures::{write_data, write_votes};

/// The program, with a separate cache.
fn mien(folder: &TempDir) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("mien"));
    command.env("XDG_CACHE_HOME", folder.path().join("cache"));
    command
}

/// Writes a picture of one gray level in the simplest format that Mien reads, a 24-bit BMP.
fn picture(path: &Path, gray: u8) {
    let pixels = 48 * 48 * 3;
    let mut bytes = b"BM".to_vec();
    bytes.extend([54 + pixels, 0, 54, 40, 48, 48].iter().flat_map(|number: &u32| number.to_le_bytes()));
    bytes.extend([1_u16, 24].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend([0; 24]);
    bytes.extend(vec![gray; pixels as usize]);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes frames of ten people in CK+48's layout, all different, and enough of them to be cached in decoded form.
fn frames(folder: &TempDir) -> PathBuf {
    let root = folder.path().join("CK+48");
    for i in 0..120_u8 {
        let class = ["happy", "fear"][usize::from(i / 60)];
        picture(&root.join(format!("{class}/S{:03}_00{}_{i:08}.bmp", i % 10, i / 60)), 100 + i);
    }
    picture(&root.join("contempt/S001_003_00000001.bmp"), 3);
    root
}

fn summary(folder: &TempDir, arguments: &[&str], data: &Path) -> Value {
    let output = mien(folder).arg("dataset").arg(data).arg("--json").args(arguments).assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

#[test]
fn a_data_set_is_counted_shown_and_kept_decoded() {
    let folder = TempDir::new().unwrap();
    let data = frames(&folder);
    let (sheet, chart) = (folder.path().join("sheet.png"), folder.path().join("chart.png"));
    mien(&folder)
        .arg("dataset")
        .args([&data, Path::new("--sheet"), &sheet, Path::new("--chart"), &chart, Path::new("--no-cache")])
        .assert()
        .success()
        .stdout(
            contains("CK+48: 120 pictures").and(contains("by person")).and(contains("left out: 1 picture, contempt")),
        );
    for picture in [sheet, chart] {
        assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"), "{}", picture.display());
    }
    let cache = folder.path().join("cache/mien/datasets");
    assert!(!cache.exists(), "--no-cache keeps nothing");

    let first = summary(&folder, &[], &data);
    assert_eq!(
        (&first["pictures"], &first["subjects"], &first["splits"][0]["split"]),
        (&120.into(), &10.into(), &"training".into())
    );
    let kept: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(summary(&folder, &[], &data), first);
    // A damaged cache file, or a changed set of pictures, does no harm.
    fs::write(&kept[0], "damaged").unwrap();
    assert_eq!(summary(&folder, &[], &data), first);
    picture(&data.join("happy/S001_009_00000001.bmp"), 1);
    assert_eq!(summary(&folder, &[], &data)["pictures"], 121);
}

#[test]
fn a_model_is_measured_on_pictures_that_it_never_saw() {
    let folder = TempDir::new().unwrap();
    let data = frames(&folder);
    let evaluate = |options: &[&str]| {
        let mut command = mien(&folder);
        command.args(["evaluate", "cnn4-ferplus"]).arg(&data).arg("--json").args(options);
        let output = command.assert().success();
        serde_json::from_slice::<Value>(&output.get_output().stdout).unwrap()
    };
    let (all, private) = (evaluate(&["--split", "all"]), evaluate(&["--split", "private"]));
    assert_eq!((&all["n"], &all["test_time_augmentation"]), (&120.into(), &false.into()));
    let private = private["n"].as_u64().unwrap();
    assert!(private > 0 && private < 60, "{private}");

    // The report says that mirror images were used too.
    let flipped = evaluate(&["--split", "all", "--flip"]);
    assert_eq!((&flipped["n"], &flipped["test_time_augmentation"]), (&120.into(), &true.into()));
}

#[test]
fn faces_of_contempt_count_as_wrong_by_the_rule_that_has_a_class_for_them() {
    let folder = TempDir::new().unwrap();
    let (data, votes) = (write_data(folder.path()), write_votes(folder.path()));
    let rows = fs::read_to_string(&votes).unwrap();
    let (others, _) = rows.trim_end().rsplit_once('\n').unwrap();
    fs::write(&votes, format!("{others}\nPrivateTest,,0,0,0,0,0,0,0,10,0,0\n")).unwrap();
    let evaluate = |rule: &str, json: &[&str]| {
        let mut command = mien(&folder);
        command.args(["evaluate", "cnn4-ferplus", "--split", "private", "--rule", rule]).args(json);
        command.arg(&data).arg("--ferplus").arg(&votes);
        String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
    };
    let of_rule = |rule: &str| serde_json::from_str::<Value>(&evaluate(rule, &["--json"])).unwrap();

    let seven = of_rule("microsoft");
    let (n, eight) = (seven["n"].as_u64().unwrap(), &seven["eight_classes"]);
    assert_eq!((&eight["contempt"], &eight["n"]), (&1.into(), &(n + 1).into()));
    let right = |figures: &Value, n: u64| (figures["accuracy"].as_f64().unwrap() * n as f64).round();
    assert_eq!(right(eight, n + 1), right(&seven, n));
    assert!(evaluate("microsoft", &[]).contains("whose faces (1) all count as wrong"));
    assert!(of_rule("majority").get("eight_classes").is_none(), "contempt is neutral there");
}

#[test]
fn what_is_no_data_set_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("list.csv"), "path,label\nnone.png,happy\n").unwrap();
    for (name, said) in [("empty", "no data set was found"), ("list.csv", "line 2"), ("none", "No such file")] {
        mien(&folder)
            .arg("dataset")
            .arg(folder.path().join(name))
            .assert()
            .code(1)
            .stderr(contains(name).and(contains(said)).and(contains("panicked").not()));
    }
}

/// Runs on the real data when `MIEN_DATA` names the folder that holds them.
#[test]
fn the_published_sets_have_the_numbers_that_are_known_of_them() {
    let Some(data) = std::env::var_os("MIEN_DATA").map(PathBuf::from) else {
        eprintln!("skipped: MIEN_DATA names no folder with fer2013.csv and fer2013new.csv");
        return;
    };
    let folder = TempDir::new().unwrap();
    let votes = data.join("fer2013new.csv");
    let fer = summary(&folder, &["--ferplus", votes.to_str().unwrap()], &data.join("fer2013.csv"));
    let counted = |rule: usize| fer["splits"][2]["rules"][rule]["pictures"].clone();
    assert_eq!([counted(0), counted(1), counted(2)], [3589, 2778, 3137], "label, majority, microsoft");
    for (name, pictures, people) in [("CK+48", 927, 106), ("jaffe", 213, 10)] {
        if data.join(name).exists() {
            let found = summary(&folder, &[], &data.join(name));
            assert_eq!((&found["pictures"], &found["subjects"]), (&pictures.into(), &people.into()), "{name}");
        }
    }
}
