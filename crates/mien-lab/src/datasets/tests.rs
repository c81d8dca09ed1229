//! Every kind of data set on disk, intact and damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::GrayImage;
use proptest::prelude::*;

use super::*;
use crate::faces::FaceMode;
use mien_core::crop::Framing;

/// Labels of FER2013.
const ANGRY: usize = 0;
const HAPPY: usize = 3;
const SAD: usize = 4;
const NEUTRAL: usize = 6;

/// A data set in a folder that is removed after the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A picture of 48×48 pixels, all of one gray.
    pub(crate) fn picture(&self, name: &str, gray: u8) {
        self.file(name, "");
        GrayImage::from_pixel(48, 48, image::Luma([gray])).save(self.path(name)).unwrap();
    }

    pub(crate) fn pictures(self, names: &[&str]) -> Self {
        names.iter().zip(1..).for_each(|(name, gray)| self.picture(name, gray));
        self
    }

    pub(crate) fn read(&self) -> Result<Dataset, DataError> {
        read(self.0.path(), &ReadOptions::default())
    }

    fn error(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}

/// A small `fer2013.csv` and its votes, with three pictures in each split: angry, happy, and one in which nobody saw a face.
/// The files stay until the system clears its temporary files.
pub(crate) fn with_votes() -> (PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap().keep();
    let mut pictures = "emotion,pixels,Usage\n".to_owned();
    let mut votes =
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n".to_owned();
    for (split, usage) in ["Training", "PublicTest", "PrivateTest"].iter().enumerate() {
        for (label, columns) in [(0, "0,0,0,0,9,1,0,0,0,0"), (3, "1,8,0,0,0,0,0,1,0,0"), (3, "0,0,0,0,0,0,0,0,0,10")] {
            let pixels = vec![(200 + 10 * split + label).to_string(); 48 * 48].join(" ");
            pictures += &format!("{label},{pixels},{usage}\n");
            votes += &format!("{usage},,{columns}\n");
        }
    }
    let paths = (folder.join("fer2013.csv"), folder.join("fer2013new.csv"));
    std::fs::write(&paths.0, pictures).unwrap();
    std::fs::write(&paths.1, votes).unwrap();
    paths
}

/// How many pictures each split has.
fn counts(data: &Dataset) -> [usize; 3] {
    [data.training.len(), data.public.len(), data.private.len()]
}

/// Labels by place, over all splits.
fn labels(data: &Dataset) -> BTreeMap<String, usize> {
    let all = data.split(Split::All);
    all.places.into_iter().zip(all.labels).collect()
}

#[test]
fn folders_of_kaggle_are_split_as_they_are_named() {
    let folder = Folder::new().pictures(&[
        "archive/images/train/Happiness/a.png",
        "archive/images/train/anger/b.PNG",
        "archive/images/validation/happy/c.png",
        "archive/images/test/sad/d.bmp",
        "archive/images/test/sad/deeper/e.png",
        "archive/images/__MACOSX/happy/a.png",
    ]);
    folder.file("archive/images/train/happy/.hidden.png", "no picture");
    folder.file("archive/images/train/happy/notes.txt", "no picture");
    let data = folder.read().unwrap();
    assert_eq!(counts(&data), [2, 1, 2]);
    assert_eq!(data.division, "official");
    assert_eq!(data.training.labels, [HAPPY, ANGRY]);
    assert_eq!(data.public.bytes.double_value(&[0, 0, 9, 9]), 3.0);
    assert_eq!(data.faces.whole, 5);
}

#[test]
fn a_folder_with_train_and_test_alone_gets_its_pictures_to_choose_on_from_train() {
    let folder = Folder::new();
    (0..20).for_each(|i| folder.picture(&format!("train/happy/{i}.png"), i));
    (0..5).for_each(|i| folder.picture(&format!("test/happy/{i}.png"), 100 + i));
    let data = folder.read().unwrap();
    assert_eq!(counts(&data), [16, 4, 5]);
    assert!(data.division.starts_with("official for private; the rest at random"), "{}", data.division);
    assert!(data.private.places.iter().all(|place| place.starts_with("test")));
    assert!(data.sources[0].is_official(Split::Private) && !data.sources[0].is_official(Split::Public));
}

