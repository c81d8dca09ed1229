//! The lab's detector: trained on drawn faces, stopped and resumed, measured, refused.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use assert_cmd::Command;
use image::{GrayImage, Luma};
use mien::lab::detection::{DetectorTask, FaceData, FacesRecipe, FacesRecord};
use mien::lab::{Progress, Step, TrainError, TrainOutcome, Trainer};
use mien::net::faces::FaceNetwork;
use mien::net::{Ending, ModelSource};
use tch::Device;
use tempfile::TempDir;

use crate::generator;

const SIDE: u32 = 64;

/// Draws a face of simple shapes around a centre, bright with dark eyes and mouth. Returns its box and landmarks as labels.
fn draw(picture: &mut GrayImage, [x, y]: [f32; 2], size: f32) -> String {
    let points = [[-0.2, -0.15], [0.2, -0.15], [0.0, 0.05], [-0.15, 0.25], [0.15, 0.25]];
    let points = points.map(|[dx, dy]| [x + dx * size, y + dy * size]);
    for (column, row, pixel) in picture.enumerate_pixels_mut() {
        let (column, row) = (column as f32 + 0.5, row as f32 + 0.5);
        if ((column - x) / 0.4).hypot((row - y) / 0.5) < size {
            *pixel = Luma([200]);
        }
        if points.iter().any(|[px, py]| (column - px).hypot(row - py) < 0.07 * size) {
            *pixel = Luma([40]);
        }
    }
    let [left, top] = [x - 0.4 * size, y - 0.5 * size];
    let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
    format!("{left:.1},{top:.1},{:.1},{:.1},{}", 0.8 * size, size, points.join(","))
}

const LANDMARKS: &str =
    "right_eye_x,right_eye_y,left_eye_x,left_eye_y,nose_x,nose_y,mouth_right_x,mouth_right_y,mouth_left_x,mouth_left_y";

/// Writes a folder as `mien train` reads it: 40 portraits, 32 scenes with two faces each, the last 8 of them in a different place,
/// and 16 pictures without a face.
fn write_data(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    let (portraits, scenes) = (data.join("portraits"), data.join("scenes"));
    std::fs::create_dir_all(&portraits).unwrap();
    std::fs::create_dir_all(&scenes).unwrap();
    let blank = |shade: usize| GrayImage::from_pixel(SIDE, SIDE, Luma([(60 + 7 * (shade % 10)) as u8]));
    let mut labels = format!("file,width,height,x,y,w,h,{LANDMARKS},score\n");
    for i in 0..40 {
        let mut picture = blank(i);
        let face = draw(&mut picture, [32.0 + (i % 5) as f32, 30.0], 40.0 + (i % 7) as f32);
        picture.save(portraits.join(format!("{i:05}.png"))).unwrap();
        labels += &format!("{i:05}.png,{SIDE},{SIDE},{face},0.9\n");
    }
    std::fs::write(portraits.join("labels.csv"), labels).unwrap();
    let mut labels = format!("file,set,width,height,x,y,w,h,{LANDMARKS},source,ignore\n");
    for i in 0..48 {
        let mut picture = blank(i);
        let set = ["wider", "office", "empty"][if i < 24 { 0 } else { usize::from(i >= 32) + 1 }];
        if set == "empty" {
            labels += &format!("{i:05}.png,empty,{SIDE},{SIDE},,,,,,,,,,,,,,,none,0\n");
        } else {
            for x in [16.0, 46.0] {
                let face = draw(&mut picture, [x, 20.0 + i as f32], 26.0);
                labels += &format!("{i:05}.png,{set},{SIDE},{SIDE},{face},drawn,0\n");
            }
        }
        picture.save(scenes.join(format!("{i:05}.png"))).unwrap();
    }
    std::fs::write(scenes.join("labels.csv"), labels).unwrap();
    data
}

fn write_recipe(folder: &Path) -> PathBuf {
    let path = folder.join("small.toml");
    let text = r#"
        task = "faces"
        name = "small"
        description = "For tests."
        data = "drawn faces"
        teacher = "the test"
        seed = 5
        epochs = 2
        pictures = 16
        side = 64
        measured_side = 64
        batch_size = 4
        average = 0.9
        patience = 2
        network = { architecture = "faces", channels = [4, 8, 8, 8, 8], blocks = [0, 1, 1, 0] }
        normalization = { mean = 0.5, std = 0.25 }
        optimizer = { kind = "adamw", learning_rate = 0.003 }
        schedule = { kind = "one-cycle" }
        augmentation = { sizes = [13.0, 60.0] }
    "#;
    std::fs::write(&path, text).unwrap();
    path
}

