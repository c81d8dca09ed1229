//! What a user gets for files that are missing, damaged or of another kind: one clear line and a non-zero exit code.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

use crate::support::files::{Files, assert_one_error};

/// Pixels of a FER2013 picture.
const PIXELS: usize = 48 * 48;

fn mien() -> Command {
    Command::cargo_bin("mien").unwrap()
}

/// Runs a command that must fail with one line of error, its last, that contains all of `said`.
#[track_caller]
fn refuses(command: &mut Command, said: &[&str]) {
    assert_one_error(&command.output().unwrap(), said);
}

impl Files {
    /// A copy of the model that Mien ships.
    fn model(&self, name: &str) -> Model {
        let weights = self.path(&format!("{name}.safetensors"));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cnn4-ferplus.safetensors");
        fs::copy(&shipped, &weights).unwrap();
        let model = Model { weights };
        fs::copy(shipped.with_extension("toml"), model.card()).unwrap();
        model
    }

    /// FER2013 as small as it can be: a picture in each split.
    fn fer2013(&self) -> PathBuf {
        self.file(
            "fer2013.csv",
            fer2013(&[row("3", "7", "Training"), row("6", "7", "PublicTest"), row("0", "7", "PrivateTest")]),
        )
    }
}

struct Model {
    weights: PathBuf,
}

impl Model {
    fn card(&self) -> PathBuf {
        self.weights.with_extension("toml")
    }

    fn edit_card(&self, from: &str, to: &str) {
        let card = fs::read_to_string(self.card()).unwrap();
        assert!(card.contains(from), "the card says nothing like {from}");
        fs::write(self.card(), card.replacen(from, to, 1)).unwrap();
    }

    #[track_caller]
    fn is_refused(&self, files: &Files, said: &[&str]) {
        refuses(mien().arg("evaluate").arg(&self.weights).arg(files.fer2013()), said);
    }
}

fn fer2013(rows: &[String]) -> String {
    format!("emotion,pixels,Usage\n{}", rows.concat())
}

fn row(label: &str, pixel: &str, usage: &str) -> String {
    format!("{label},{},{usage}\n", vec![pixel; PIXELS].join(" "))
}

/// Checks that `mien evaluate` refuses the data.
#[track_caller]
fn data_is_refused(data: &Path, said: &[&str]) {
    refuses(mien().args(["evaluate", "cnn4-ferplus"]).arg(data), said);
}

#[test]
fn data_that_is_not_there_or_not_a_file() {
    let files = Files::new();
    data_is_refused(&files.path("none.csv"), &["none.csv", "No such file"]);
    data_is_refused(files.folder(), &[files.folder().to_str().unwrap(), "directory"]);
}

#[test]
fn data_of_another_kind() {
    let files = Files::new();
    let wanted = "first line has to name the columns emotion, pixels, Usage";
    data_is_refused(&files.file("empty.csv", ""), &["empty.csv", wanted]);
    data_is_refused(&files.file("other.csv", "name,age\nAda,36\n"), &["other.csv", wanted]);
    data_is_refused(&files.file("noise.csv", [0, 159, 146, 150, 10, 255, 0, 1]), &["noise.csv", wanted]);
    data_is_refused(&files.file("no-header.csv", row("3", "7", "Training")), &["no-header.csv", wanted]);
}

#[test]
fn rows_that_do_not_hold_a_picture_are_named_by_their_line() {
    let files = Files::new();
    let good = row("3", "7", "Training");
    let bad = |name: &str, row: &str, said: &[&str]| {
        let data = files.file(name, fer2013(&[good.clone(), row.to_owned()]));
        data_is_refused(&data, &[&[name, "line 3"], said].concat());
    };
    bad("short.csv", "3,1 2 3,Training\n", &["3 pixels instead of 2304"]);
    bad("cut.csv", "3,1 2", &["cut off"]);
    bad("label.csv", &row("9", "7", "Training"), &["“9”", "0 to 6"]);
    bad("word.csv", &row("3", "x", "Training"), &["“x”", "0 to 255"]);
    bad("bright.csv", &row("3", "256", "Training"), &["“256”", "0 to 255"]);
    bad("usage.csv", &row("3", "7", "Holiday"), &["“Holiday”"]);
}

#[test]
fn data_without_pictures_in_a_split_is_named() {
    let files = Files::new();
    data_is_refused(&files.file("header.csv", fer2013(&[])), &["header.csv", "no picture of the split Training"]);
    let training = fer2013(&[row("3", "7", "Training")]);
    data_is_refused(&files.file("training.csv", training), &["no picture of the split PublicTest"]);
}

