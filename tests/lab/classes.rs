//! Custom classes of a recipe, from the data to the card.

use std::path::{Path, PathBuf};

use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use tempfile::TempDir;

use crate::fixtures::{json_of, mien, write_recipe};

/// Pictures per class and person.
const PICTURES: usize = 3;

/// Writes a list of pictures of six people in two classes that are easy to tell apart: horizontal and vertical gratings.
fn write_list(folder: &Path) -> PathBuf {
    let mut list = "path,label,subject\n".to_owned();
    for person in 0..6 {
        for (class, name) in ["tired", "wide awake"].into_iter().enumerate() {
            for picture in 0..PICTURES {
                let file = format!("{name}-{person}-{picture}.png");
                let shade = |x: u32, y: u32| {
                    let place = if class == 0 { x } else { y } as f32;
                    (128.0 + (60 + 10 * person) as f32 * (0.5 * place + picture as f32).sin()) as u8
                };
                image::GrayImage::from_fn(48, 48, |x, y| image::Luma([shade(x, y)])).save(folder.join(&file)).unwrap();
                list += &format!("{file},{name},P{person}\n");
            }
        }
    }
    let path = folder.join("faces.csv");
    std::fs::write(&path, list).unwrap();
    path
}

#[test]
fn a_recipe_names_its_classes_and_card_figures_and_tables_carry_them() {
    let folder = TempDir::new().unwrap();
    let data = write_list(folder.path());
    let own = "classes = [\"tired\", \"wide awake\"]\ntarget = \"label\"";
    let recipe = write_recipe(folder.path(), &[("target = \"label\"", own), ("epochs = 3", "epochs = 8")]);
    mien().args(["recipe", "check"]).arg(&recipe).assert().success().stdout(contains("valid (cnn4)"));
    let twice = folder.path().join("twice.toml");
    std::fs::write(&twice, "seed = 1\nclasses = [\"tired\", \"Tired\"]\n").unwrap();
    mien()
        .args(["recipe", "check"])
        .arg(&twice)
        .assert()
        .code(1)
        .stderr(contains("line 2: `classes`: “Tired” is named twice"));

    let names = ["--classes", "tired,wide awake"];
    let summary = json_of(mien().args(["dataset", "--no-cache", "--json"]).arg(&data).args(names));
    assert_eq!(summary["labels"], serde_json::json!(["tired", "wide awake"]));
    mien().args(["dataset", "--no-cache"]).arg(&data).args(names).assert().success().stdout(contains("Wide awake"));
    mien().args(["dataset", "--no-cache"]).arg(&data).assert().code(1).stderr(contains("“tired” names no emotion"));

    let run = folder.path().join("run");
    let train = |recipe: &Path| {
        let mut command = mien();
        command.arg("train").arg(recipe).arg("--run").arg(&run).args([
            "--threads",
            "1",
            "--no-cache",
            "--measure",
            "--data",
        ]);
        command.arg(&data);
        command.assert()
    };
    train(&recipe).success();
    let model = run.join("small.safetensors");
    let card: toml::Table = std::fs::read_to_string(run.join("small.toml")).unwrap().parse().unwrap();
    assert_eq!(card["labels"].as_array().unwrap().len(), 2);
    assert_eq!(card["training"]["recipe"]["classes"], card["labels"]);
    let prior = card["calibration"]["training_prior"].as_table().unwrap();
    assert!((prior["wide awake"].as_float().unwrap() - 0.5).abs() < 0.01, "{prior}");
    assert!(card["intended_use"].as_str().unwrap().contains("these classes: tired and wide awake"));
    // Gratings are easy: chance is 0.5.
    assert!(card["evaluation"].as_array().unwrap().iter().all(|figure| figure["accuracy"].as_float().unwrap() > 0.8));

    let mut evaluate = mien();
    evaluate.args(["evaluate", "--no-cache"]).args([&model, &data]).args([
        "--split",
        "all",
        "--json",
        "--record",
        "--calibrate",
    ]);
    let recorded = evaluate.arg("--plot").arg(folder.path().join("confusion.png")).assert().success();
    let recorded = recorded.stderr(contains("the model's default prior is now uniform, no longer training"));
    let report: serde_json::Value = serde_json::from_slice(&recorded.get_output().stdout).unwrap();
    assert_eq!(report["labels"], serde_json::json!(["tired", "wide awake"]));
    assert_eq!(
        (&report["per_class"][1]["class"], &report["per_class"][1]["support"]),
        (&"wide awake".into(), &18.into())
    );
    assert_eq!((report["confusion"].as_array().unwrap().len(), &report["n"]), (2, &36.into()));
    assert!(folder.path().join("confusion.png").is_file());
    mien().args(["evaluate", "--no-cache"]).args([&model, &data]).assert().success().stdout(contains("Wide awake"));
    let mut against = mien();
    against.args(["evaluate", "--no-cache"]).args([&model, &data]).args(["--against", "mien"]);
    against.assert().code(1).stderr(contains("small and mien can't be compared: they don't have the same classes"));
    mien().arg("compare").arg(&run).assert().success().stdout(contains("2 classes").and(contains("tired, wide awake")));

    // A run can't be resumed with other classes.
    let swapped = "classes = [\"wide awake\", \"tired\"]\ntarget = \"label\"";
    let other = write_recipe(folder.path(), &[("target = \"label\"", swapped), ("epochs = 3", "epochs = 8")]);
    train(&other).code(1).stderr(contains("`classes`"));

    // A grating shows no face, but the table has the columns of the model.
    let output = folder.path().join("results");
    let picture = folder.path().join("tired-0-0.png");
    let mut analyze = mien();
    analyze.arg("analyze").arg(&picture).args(["--output", output.to_str().unwrap(), "--model"]).arg(&model);
    analyze.assert().success();
    let table = std::fs::read_to_string(output.join("pictures.csv")).unwrap();
    assert!(table.contains("raw_tired,raw_wide_awake,smoothed_tired,smoothed_wide_awake"), "{table}");
    mien().arg("export").args([&model, &folder.path().join("own.onnx")]).assert().success();
}

