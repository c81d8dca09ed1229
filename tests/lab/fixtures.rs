//! Small data sets that a network can learn, and recipes for them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use mien::lab::datasets::Dataset;
use mien::lab::recipe::Recipe;
use mien::lab::{ClassifierTask, TrainError, Trainer};

/// Pictures per emotion and split in the small data set.
const PER_CLASS: usize = 2;

/// Writes a data set that a network can learn: each emotion is a grating in a different direction, with some noise.
pub fn write_data(folder: &Path) -> PathBuf {
    let mut text = String::from("emotion,pixels,Usage\n");
    let mut noise = 12_345_u32;
    for usage in ["Training", "PublicTest", "PrivateTest"] {
        for picture in 0..7 * PER_CLASS {
            let label = picture % 7;
            let angle = label as f32 * 0.45;
            write!(text, "{label},").unwrap();
            for i in 0..48 * 48 {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (x, y) = ((i % 48) as f32, (i / 48) as f32);
                let wave = (0.5 * (x * angle.cos() + y * angle.sin())).sin();
                let value = 128.0 + 90.0 * wave + (noise >> 27) as f32;
                write!(text, "{}{}", if i > 0 { " " } else { "" }, value as u8).unwrap();
            }
            writeln!(text, ",{usage}").unwrap();
        }
    }
    let path = folder.join("fer2013.csv");
    std::fs::write(&path, text).unwrap();
    path
}

/// Writes votes that agree with the labels, in FER+'s column order: nine of ten, and one for another emotion.
pub fn write_votes(folder: &Path) -> PathBuf {
    let column_of_label = [4, 5, 6, 1, 3, 2, 0];
    let mut text =
        String::from("Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n");
    for picture in 0..3 * 7 * PER_CLASS {
        let mut votes = [0; 10];
        let column = column_of_label[picture % (7 * PER_CLASS) % 7];
        votes[column] = 9;
        votes[(column + 1) % 7] = 1;
        let votes: Vec<String> = votes.iter().map(ToString::to_string).collect();
        writeln!(text, "Training,fer{picture:07}.png,{}", votes.join(",")).unwrap();
    }
    let path = folder.join("fer2013new.csv");
    std::fs::write(&path, text).unwrap();
    path
}

/// Writes the recipe of a small network, with changes to its text.
pub fn write_recipe(folder: &Path, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = String::from(
        "name = \"small\"\ndescription = \"For tests.\"\ntarget = \"label\"\nseed = 7\nepochs = 3\nbatch_size = 7\n\
         average = 0.9\npatience = 5\n\
         network = { architecture = \"cnn4\", dropout_conv = 0.1 }\n\
         optimizer = { kind = \"adamw\", learning_rate = 1e-3, weight_decay = 0.01 }\n\
         schedule = { kind = \"plateau\", factor = 0.5, patience = 1, min_learning_rate = 1e-6 }\n\
         augmentation = { flip = true, rotation_degrees = 5.0, shift = 0.05, erase = 0.3 }\n",
    );
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let path = folder.join("small.toml");
    std::fs::write(&path, text).unwrap();
    path
}

pub fn mien() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin("mien"))
}

/// Writes two small data sets in their usual layouts: CK+ with two emotions of six people, and JAFFE with five people.
pub fn write_folders(folder: &Path) -> [PathBuf; 2] {
    let picture = |path: PathBuf, seed: usize| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel =
            |x: u32, y: u32| image::Luma([((x as usize * (seed % 7 + 1) + y as usize * 3 + seed * 11) % 256) as u8]);
        image::GrayImage::from_fn(48, 48, pixel).save(path).unwrap();
    };
    let (ck, jaffe) = (folder.join("CK+48"), folder.join("jaffe"));
    for person in 0..6 {
        for (i, class) in ["anger", "happy"].iter().enumerate() {
            picture(ck.join(class).join(format!("S{person:03}_00{i}_00000010.png")), 10 * person + i);
        }
    }
    for (person, name) in ["KA", "KL", "KM", "KR", "MK"].iter().enumerate() {
        for (i, class) in ["SA", "NE"].iter().enumerate() {
            picture(jaffe.join(format!("{name}.{class}1.{person}.png")), 100 + 10 * person + i);
        }
    }
    [ck, jaffe]
}

/// Both as the sources of a recipe.
pub const TWO_SOURCES: &str = "data = { sources = [{ name = \"CK+48\", share = 0.5, evenly_over = \"emotions\" }, \
                           { name = \"JAFFE\", share = 0.5, evenly_over = \"people\" }] }\ntarget = \"label\"";

/// What a command that succeeds prints, as JSON.
pub fn json_of(command: &mut Command) -> serde_json::Value {
    serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap()
}

/// A classifier's training on the CPU.
pub fn classifier(
    recipe: Recipe,
    data: &Dataset,
    sha256: Vec<String>,
    run: &Path,
) -> Result<Trainer<ClassifierTask>, TrainError> {
    let task = ClassifierTask::new(&recipe, data, tch::Device::Cpu)?;
    Trainer::new(task, recipe, sha256, run, tch::Device::Cpu)
}