#[test]
fn votes_that_do_not_belong_to_the_data() {
    let files = Files::new();
    let data = files.fer2013();
    let evaluate = || {
        let mut command = mien();
        command.args(["evaluate", "cnn4-ferplus"]).arg(&data);
        command
    };
    refuses(evaluate().args(["--rule", "majority"]), &["--ferplus"]);
    refuses(evaluate().arg("--ferplus").arg(files.path("none.csv")), &["none.csv", "No such file"]);
    refuses(evaluate().arg("--ferplus").arg(&data), &["fer2013.csv", "first line"]);
    let header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n";
    let one = files.file("one.csv", format!("{header}Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\n"));
    refuses(evaluate().arg("--ferplus").arg(one), &["one.csv", "1 rows", "3"]);
    let words = files.file("words.csv", format!("{header}Training,fer0000000.png,many,0,0,1,3,2,0,0,0,0\n"));
    refuses(evaluate().arg("--ferplus").arg(words), &["words.csv", "line 2", "many"]);
}

#[test]
fn a_model_that_is_not_there_is_answered_with_those_that_are() {
    let files = Files::new();
    let data = files.fer2013();
    refuses(mien().args(["evaluate", "nonesuch"]).arg(&data), &["nonesuch", "cnn4-ferplus"]);
    let missing = files.path("none.safetensors");
    refuses(mien().arg("evaluate").arg(missing).arg(&data), &["none.safetensors", "cnn4-ferplus"]);
}

#[test]
fn a_model_without_a_card_or_with_a_damaged_one() {
    let files = Files::new();
    let model = files.model("bare");
    fs::remove_file(model.card()).unwrap();
    model.is_refused(&files, &["no card", "bare.toml"]);

    let model = files.model("scrawl");
    fs::write(model.card(), "this is = = no card").unwrap();
    model.is_refused(&files, &["scrawl", "card is damaged"]);

    let model = files.model("future");
    model.edit_card("format = 1", "format = 99");
    model.is_refused(&files, &["future", "format 99", "newer Mien"]);
}

#[test]
fn a_card_that_asks_for_another_network() {
    let files = Files::new();
    let model = files.model("other");
    model.edit_card("architecture = \"cnn4\"", "architecture = \"cnn9000\"");
    model.is_refused(&files, &["other", "cnn9000", "known are", "cnn4"]);

    let model = files.model("large");
    model.edit_card("size = 48", "size = 224");
    model.is_refused(&files, &["large", "224"]);
}

#[test]
fn weights_that_are_damaged_or_of_another_network() {
    let files = Files::new();
    let model = files.model("cut");
    let whole = fs::read(&model.weights).unwrap();
    fs::write(&model.weights, &whole[..whole.len() / 2]).unwrap();
    model.is_refused(&files, &["cut", "damaged"]);

    let model = files.model("text");
    fs::write(&model.weights, "these are no weights").unwrap();
    model.is_refused(&files, &["text", "damaged or not a safetensors file"]);

    let model = files.model("empty");
    fs::write(&model.weights, "").unwrap();
    model.is_refused(&files, &["empty", "damaged or not a safetensors file"]);

    let model = files.model("stranger");
    let header = r#"{"stranger":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &1f32.to_le_bytes()].concat();
    fs::write(&model.weights, bytes).unwrap();
    model.is_refused(&files, &["stranger", "another network"]);
}

#[test]
fn weights_that_hold_no_numbers() {
    let files = Files::new();
    let model = files.model("nan");
    let mut bytes = fs::read(&model.weights).unwrap();
    // The last value becomes NaN; half precision has two bytes per value.
    let end = bytes.len() - 2;
    bytes[end..].copy_from_slice(&0x7e00_u16.to_le_bytes());
    fs::write(&model.weights, bytes).unwrap();
    model.is_refused(&files, &["nan", "not finite"]);
}

#[test]
fn a_device_that_is_not_there() {
    if tch::Cuda::is_available() {
        return;
    }
    let files = Files::new();
    let data = files.fer2013();
    let evaluate = || {
        let mut command = mien();
        command.args(["evaluate", "cnn4-ferplus"]).arg(&data).arg("--device");
        command
    };
    refuses(evaluate().arg("cuda"), &["CUDA"]);
    let output = evaluate().arg("toaster").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("toaster"));
}

/// A recipe that trains within seconds on a handful of pictures.
const RECIPE: &str = r#"
name = "tiny"
description = "A test."
target = "label"
seed = 1
epochs = 1
batch_size = 4
patience = 1
[network]
architecture = "cnn4"
[optimizer]
kind = "adam"
learning_rate = 1e-3
[schedule]
kind = "plateau"
factor = 0.5
patience = 1
min_learning_rate = 1e-5
"#;

/// `mien train` with this recipe, into the folder `run`.
fn train(files: &Files, recipe: &Path) -> Command {
    let mut command = mien();
    command.arg("train").arg(recipe).arg("--data").arg(files.fer2013()).arg("--run").arg(files.path("run"));
    command
}

#[test]
fn recipes_that_can_not_be_used() {
    let files = Files::new();
    refuses(&mut train(&files, &files.path("none.toml")), &["none.toml", "No such file"]);
    let recipe = |name: &str, from: &str, to: &str, said: &[&str]| {
        assert!(RECIPE.contains(from));
        let path = files.file(name, RECIPE.replacen(from, to, 1));
        refuses(&mut train(&files, &path), &[&[name], said].concat());
    };
    recipe("scrawl.toml", "seed = 1", "seed = = 1", &["line 5"]);
    recipe("typo.toml", "epochs = 1", "epochs = 1\nepoch = 2", &["`epoch`", "unknown field"]);
    recipe("none.toml", "epochs = 1", "epochs = 0", &["epochs"]);
    recipe("strange.toml", "cnn4", "cnn9000", &["cnn9000"]);
    assert!(!files.path("run").exists(), "a run was begun by a recipe that can't be used");
}

