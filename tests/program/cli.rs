//! The command line as a user sees it: help, versions, completions and errors.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};

fn mien() -> Command {
    Command::cargo_bin("mien").unwrap()
}

#[test]
fn the_version_names_the_libraries_that_decide_results() {
    let libraries = contains("libtorch 2.").and(contains("OpenCV 4.").or(contains("OpenCV 5.")));
    mien().arg("--version").assert().success().stdout(contains(env!("CARGO_PKG_VERSION")).and(libraries));
    // The short form is one line, for scripts.
    mien().arg("-V").assert().success().stdout(format!("mien {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_says_what_each_command_is_for() {
    let help = mien().arg("--help").assert().success();
    let text = String::from_utf8(help.get_output().stdout.clone()).unwrap();
    for verb in ["bench", "train", "evaluate", "doctor", "completions"] {
        let line = text.lines().find(|line| line.trim_start().starts_with(verb)).unwrap_or_else(|| panic!("{verb}"));
        assert!(line.trim().len() > verb.len() + 10, "{line}");
    }
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        mien().args(["completions", shell]).assert().success().stdout(contains("doctor").and(contains("bench")));
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("man");
    mien().arg("man").arg(&folder).assert().success();
    let page = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(page("mien.1").contains("mien\\-train(1)"));
    assert!(page("mien-train.1").contains(".SH OPTIONS"));
    mien().arg("man").arg(folder.join("mien.1")).assert().code(1).stderr(contains("cannot write manual pages"));
}

#[test]
fn the_log_goes_where_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("mien.log");
    let networks = |arguments: &[&str]| mien().arg("networks").args(arguments).assert();
    networks(&["--log", file.to_str().unwrap()]).success().stderr(is_empty());
    assert!(file.exists());
    networks(&["--log", "info"]).success();
    let folder = home.path().to_str().unwrap();
    networks(&["--log", folder]).code(1).stderr(contains(format!("cannot log to {folder}")));
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    let binary = assert_cmd::cargo::cargo_bin("mien");
    let script = format!("set -o pipefail; '{}' completions bash | head -n 1", binary.display());
    Command::new("bash").args(["-c", &script]).assert().success().stderr(is_empty());
}

#[test]
fn a_wrong_command_is_answered_and_refused() {
    mien().arg("dance").assert().failure().stderr(contains("dance"));
}

#[cfg(feature = "vision")]
#[test]
fn the_doctor_names_what_it_looked_at_and_is_content_without_a_camera() {
    for clip in ["/no/such/clip.mp4", env!("CARGO_MANIFEST_PATH")] {
        let output = mien().args(["doctor", "--json"]).env("MIEN_DEMO_CLIP", clip).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let names: Vec<_> = json["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        for name in ["display", "camera", "demo clip", "OpenCV", "detector", "libtorch", "CUDA", "model"] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
        for check in json["checks"].as_array().unwrap() {
            let (works, hint) = (check["health"] == "works", check["hint"].is_string());
            assert!(works || hint || check["name"] == "CUDA", "there is no hint beside {check}");
        }
        // A server has no camera, and packages don't contain the demo clip.
        assert!(output.status.success() && json["ready"] == true, "{json:#}");
    }
}

#[test]
fn every_network_is_listed_with_what_it_costs() {
    let output = mien().args(["networks", "--json"]).assert().success().get_output().stdout.clone();
    let networks: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let entry = |name: &str| {
        networks.as_array().unwrap().iter().find(|n| n["name"] == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    let cnn4 = entry("cnn4");
    assert_eq!((cnn4["parameters"].as_u64(), cnn4["input_side"].as_i64()), (Some(4_472_775), Some(48)));
    assert!(cnn4["macs"].as_u64().unwrap() > 280_000_000, "{cnn4}");
    assert!(cnn4["backbone_weights"].is_null());
    // Published for 224×224 pixels: 23.5 M parameters without classifier.
    let resnet = entry("resnet50");
    assert_eq!(resnet["parameters"].as_u64(), Some(23_508_032 + 2048 * 1024 + 1024 + 1024 * 7 + 7));
    assert_eq!(resnet["backbone_weights"], "torchvision");
    assert_eq!(entry("inception3")["input_side"], 75);
    mien().arg("networks").assert().success().stdout(contains("sequential4").and(contains("96×96")));
}

#[test]
fn weights_are_converted_under_their_own_names_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, output) = (folder.path().join("weights.npz"), folder.path().join("weights.safetensors"));
    let tensor = tch::Tensor::from_slice(&[1.0_f32, 2.0, 3.0]);
    tch::Tensor::write_npz(&[("layer.weight", &tensor)], &archive).unwrap();
    mien().arg("convert").args([&archive, &output]).assert().success().stdout(contains("layer.weight  [3]"));
    // The output can be converted again, and gives the same bytes.
    let again = folder.path().join("again.safetensors");
    mien().arg("convert").args([&output, &again]).assert().success();
    assert_eq!(std::fs::read(&output).unwrap(), std::fs::read(&again).unwrap());

    let text = folder.path().join("notes.pth");
    std::fs::write(&text, "not weights").unwrap();
    let refused = mien().arg("convert").args([&text, &folder.path().join("none.safetensors")]).assert().failure();
    refused.stderr(contains("notes.pth").and(contains(".npz")));
    assert!(!folder.path().join("none.safetensors").exists());
    mien().arg("convert").args([&archive, &text]).assert().failure().stderr(contains("notes.safetensors"));
}

#[test]
fn shipped_networks_are_exported_and_what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["mien", "faces"] {
        let output = folder.path().join(model).with_extension("onnx");
        mien().args(["export", model]).arg(&output).assert().success().stdout(contains("written to"));
        let file = std::fs::read(&output).unwrap();
        let says = |words: &str| file.windows(words.len()).any(|window| window == words.as_bytes());
        assert!(says("weights_sha256") && says("limits"), "{model}");
    }
    let output = folder.path().join("out.onnx");
    mien().args(["export", "mien"]).arg(output.with_extension("pt")).assert().failure().stderr(contains("out.onnx"));
    let with_prior = ["export", "faces", "--prior", "uniform"];
    mien().args(with_prior).arg(&output).assert().failure().stderr(contains("finds faces"));
    mien().args(["export", "mien-9"]).arg(&output).assert().failure().stderr(contains("cnn4-ferplus"));
    assert!(!output.exists());
}