#[test]
fn folders_of_emotions_alone_are_split_within_each_emotion() {
    let folder = Folder::new();
    (0..10).for_each(|i| folder.picture(&format!("Fearful/{i}.png"), i));
    (0..10).for_each(|i| folder.picture(&format!("neutral/{i}.png"), 100 + i));
    folder.picture("contempt/0.png", 1);
    let data = folder.read().unwrap();
    assert_eq!(counts(&data), [12, 4, 4]);
    assert_eq!(data.skipped, [Skipped { reason: data.skipped[0].reason.clone(), count: 1 }]);
    assert!(data.skipped[0].reason.contains("contempt"));
}

#[test]
fn a_folder_that_names_no_emotion_beside_those_that_do_is_an_error() {
    let folder = Folder::new().pictures(&["train/happy/a.png", "train/others/b.png"]);
    assert!(folder.error().contains("others: “others” names no emotion"), "{}", folder.error());
    // RAF-DB numbers its folders, in its own order.
    let folder = Folder::new().pictures(&["train/happy/a.png", "train/4/b.png"]);
    assert!(folder.error().contains("differently"), "{}", folder.error());
    // An empty one does no harm.
    let folder = Folder::new().pictures(&["train/happy/a.png", "test/happy/b.png"]);
    std::fs::create_dir(folder.path("train/others")).unwrap();
    assert!(folder.read().is_ok());
}

#[test]
fn a_folder_of_pictures_beside_train_that_names_no_split_is_an_error() {
    let folder = Folder::new().pictures(&["train/happy/a.png", "test/happy/b.png", "eval/happy/c.png"]);
    assert!(folder.error().contains("eval: “eval” is not a split"), "{}", folder.error());
    // One without pictures does no harm.
    let folder = Folder::new().pictures(&["train/happy/a.png", "test/happy/b.png"]);
    folder.file("notes/readme.txt", "about");
    assert!(folder.read().is_ok());
}

#[test]
fn a_list_in_which_one_row_names_nobody_is_still_divided_by_person() {
    let folder = Folder::new();
    let mut text = "path,label,subject\n".to_owned();
    for i in 0..30 {
        folder.picture(&format!("{i}.png"), i);
        text += &format!("{i}.png,happy,{}\n", if i == 7 { String::new() } else { format!("P{}", i % 6) });
    }
    let data = read(&folder.file("list.csv", text), &ReadOptions::default()).unwrap();
    assert!(data.division.starts_with("by person"), "{}", data.division);
    let people = |pictures: &Pictures| -> Vec<String> { pictures.subjects.clone().into_iter().flatten().collect() };
    let (training, private) = (people(&data.training), people(&data.private));
    assert!(!training.is_empty() && !training.iter().any(|person| private.contains(person)));
}

#[test]
fn a_folder_without_a_data_set_and_a_missing_one_are_told() {
    assert!(Folder::new().error().contains("is a directory in which no data set was found"));
    let folder = Folder::new().pictures(&["holiday/a.png", "work/b.png"]);
    assert!(folder.error().contains("no data set was found"));
    let missing = read(&folder.path("none"), &ReadOptions::default()).unwrap_err().to_string();
    assert!(missing.contains("none: No such file"), "{missing}");
}

#[test]
fn a_damaged_picture_is_named() {
    let folder = Folder::new().pictures(&["happy/a.png"]);
    folder.file("happy/b.png", "no picture");
    let error = folder.error();
    assert!(error.contains("b.png: can't be read as a picture"), "{error}");
}