#[test]
fn a_recipe_for_votes_asks_for_the_votes() {
    let files = Files::new();
    let recipe = files.file("votes.toml", RECIPE.replace("\"label\"", "\"votes\""));
    refuses(&mut train(&files, &recipe), &["--ferplus", "fer2013new.csv"]);
}

#[test]
fn a_run_folder_that_can_not_be_made() {
    let files = Files::new();
    files.file("run", "a file is in the way");
    let recipe = files.file("tiny.toml", RECIPE);
    refuses(&mut train(&files, &recipe), &["run folder", files.path("run").to_str().unwrap()]);
}

/// A limit on the size of files stands in for a full disk: both fail in the middle of a write.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_half_written_model() {
    let files = Files::new();
    let recipe = files.file("tiny.toml", RECIPE);
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin("mien"));
    command.args(train(&files, &recipe).get_args());
    refuses(&mut command, &["can't write", "too large"]);
    let run = files.path("run");
    let left: Vec<_> = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !left.iter().any(|name| Path::new(name).extension().is_some_and(|end| end == "safetensors")),
        "a model that isn't whole: {left:?}"
    );
}

/// Videos, and files that are mistaken for videos.
#[cfg(feature = "vision")]
mod video {
    use opencv::core::{CV_8UC3, Mat, Scalar, Size};
    use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};

    use super::*;

    /// Checks that `mien bench`, and so everything that reads videos, refuses a file.
    #[track_caller]
    fn is_refused(file: &Path, said: &[&str]) {
        refuses(mien().args(["bench", "--frames", "1"]).arg(file), said);
    }

    fn write_video(path: &Path, codec: &[u8; 4], frames: usize) {
        let fourcc = i32::from_le_bytes(*codec);
        let mut writer = VideoWriter::new(path, fourcc, 25.0, Size::new(64, 48), true).unwrap();
        assert!(writer.is_opened().unwrap());
        let picture = Mat::new_rows_cols_with_default(48, 64, CV_8UC3, Scalar::all(80.0)).unwrap();
        for _ in 0..frames {
            writer.write(&picture).unwrap();
        }
        writer.release().unwrap();
    }

    /// A second of silence.
    fn wav() -> Vec<u8> {
        let (rate, seconds) = (8000_u32, 1);
        let data = vec![0; (rate * seconds) as usize];
        let length = data.len() as u32;
        let mut bytes = [&b"RIFF"[..], &(36 + length).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes()].concat();
        // Uncompressed, one channel, 8 bits.
        bytes.extend([1_u16, 1].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([rate, rate].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([1_u16, 8].iter().flat_map(|number| number.to_le_bytes()));
        [bytes, b"data".to_vec(), length.to_le_bytes().to_vec(), data].concat()
    }

    #[test]
    fn files_that_are_no_video() {
        let files = Files::new();
        is_refused(&files.path("none.mp4"), &["none.mp4", "does not exist"]);
        is_refused(files.folder(), &["is a folder"]);
        is_refused(&files.file("empty.mp4", ""), &["empty.mp4", "is empty"]);
        is_refused(&files.file("text.mp4", "this is no video, whatever its name says"), &["text.mp4", "text"]);
        is_refused(&files.file("sound.wav", wav()), &["sound.wav", "no picture"]);
    }

    #[test]
    fn videos_that_are_cut_or_empty() {
        let files = Files::new();
        let whole = files.path("whole.mp4");
        write_video(&whole, b"mp4v", 50);
        let bytes = fs::read(whole).unwrap();
        is_refused(&files.file("cut.mp4", &bytes[..bytes.len() / 2]), &["cut.mp4", "cut"]);

        let nothing = files.path("nothing.avi");
        write_video(&nothing, b"MJPG", 0);
        is_refused(&nothing, &["nothing.avi"]);
    }

    #[test]
    fn a_model_or_device_that_is_not_there_is_noticed_before_the_work() {
        let files = Files::new();
        let video = files.path("whole.avi");
        write_video(&video, b"MJPG", 5);
        let bench = || {
            let mut command = mien();
            command.arg("bench").arg(&video);
            command
        };
        refuses(bench().args(["--model", "nonesuch"]), &["nonesuch", "cnn4-ferplus"]);
        if !tch::Cuda::is_available() {
            refuses(bench().args(["--device", "cuda"]), &["CUDA"]);
        }
    }
}

#[test]
fn blur_without_a_recording_is_refused_before_a_camera_is_opened() {
    refuses(mien().args(["live", "--headless", "--blur", "faces"]), &["--blur changes what is recorded", "--record"]);
    refuses(mien().args(["live", "--headless", "--csv", "-"]), &["--jsonl -"]);
}