fn trainer(folder: &Path, recipe: &FacesRecipe, run: &str) -> Result<Trainer<DetectorTask>, TrainError> {
    let data = FaceData::read(&folder.join("data")).unwrap();
    let sha256 = data.sha256.clone();
    let task = DetectorTask::new(recipe, data, Device::Cpu);
    Trainer::new(task, recipe.clone(), sha256, &folder.join(run), Device::Cpu)
}

fn without_seconds(history: &[FacesRecord]) -> Vec<FacesRecord> {
    history.iter().map(|record| FacesRecord { seconds: 0.0, ..record.clone() }).collect()
}

#[test]
fn a_resumed_training_of_a_detector_is_the_same_and_its_model_can_be_used() {
    let _alone = generator();
    let folder = TempDir::new().unwrap();
    write_data(folder.path());
    let recipe = FacesRecipe::read(&write_recipe(folder.path())).unwrap();

    let mut whole = trainer(folder.path(), &recipe, "whole").unwrap();
    assert_eq!(
        whole.run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap(),
        TrainOutcome::Ended(Ending::Finished)
    );

    let stop = AtomicBool::new(false);
    let raise =
        |progress| stop.store(matches!(progress, Progress::Learnt(Step { epoch: 2, step: 2, .. })), Ordering::Relaxed);
    let mut first = trainer(folder.path(), &recipe, "parts").unwrap();
    assert_eq!(first.run(None, &stop, raise, |_| {}).unwrap(), TrainOutcome::Interrupted);
    assert_eq!(first.state().history.len(), 1);
    drop(first);
    let mut second = trainer(folder.path(), &recipe, "parts").unwrap();
    assert_eq!(
        second.run(None, &AtomicBool::new(false), |_| {}, |_| {}).unwrap(),
        TrainOutcome::Ended(Ending::Finished)
    );
    let resumed = without_seconds(&second.state().history);
    drop(second);
    let other = trainer(folder.path(), &FacesRecipe { seed: 6, ..recipe.clone() }, "parts").err().unwrap();
    assert!(other.to_string().contains("`seed` is 5 there and 6 here"), "{other}");
    let reworded = FacesRecipe { description: "For other tests.".to_owned(), ..recipe.clone() };
    assert_eq!(trainer(folder.path(), &reworded, "parts").unwrap().state().history.len(), 2);

    assert_eq!(resumed, without_seconds(&whole.state().history));
    drop(whole);
    let weights = |run: &str| std::fs::read(folder.path().join(run).join("small.safetensors")).unwrap();
    assert!(weights("parts") == weights("whole"), "the best weights differ");
    for file in ["history.csv", "curves.png", "found-and-missed.png", "checkpoint.safetensors"] {
        assert!(folder.path().join("whole").join(file).is_file(), "{file}");
    }

    let changed = FacesRecipe { seed: 6, ..recipe };
    let error = trainer(folder.path(), &changed, "whole").err().unwrap().to_string();
    assert!(error.contains("another recipe"), "{error}");
}

fn mien() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin("mien"))
}

