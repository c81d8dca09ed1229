//! Small files that demand much memory or time: each is refused with one line of error, quickly and in little memory.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::files::{Files, assert_one_error};

/// The address space that the program may use, in kB: more than libtorch and OpenCV need by themselves, less than any of these
/// files would need unchecked.
const ADDRESS_SPACE_KB: u64 = 6_000_000;

/// Seconds within which a file has to be refused, with a margin for busy machines.
const PATIENCE_SECS: u64 = 30;

fn mien() -> PathBuf {
    assert_cmd::cargo::cargo_bin("mien")
}

/// Runs `mien` with little memory and time. It must fail with one line of error that contains `said`.
#[track_caller]
fn refuses(arguments: &[&Path], said: &str) {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE_SECS.to_string()).args(["sh", "-c"]);
    command.arg(format!("ulimit -v {ADDRESS_SPACE_KB}; exec \"$@\"")).arg("sh").arg(mien()).args(arguments);
    assert_one_error(&command.stdin(Stdio::null()).output().unwrap(), &[said]);
}

impl Files {
    /// A copy of the shipped model `mien` with this `[network]` table in its card.
    fn model_of(&self, network: &str) -> PathBuf {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mien.safetensors");
        let weights = self.path("model.safetensors");
        fs::copy(&shipped, &weights).unwrap();
        let card = fs::read_to_string(shipped.with_extension("toml")).unwrap();
        let (before, after) = card.split_once("[network]\n").unwrap();
        let after = after.split_once("\n[").unwrap().1;
        fs::write(weights.with_extension("toml"), format!("{before}[network]\n{network}\n\n[{after}")).unwrap();
        weights
    }
}

#[test]
fn cards_that_ask_for_giant_networks() {
    let files = Files::new();
    let data = files.file("fer2013.csv", "emotion,pixels,Usage\n");
    for (network, said) in [
        ("architecture = \"mien\"\nchannels = [10000, 10000, 10000, 10000, 10000]", "more than 250000000 parameters"),
        ("architecture = \"mien\"\nchannels = [1000000000, 8, 8, 8, 8]", "more than 250000000 parameters"),
        ("architecture = \"mien\"\nblocks = [1000000, 1, 1, 1]", "more than"),
        ("architecture = \"vgg-face\"\nside = 224\nhidden = [4096, 4096]", "belong to another network"),
    ] {
        refuses(&[Path::new("evaluate"), &files.model_of(network), &data], said);
    }
}

#[test]
fn recipes_that_ask_for_giant_networks() {
    let files = Files::new();
    let recipe = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/recipes/mien.toml")).unwrap();
    let (before, after) = recipe.split_once("[network]\n").unwrap();
    let after = after.split_once("\n[").unwrap().1;
    let network = "architecture = \"mien\"\nchannels = [10000, 10000, 10000, 10000, 10000]";
    let recipe = files.file("recipe.toml", format!("{before}[network]\n{network}\n\n[{after}"));
    refuses(
        &[Path::new("train"), &recipe, Path::new("--data"), &files.path("no-data.csv")],
        "more than 250000000 parameters",
    );
}

#[test]
fn a_table_whose_line_never_ends() {
    let files = Files::new();
    let path = files.path("fer2013.csv");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"emotion,pixels,Usage\n3,").unwrap();
    // 8 GB without a line end, as a sparse file that takes no disk space.
    file.set_len(8 << 30).unwrap();
    refuses(&[Path::new("dataset"), &path], "a row has more than");
    let votes = files.file("whole.csv", format!("emotion,pixels,Usage\n3,{},Training\n", vec!["7"; 2304].join(" ")));
    refuses(&[Path::new("dataset"), &votes, Path::new("--ferplus"), &path], "");
}

#[test]
fn text_files_of_gigabytes() {
    let files = Files::new();
    let giant = |name: &str| {
        let path = files.path(name);
        fs::File::create(&path).unwrap().set_len(8 << 30).unwrap();
        path
    };
    let data = files.path("data.csv");
    refuses(&[Path::new("train"), &giant("recipe.toml"), Path::new("--data"), &data], "larger than the");
    let weights = files.model_of("architecture = \"mien\"");
    giant("model.toml");
    refuses(&[Path::new("evaluate"), &weights, &data], "larger than the");
}

#[cfg(feature = "vision")]
#[test]
fn pictures_of_many_pixels() {
    let files = Files::new();
    let path = files.path("large.png");
    image::GrayImage::new(1500, 1500).save(&path).unwrap();
    let limit = |options: &[&str]| {
        let output = Command::new(mien())
            .arg("analyze")
            .arg(&path)
            .arg("--output")
            .arg(files.path("out"))
            .arg("--max-megapixels")
            .args(options)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (success, said) = limit(&["2"]);
    assert!(!success && said.contains("1500×1500 pixels") && said.contains("more than 2 megapixels"), "{said}");
    // Another limit is a changed option, so the record of the first run is only replaced with --force.
    assert!(!limit(&["3"]).0);
    let (success, said) = limit(&["3", "--force"]);
    assert!(success && said.contains("1 frame,"), "{said}");
}