#[test]
fn frames_of_ck_plus_know_their_person_and_leave_contempt_out() {
    let folder = Folder::new();
    for person in 0..10 {
        for frame in 0..3 {
            folder.picture(&format!("anger/S{person:03}_001_0000001{frame}.png"), person * 10 + frame);
            folder.picture(&format!("happy/S{person:03}_002_0000001{frame}.png"), person * 10 + frame + 5);
        }
    }
    folder.picture("contempt/S001_003_00000010.png", 1);
    let data = folder.read().unwrap();
    assert_eq!((data.name.as_str(), counts(&data)), ("CK+48", [36, 12, 12]));
    assert!(data.division.starts_with("by person"), "{}", data.division);
    assert_eq!(data.skipped[0].count, 1);
    let people = |pictures: &Pictures| -> Vec<String> { pictures.subjects.clone().into_iter().flatten().collect() };
    let (training, private) = (people(&data.training), people(&data.private));
    assert!(!training.iter().any(|person| private.contains(person)));
    assert_eq!(data.split(Split::All).len(), 60);

    folder.picture("happy/stranger.png", 1);
    assert!(folder.error().contains("stranger.png: isn't named like the rest of CK+48"));
}

#[test]
fn pictures_of_jaffe_say_who_and_what_by_their_names() {
    let folder = Folder::new().pictures(&["KA.AN1.39.tiff", "KM.HA2.5.tiff", "YM.NE1.49.tiff"]);
    folder.file("README.txt", "about");
    let data = folder.read().unwrap();
    assert_eq!(data.name, "JAFFE (3 faces cut out by centre)");
    let expected = [("KA.AN1.39.tiff", ANGRY), ("KM.HA2.5.tiff", HAPPY), ("YM.NE1.49.tiff", NEUTRAL)];
    assert_eq!(labels(&data), expected.map(|(place, label)| (place.to_owned(), label)).into());
    // A gray square holds no face, so the detector finds none and the centre is used.
    assert_eq!(data.faces.centered, 3);
    assert_eq!(counts(&data), [1, 1, 1]);
}

#[test]
fn pictures_of_kdef_take_part_by_their_angle() {
    let folder = Folder::new().pictures(&[
        "KDEF/AF01/AF01ANS.JPG",
        "KDEF/AF01/AF01ANHL.JPG",
        "KDEF/BF01/BF01AFS.JPG",
        "KDEF/AM02/AM02HAFR.JPG",
        "KDEF/AM31/AM31H.JPG",
    ]);
    let data = folder.read().unwrap();
    assert_eq!(data.split(Split::All).labels.len(), 2);
    assert!(data.name.starts_with("KDEF (2 faces"), "{}", data.name);
    assert_eq!(
        data.split(Split::All).subjects,
        [Some("F01".to_owned()), Some("F01".to_owned())],
        "both sessions show the same person"
    );
    assert_eq!(data.skipped.iter().map(|skipped| skipped.count).sum::<usize>(), 3);

    let options = ReadOptions { angles: vec![Angle::HalfLeft, Angle::FullRight], ..ReadOptions::default() };
    let data = read(&folder.0.path().join("KDEF"), &options).unwrap();
    assert_eq!(labels(&data).len(), 2);
    assert_eq!(labels(&data)["AM02/AM02HAFR.JPG"], HAPPY);
}

/// Options with custom classes.
fn own(names: &[&str]) -> ReadOptions {
    let classes = Classes::new(names.iter().map(|name| (*name).to_owned()).collect()).unwrap();
    ReadOptions { classes, ..ReadOptions::default() }
}

#[test]
fn folders_and_lists_are_read_by_own_classes() {
    let folder = Folder::new().pictures(&["train/Tired/a.png", "train/awake/b.png", "test/awake/c.png"]);
    let data = read(folder.0.path(), &own(&["awake", "tired"])).unwrap();
    assert_eq!(
        labels(&data),
        [("test/awake/c.png", 0), ("train/Tired/a.png", 1), ("train/awake/b.png", 0)]
            .map(|(p, l)| (p.to_owned(), l))
            .into()
    );
    let targets = data.split(Split::All).examples(Target::Label).unwrap().targets;
    assert_eq!(targets.size(), [3, 2]);
    let list = folder.file("list.csv", "path,label\ntrain/Tired/a.png,TIRED\ntrain/awake/b.png,awake\n");
    assert_eq!(labels(&read(&list, &own(&["awake", "tired"])).unwrap())["train/Tired/a.png"], 1);
}

