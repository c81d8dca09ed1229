//! Recordings of networks with custom classes.

use super::*;
use crate::probabilities::Probabilities;
use crate::recording::{OWN_CLASSES_SCHEMA, Recording};

fn own_classes() -> Classes {
    Classes::new(["wide awake", "tired"].map(str::to_owned).into()).unwrap()
}

/// A scene of a network with custom classes.
fn own(index: u64) -> Scene {
    let mut scene = Scene { classes: own_classes(), ..numbered(index) };
    let probabilities = Probabilities::from_weights(&[0.9, 0.1]).unwrap();
    (scene.faces[0].raw, scene.faces[0].smoothed) = (probabilities, probabilities);
    scene
}

/// Passes labelled scenes to a writer, at times that differ in the recording.
fn pass_apart(writer: &SessionWriter, scenes: impl Iterator<Item = Scene>) {
    for mut scene in scenes {
        std::thread::sleep(Duration::from_millis(5));
        scene.frame.captured_at = Instant::now();
        writer.tap().captured(&scene.frame);
        writer.tap().labelled(&scene);
    }
}

#[test]
fn a_recording_of_own_classes_names_them_and_is_read_again() {
    let home = tempfile::tempdir().unwrap();
    let mut subject = subject("Desk cam");
    subject.network.classes = own_classes();
    let writer = start_of(home.path(), subject, Plenty);
    pass_apart(&writer, (0..4).map(own));
    let folder = folder_of(&writer.finish());
    let metadata = metadata_in(&folder);
    assert_eq!((metadata.schema, &metadata.classes), (OWN_CLASSES_SCHEMA, &own_classes()));
    let recording = Recording::open(&folder).unwrap();
    assert_eq!(recording.faces.rows().len(), 4);
    assert!(recording.faces.rows().all(|row| row.face().raw.as_slice() == [0.9, 0.1]));
}

#[test]
fn a_network_of_other_classes_ends_the_recording_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Plenty);
    pass_apart(&writer, (0..3).map(numbered).chain([own(3)]));
    let events = until_it_ends(&writer);
    let (counts, reason) = ending(&events);
    let reason = reason.unwrap();
    assert!(reason.words.contains("classes are now wide awake, tired, not angry"), "{reason}");
    assert_eq!(counts, Counts { frames: 4, faces: 3, ..Counts::default() }, "pictures have no classes");
    let folder = folder_of(&events);
    assert_eq!(rows(&folder.join(FACES)).len(), 3);
    assert!(metadata_in(&folder).classes.are_emotions() && Recording::open(&folder).is_ok());
}