#[test]
fn a_teacher_of_other_classes_is_refused() {
    let folder = TempDir::new().unwrap();
    let data = write_list(folder.path());
    let teacher = folder.path().join("seven.safetensors");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mien.safetensors");
    std::fs::copy(&shipped, &teacher).unwrap();
    std::fs::copy(shipped.with_extension("toml"), teacher.with_extension("toml")).unwrap();
    let own = format!(
        "classes = [\"tired\", \"wide awake\"]\ndistillation = {{ teachers = [\"{}\"] }}\ntarget = \"label\"",
        teacher.display()
    );
    let recipe = write_recipe(folder.path(), &[("target = \"label\"", &own)]);
    mien()
        .arg("train")
        .arg(&recipe)
        .args(["--no-cache", "--data"])
        .arg(&data)
        .current_dir(&folder)
        .assert()
        .code(1)
        .stderr(contains("tells apart angry").and(contains("and the recipe tired, wide awake")));
}

#[test]
fn a_training_whose_backbone_has_no_weights_says_so_first_and_so_does_its_card() {
    let folder = TempDir::new().unwrap();
    let data = write_list(folder.path());
    let changes = [
        (
            "target = \"label\"",
            "classes = [\"tired\", \"wide awake\"]\nbackbone = { frozen = true }\ntarget = \"label\"",
        ),
        ("\"cnn4\", dropout_conv = 0.1", "\"mobilenet2\", side = 32, hidden = []"),
        ("epochs = 3", "epochs = 1"),
    ];
    let recipe = write_recipe(folder.path(), &changes);
    let run = folder.path().join("run");
    let train = |run: &Path, more: &[&Path]| {
        let mut command = mien();
        command.arg("train").arg(&recipe).arg("--run").arg(run).args(["--threads", "1", "--no-cache", "--data"]);
        let output = command.arg(&data).args(more).assert().success().get_output().stderr.clone();
        (String::from_utf8(output).unwrap(), std::fs::read_to_string(run.join("small.toml")).unwrap())
    };
    let (said, card) = train(&run, &[]);
    let warning = said.find("warning: the backbone begins without weights, so it isn't frozen");
    assert!(warning.unwrap() < said.find("epoch").unwrap(), "{said}");
    assert!(card.contains("so it wasn't frozen, as the recipe has it, but learnt from scratch"), "{card}");
    assert!(!card.contains("backbone_sha256"), "{card}");

    // With weights, it says which.
    let weights = run.join("small.safetensors");
    let (said, card) = train(&folder.path().join("frozen"), &[Path::new("--backbone"), &weights]);
    assert!(!said.contains("without weights") && !card.contains("from scratch"), "{said}{card}");
    let sum = mien::lab::provenance::sha256(&weights).unwrap();
    assert!(card.contains(&format!("backbone_sha256 = \"{sum}\"")), "{card}");
}