#[test]
fn what_is_none_of_the_own_classes_is_told() {
    let folder = Folder::new().pictures(&["tired/a.png", "awake/b.png", "bored/c.png"]);
    let error = |path: &Path, names: &[&str]| read(path, &own(names)).unwrap_err().to_string();
    let told = error(folder.0.path(), &["awake", "tired"]);
    assert!(told.contains("“bored” is none of the classes awake, tired"), "{told}");
    let told = error(folder.0.path(), &["left", "right"]);
    assert!(told.contains("named after one of the classes left, right"), "{told}");
    let list = folder.file("list.csv", "path,label\ntired/a.png,happy\n");
    let told = error(&list, &["awake", "tired"]);
    assert!(told.contains("line 2: “happy” is none of the classes"), "{told}");
    // A list that fits the classes is read; the folder holds none of the emotions.
    let told = read(&list, &own(&["happy", "sad"])).and_then(|_| read(folder.0.path(), &ReadOptions::default()));
    assert!(told.unwrap_err().to_string().contains("no data set was found"));
    let (fer2013, _votes) = with_votes();
    let told = error(&fer2013, &["awake", "tired"]);
    assert!(told.contains("read as FER2013") && told.contains("not awake, tired"), "{told}");
}

#[test]
fn ck_plus_can_be_read_by_its_own_seven_classes() {
    let folder = Folder::new();
    for person in 0..6 {
        folder.picture(&format!("contempt/S{person:03}_001_00000010.png"), person);
        folder.picture(&format!("happy/S{person:03}_002_00000010.png"), 100 + person);
    }
    let names = ["anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"];
    let data = read(folder.0.path(), &own(&names)).unwrap();
    assert_eq!((data.name.as_str(), data.skipped.len(), data.split(Split::All).people()), ("CK+48", 0, Some(6)));
    assert_eq!(Summary::of(&data).splits[0].classes.len(), 7);
    assert!(data.training.labels.iter().all(|label| [1, 4].contains(label)));
}

#[test]
fn a_list_names_pictures_labels_people_and_splits() {
    let folder = Folder::new().pictures(&["pictures/a.png", "pictures/b.png", "c d.png"]);
    let list = folder.file(
        "list.csv",
        "Path, Label, subject, split\npictures/a.png,happiness,Ada,train\n\"pictures/b.png\", SAD ,Bob,val\nc d.png,fear,Ada,\n",
    );
    let data = read(&list, &ReadOptions::default()).unwrap();
    assert_eq!((data.name.as_str(), counts(&data)), ("list", [2, 1, 0]));
    assert_eq!(data.training.subjects, [Some("Ada".to_owned()), Some("Ada".to_owned())]);
    assert_eq!(data.public.labels, [SAD]);
    let empty = data.private.judged(LabelRule::Label).unwrap_err();
    assert!(empty.to_string().contains("no picture of the split PrivateTest is left"), "{empty}");
}

#[test]
fn a_list_that_a_spreadsheet_wrote_is_read_or_told() {
    let folder = Folder::new().pictures(&["a.png", "b, c.png"]);
    for text in [
        "\u{feff}Path;Label;Split\r\na.png;happy;train\r\nb, c.png;sad;val\r\n;;\r\n",
        "PATH\tLABEL\tSPLIT\na.png\thappy\ttrain\nb, c.png\tsad\tval\n",
    ] {
        let data = read(&folder.file("list.csv", text), &ReadOptions::default()).unwrap();
        assert_eq!((counts(&data), data.public.labels), ([1, 1, 0], vec![SAD]), "{text}");
    }
    let utf16: Vec<u8> = "\u{feff}path\tlabel\na.png\thappy\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = read(&folder.file("list.txt", utf16), &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("list.txt: it isn't UTF-8 text; in Excel"), "{error}");
}

