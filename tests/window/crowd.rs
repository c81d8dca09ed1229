//! Recordings with thousands of people: lists lay out only those in view, and all of them can be reached.

use std::fmt::Write as _;
use std::path::PathBuf;

use egui::{Event, Modifiers, MouseWheelSource, MouseWheelUnit, TouchPhase, vec2};
use egui_kittest::kittest::Queryable as _;
use mien::recording::FACES;

use super::driver::{Window, assert_shows, click, words};
use super::fake::Fake;
use super::recordings::{edits, on_recording, scroll_and_click, session, write_without_enter};
use crate::support::sessions::{number, time};

const PEOPLE: u64 = 3000;

/// Frames of the recording.
const FRAMES: u64 = 90;

/// More rows than a list lays out at once.
const FEW: usize = 100;

/// A recording of [`PEOPLE`] people, one after another, each seen on one frame.
fn crowd() -> (tempfile::TempDir, PathBuf) {
    let (home, folder) = session();
    let table = std::fs::read_to_string(folder.join(FACES)).unwrap();
    let (header, rows) = table.split_once('\n').unwrap();
    // The columns after file, frame, time and face, which all people share.
    let rest = rows.lines().next().unwrap().splitn(5, ',').nth(4).unwrap();
    let mut crowd = format!("{header}\n");
    for id in 1..=PEOPLE {
        let place = (id - 1) * FRAMES / PEOPLE;
        let secs = time(place).as_secs_f64();
        writeln!(crowd, "Test Webcam,{},{secs:.4},{id},{rest}", number(place)).unwrap();
    }
    std::fs::write(folder.join(FACES), crowd).unwrap();
    (home, folder)
}

/// Scrolls the list at a label to its end.
fn scroll_to_end(window: &mut Window, over: &str) {
    let place = window.get_by_label(over).rect().center();
    window.hover_at(place);
    window.event(Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, -1e6),
        phase: TouchPhase::Move,
        source: MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    window.run_steps(8);
}

/// How many of the words in the window contain `part`.
fn count(window: &Window, part: &str) -> usize {
    words(window).iter().filter(|word| word.contains(part)).count()
}

fn has(window: &Window, word: &str) -> bool {
    words(window).iter().any(|other| other == word)
}

#[test]
fn of_thousands_of_people_those_in_view_are_laid_out_and_the_last_is_reached() {
    let (_home, folder) = crowd();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    assert_shows(&window, "People (3000)");
    assert!(has(&window, "Name of face 1") && !has(&window, "Name of face 3000"));
    assert!(count(&window, "Name of face ") < FEW, "{}", count(&window, "Name of face "));
    click(&mut window, "Choose face 1");
    assert!(has(&window, "Timeline of face 1"), "{:?}", words(&window));

    scroll_to_end(&mut window, "Choose face 1");
    assert!(!has(&window, "Name of face 1") && has(&window, "Name of face 3000"));
    assert!(count(&window, "Name of face ") < FEW, "{}", count(&window, "Name of face "));
    // What follows the list is placed as if all rows were laid out.
    assert_shows(&window, "Go to 0:01.2 laughs, loudly");
    scroll_and_click(&mut window, "Choose face 3000");
    assert!(has(&window, "Timeline of face 3000"), "{:?}", words(&window));

    // The list of people to merge with is as long.
    click(&mut window, "More about face 3000");
    assert!(has(&window, "Merge with face 1") && count(&window, "Merge with face ") < FEW);
    scroll_to_end(&mut window, "Merge with face 1");
    click(&mut window, "Merge with face 2999");
    assert_shows(&window, "People (2999)");
}

#[test]
fn the_menu_of_curves_has_whoever_was_seen_last_first_and_everybody_below() {
    let (_home, folder) = crowd();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    click(&mut window, "Curves of");
    assert!(count(&window, " · last at ") < FEW, "{}", count(&window, " · last at "));
    scroll_to_end(&mut window, "Whoever is in the picture");
    assert!(count(&window, " · last at ") < FEW, "{}", count(&window, " · last at "));
    // The last of those on the first frame.
    click(&mut window, "Face 34 · last at 0:00.0");
    assert!(has(&window, "Timeline of face 34"), "{:?}", words(&window));
}

#[test]
fn a_name_that_is_being_typed_is_kept_when_its_row_is_scrolled_away() {
    let (_home, folder) = crowd();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    write_without_enter(&mut window, "Name of face 1", "Anna");
    scroll_to_end(&mut window, "Choose face 1");
    assert!(has(&window, "Name of face 1") && !has(&window, "Name of face 2"));
    assert_eq!(edits(&folder), "");
    scroll_and_click(&mut window, "Choose face 3000");
    window.run_steps(2);
    assert!(edits(&folder).contains("Anna"), "{}", edits(&folder));
    assert!(!has(&window, "Name of face 1"));
}