#[test]
fn the_commands_train_measure_and_calibrate_a_detector() {
    let folder = TempDir::new().unwrap();
    let data = write_data(folder.path());
    let recipe = write_recipe(folder.path());
    let run = folder.path().join("run");
    let mut train = mien();
    train.arg("train").arg(&recipe).arg("--data").arg(&data).arg("--run").arg(&run).args(["--threads", "1"]);
    train.assert().success();
    let model = run.join("small.safetensors");
    let card = || std::fs::read_to_string(run.join("small.toml")).unwrap();
    assert!(card().contains("teacher = \"the test\"") && !card().contains("[[evaluation]]"), "{}", card());

    let evaluate = || {
        let mut command = mien();
        command.args(["evaluate", "faces"]).arg(&model).arg("--data").arg(&data).args(["--side", "64"]);
        command
    };
    let output = evaluate().args(["--record", "--calibrate", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // Two portraits, eight scenes with two faces each in each of two sets, and eight pictures without a face.
    assert_eq!(report["pictures"], 2 + 8 + 8 + 8);
    assert_eq!(report["sizes"][0]["faces"], 2 + 16 + 16);
    for figure in ["average_precision", "false_boxes_per_100"] {
        assert!(report["sizes"][0][figure].is_number(), "{report}");
        let of_roll = report["rolls"][0].get(figure);
        assert_eq!(of_roll, Some(&serde_json::Value::Null), "a box on nothing has no roll: {report}");
    }
    assert!(card().contains("[[evaluation]]"), "{}", card());
    let loaded = FaceNetwork::load(&ModelSource::File(model.clone()), Device::Cpu, mien::net::Precision::F32).unwrap();
    assert_eq!(loaded.card.evaluation[0].pictures, 26);
    // The precision curve contains the same boxes however the card shifts their scores.
    let precision = |shift: f32| {
        let mut moved = loaded.card.clone();
        moved.score.shift = shift;
        std::fs::write(run.join("small.toml"), moved.to_toml().unwrap()).unwrap();
        let report: serde_json::Value =
            serde_json::from_slice(&evaluate().arg("--json").output().unwrap().stdout).unwrap();
        report["sizes"][0]["average_precision"].as_f64().unwrap()
    };
    let [plain, moved] = [0.0, -30.0].map(precision);
    assert!(plain > 0.0 && plain == moved, "{plain} and {moved}");
    let table = String::from_utf8(evaluate().output().unwrap().stdout).unwrap();
    assert!(table.contains("160 px") && table.contains("30 to 45°"), "{table}");
    // The card's figures depend on its score, which is now a different one.
    let calibrate =
        |more: &[&str]| assert!(evaluate().arg("--calibrate").args(more).output().unwrap().status.success());
    calibrate(&[]);
    assert!(!card().contains("[[evaluation]]"), "{}", card());
    calibrate(&["--record"]);
    calibrate(&[]);
    assert!(card().contains("[[evaluation]]"), "the score stayed as it was: {}", card());
}

#[test]
fn shipped_recipes_of_both_kinds_fit_and_a_detectors_mistakes_are_told_with_their_lines() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/recipes");
    let recipes = std::fs::read_dir(shipped).unwrap().map(|entry| entry.unwrap().path());
    let output = mien().args(["recipe", "check"]).args(recipes).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("faces.toml: valid (faces)"));

    let folder = TempDir::new().unwrap();
    let recipe = write_recipe(folder.path());
    let good = std::fs::read_to_string(&recipe).unwrap();
    let told = |text: String| {
        std::fs::write(&recipe, text).unwrap();
        let output = mien().args(["recipe", "check"]).arg(&recipe).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let values = told(good.replace("epochs = 2", "epochs = 0").replace("learning_rate = 0.003", "learning_rate = nan"));
    assert!(
        values.contains("2 mistakes: line 8: `epochs`") && values.contains("line 17: `optimizer.learning"),
        "{values}"
    );
    let unknown = told(good.replace("pictures = 16", "pixtures = 16"));
    assert!(unknown.contains("line 9: unknown field `pixtures`"), "{unknown}");
}

#[test]
fn data_and_models_that_can_not_be_used_are_named() {
    let folder = TempDir::new().unwrap();
    let recipe = write_recipe(folder.path());
    let refuses = |command: &mut Command, words: &[&str]| {
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "“{word}” is not in: {stderr}");
        }
    };
    let train = |data: &Path| {
        let mut command = mien();
        command.arg("train").arg(&recipe).arg("--data").arg(data).arg("--run").arg(folder.path().join("run"));
        command
    };
    refuses(&mut train(&folder.path().join("nothing")), &["nothing", "portraits/ or scenes/"]);
    let data = write_data(folder.path());
    let labels = data.join("portraits/labels.csv");
    let good = std::fs::read_to_string(&labels).unwrap();
    std::fs::write(&labels, good.replacen("00003.png", "none.png", 1)).unwrap();
    refuses(&mut train(&data), &["none.png", "No such file"]);
    std::fs::write(&labels, good.replacen("00003.png,64,64,", "00003.png,64,64,x", 1)).unwrap();
    refuses(&mut train(&data), &["labels.csv", "can't use"]);
    std::fs::write(&labels, &good).unwrap();
    std::fs::write(data.join("portraits/00004.png"), "no picture").unwrap();
    refuses(&mut train(&data), &["00004.png", "can't be read as a picture"]);
    assert!(!folder.path().join("run").exists(), "what can't be used leaves no folder behind");

    let evaluate = |model: &str| {
        let mut command = mien();
        command.args(["evaluate", "faces", model, "--data"]).arg(&data);
        command
    };
    refuses(&mut evaluate("cnn4-ferplus"), &["cnn4-ferplus", "classifier"]);
    refuses(evaluate("faces").arg("--record"), &["--record", "faces is part of the program"]);
    let mut without_data = mien();
    refuses(without_data.args(["evaluate", "faces", "nonesuch", "--data", "."]), &["nonesuch", "faces"]);
}