#[test]
fn a_list_that_marks_only_its_test_is_divided_like_folders_of_train_and_test() {
    let names: Vec<String> = (0..12).map(|i| format!("{i}.png")).collect();
    let folder = Folder::new().pictures(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let rows = |of_others: &str| {
        let row = |(i, name): (usize, &String)| format!("{name},happy,{}\n", if i < 2 { "test" } else { of_others });
        format!("path,label,split\n{}", names.iter().enumerate().map(row).collect::<String>())
    };
    let of = |of_others: &str| read(&folder.file("list.csv", rows(of_others)), &ReadOptions::default()).unwrap();
    let (unmarked, marked) = (of(""), of("train"));
    assert_eq!((counts(&unmarked), counts(&marked)), ([8, 2, 2], [8, 2, 2]));
    assert!(unmarked.is_official(Split::Private) && !unmarked.is_official(Split::Public));
    // All rows are for the test: there is nothing to choose an epoch on.
    assert_eq!(counts(&of("test")), [0, 0, 12]);
}

#[test]
fn a_list_that_divides_its_pictures_otherwise_is_other_data() {
    let folder = Folder::new().pictures(&["a.png", "b.png"]);
    let sums = |rows: &str| read(&folder.file("list.csv", rows), &ReadOptions::default()).unwrap().sha256;
    let first = sums("path,label,subject,split\na.png,happy,Ada,train\nb.png,sad,Bob,val\n");
    assert_eq!(first.len(), 2, "of the pictures, and of the list");
    assert_eq!(sums("path,label,subject,split\na.png,happy,Ada,train\nb.png,sad,Bob,val\n"), first);
    for rows in [
        "path,label,subject,split\na.png,happy,Ada,val\nb.png,sad,Bob,train\n",
        "path,label,subject,split\na.png,happy,Bob,train\nb.png,sad,Ada,val\n",
    ] {
        let other = sums(rows);
        assert!(other[0] == first[0] && other[1] != first[1], "the same pictures by another list: {rows}");
    }
    assert_eq!(Folder::new().pictures(&["happy/a.png", "sad/b.png"]).read().unwrap().sha256.len(), 1);
}

#[test]
fn an_official_split_of_the_same_pictures_counts_by_what_made_it() {
    let folder = Folder::new().pictures(&["a.png", "b.png", "c.png"]);
    let by = |a: &str, c: &str| {
        let rows = format!("path,label,split\na.png,happy,{a}\nb.png,sad,val\nc.png,sad,{c}\n");
        read(&folder.file("list.csv", rows), &ReadOptions::default()).unwrap().sources.remove(0)
    };
    let (first, other) = (by("train", "test"), by("test", "train"));
    assert!(first.is_official(Split::Private) && other.is_official(Split::Private));
    assert!(first.is_kept_back(Split::Private, &first.sha256) && other.is_kept_back(Split::Private, &[]));
    assert!(!other.is_kept_back(Split::Private, &first.sha256), "what the first learnt from is in the other's test");

    // FER2013's own file defines its split, with or without votes.
    let (pictures, votes) = with_votes();
    let fer2013 = |ferplus| {
        let options = ReadOptions { ferplus, ..ReadOptions::default() };
        read(&pictures, &options).unwrap().sources.remove(0)
    };
    let (alone, voted) = (fer2013(None), fer2013(Some(votes)));
    assert!(alone.is_kept_back(Split::Private, &voted.sha256) && voted.is_kept_back(Split::Private, &alone.sha256));
}

#[test]
fn a_row_of_a_list_that_is_no_good_is_named_by_its_line() {
    let folder = Folder::new().pictures(&["a.png"]);
    folder.file("junk.png", "junk");
    for (text, expected) in [
        ("path,label\na.png,happy\nb.png,happy\n", "line 3: the picture"),
        ("path,label\njunk.png,happy\n", "line 2: the picture"),
        ("path,label\na.png,4\n", "line 2: “4” is a number"),
        ("path,label\na.png,bored\n", "line 2: “bored” names no emotion"),
        ("path,label\na.png\n", "line 2: the row is cut off"),
        ("path,label\n,happy\n", "line 2: names no picture"),
        ("path,label,split\na.png,happy,holiday\n", "line 2: “holiday” is not a split"),
        ("path,name\na.png,happy\n", "path, label"),
    ] {
        let error = read(&folder.file("list.csv", text), &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("list.csv") && error.contains(expected), "{error}");
    }
}

#[test]
fn votes_for_anything_but_fer2013_are_refused() {
    let folder = Folder::new().pictures(&["happy/a.png"]);
    let options = ReadOptions { ferplus: Some(folder.path("votes.csv")), ..ReadOptions::default() };
    let error = read(folder.0.path(), &options).unwrap_err().to_string();
    assert!(error.contains("folders named after emotions") && error.contains("--ferplus"), "{error}");
}

#[test]
fn an_asked_for_way_to_find_faces_is_taken() {
    let folder = Folder::new().pictures(&["KA.AN1.39.tiff"]);
    let options = ReadOptions { faces: FaceMode::Whole, ..ReadOptions::default() };
    assert_eq!(read(folder.0.path(), &options).unwrap().faces.whole, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_of_tables_panic(
        header in prop::sample::select(vec!["", "emotion,pixels,Usage\n", "path,label,split\n", "Usage,pixels,emotion\n"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let folder = Folder::new();
        let path = folder.file("data.csv", [header.as_bytes(), &bytes].concat());
        // An empty list is a data set without pictures; all else is an error that names the file.
        if let Err(error) = read(&path, &ReadOptions::default()) {
            prop_assert!(error.to_string().contains("data.csv"), "{error}");
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_votes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = Folder::new();
        let header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n";
        let path = folder.file("votes.csv", [header.as_bytes(), &bytes].concat());
        for votes in read_ferplus(&path).unwrap_or_default() {
            let sum: f32 = votes.distribution().into_iter().flatten().sum();
            prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-5);
            let _ = (votes.majority(), votes.microsoft());
        }
    }

    #[test]
    fn no_bytes_in_a_picture_make_a_reader_panic(
        name in prop::sample::select(vec![
            "happy/S010_004_00000017.png", "happy/a.jpg", "KA.AN1.39.tiff", "AF01ANS.JPG", "sad/x.webp", "sad/x.bmp",
        ]),
        magic in prop::sample::select(vec![
            &b""[..], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF", b"II*\0\x08\0\0\0", b"RIFF\0\0\0\0WEBPVP8 ", b"BM",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let folder = Folder::new();
        folder.file(name, [magic, &bytes].concat());
        if let Err(error) = folder.read() {
            prop_assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn no_name_makes_a_reader_panic(name in "[A-Za-zü0-9._ -]{1,20}", ending in "(png|jpg|tiff|csv)") {
        let folder = Folder::new();
        folder.file(&format!("train/happy/{name}.{ending}"), "x");
        folder.file(&format!("flat/{name}.{ending}"), "x");
        let _ = (folder.read().is_ok(), read(&folder.path("flat"), &ReadOptions::default()).is_ok());
    }
}

#[test]
fn whoever_reads_faces_that_a_detector_looks_for_keeps_the_threads_of_libtorch() {
    let folder = Folder::new();
    (0..6).for_each(|person| folder.picture(&format!("anger/S{person:03}_001_00000010.png"), person));
    mien_net::torch::use_threads(3);
    for crop in [Framing::Upright, Framing::Box] {
        let options = ReadOptions { faces: FaceMode::Detector, crop, ..ReadOptions::default() };
        read(folder.path("").as_path(), &options).unwrap();
        assert_eq!(tch::get_num_threads(), 3, "{crop:?}");
    }
}
