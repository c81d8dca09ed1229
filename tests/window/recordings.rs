//! Recordings: opened, looked through, edited and exported.

use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::accesskit::Role;
use egui::{Key, Modifiers, ViewportEvent, ViewportId};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::Launch;
use mien::app::session::{Results, Source};
use mien::emotion::Emotion;
use mien::pipeline::{Command, Event};
use mien::recording::{ANALYSED, EDITS, METADATA, Recording};
use mien::source::{SourceInfo, SourceKind};

use super::driver::{Window, assert_shows, click, drop_file, painted, press, show, shows, until, window, words};
use super::fake::{Fake, face};
use crate::support::sessions::{kill, record};

/// A window on a recording of four seconds with three faces, of which face 1 and face 7 are one person.
pub fn on_recording(fake: &Fake, folder: &Path) -> Window {
    let source = Some(Source::Recording { folder: folder.to_owned(), results: Results::Recorded });
    let mut window = window(fake, Launch { source, ..Launch::default() });
    until(&mut window, "the recording is read", |_| fake.world().sessions_open == 1);
    opened(fake, folder, &mut window);
    window
}

/// Reports that the recording in this folder is open.
pub fn opened(fake: &Fake, folder: &Path, window: &mut Window) {
    let recording = Recording::open(folder).unwrap();
    let kind =
        SourceKind::File { duration: Some(recording.frames.duration()), frames: Some(recording.frames.len() as u64) };
    fake.event(Event::Opened(SourceInfo { name: recording.name(), kind, ..recording.video }));
    window.run_steps(2);
}

pub fn edits(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(EDITS)).unwrap_or_default()
}

fn type_into(window: &mut Window, label: &str, text: &str) {
    window.get_by_label(label).focus();
    window.run_steps(2);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label(label).type_text(text);
    window.run_steps(2);
    press(window, Key::Enter);
    window.run_steps(2);
}

pub fn write_without_enter(window: &mut Window, label: &str, text: &str) {
    window.get_by_label(label).focus();
    window.run_steps(2);
    window.get_by_label(label).type_text(text);
    window.run_steps(2);
}

/// Exports the open recording, and returns the table.
fn export(window: &mut Window, folder: &Path) -> String {
    click(window, "Export");
    until(window, "the export is done", |window| shows(window, "Exported to"));
    std::fs::read_to_string(folder.join("exports/talk-emotions.csv")).unwrap()
}

/// Clicks on a label that may have to be scrolled into view.
pub fn scroll_and_click(window: &mut Window, label: &str) {
    window.get_by_label(label).scroll_to_me();
    window.run_steps(8);
    click(window, label);
}

pub fn session() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = record(&home.path().join("talk"), 90);
    (home, folder)
}

#[test]
fn a_recording_shows_its_people_its_marks_and_whose_results_it_shows() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    let plan = fake.last_plan();
    assert_eq!(plan.source, Source::Recording { folder, results: Results::Recorded });
    assert_eq!(plan.recording.unwrap().frames.len(), 90);
    for text in ["Recorded by mien-of-old", "People (3)", "Show face 7", "Marks (2)", "Go to 0:00.4 sits down"] {
        assert_shows(&window, text);
    }
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "recorded results");
    assert_shows(&window, "mien-of-old");
    assert_shows(&window, "whole recording");
    assert!(!shows(&window, "CPU, 1 thread"), "no network runs");
    // Face 7 was only seen long after this frame, but its lines are there.
    click(&mut window, "Choose face 7");
    assert_shows(&window, "Timeline of face 7");
}

#[test]
fn frames_that_were_not_analysed_say_so_and_model_and_smoothing_are_those_of_the_recording() {
    let (_home, folder) = session();
    // The frame that is shown has number 0.
    std::fs::write(folder.join(ANALYSED), "frame\n1\n2\n").unwrap();
    let fake = Fake::default();
    let source = Some(Source::Recording { folder: folder.clone(), results: Results::Recorded });
    let launch = Launch { source, smoothing_secs: Some(1.5), model: Some("other".to_owned()), ..Launch::default() };
    let mut window = window(&fake, launch);
    until(&mut window, "the recording is read", |_| fake.world().sessions_open == 1);
    opened(&fake, &folder, &mut window);
    show(&mut window, &fake, 100, vec![]);
    press(&mut window, Key::Space);
    assert_shows(&window, "This frame was not analysed when it was recorded");
    assert!(!shows(&window, "No face found"));
    let painted = painted(&window);
    assert!(
        painted.iter().any(|text| text == "0.20 s") && painted.iter().any(|text| text == "mien-of-old"),
        "{painted:?}"
    );
    assert!(!painted.iter().any(|text| text == "1.50 s" || text == "other"), "{painted:?}");

    std::fs::write(folder.join(ANALYSED), "frame\n0\n1\n2\n").unwrap();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 1_000, vec![]);
    assert_shows(&window, "No face found");
}

#[test]
fn a_name_is_shown_wherever_the_face_is_and_kept_in_the_folder() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
    type_into(&mut window, "Name of face 1", "Anna");
    for text in ["Anna: Happy 87 %", "Face 2: Sad 87 %", "Show Anna in the timeline", "Timeline of Anna"] {
        assert_shows(&window, text);
    }
    assert!(painted(&window).contains(&"Anna  Happy 87 %".to_owned()), "{:?}", painted(&window));
    assert!(edits(&folder).contains("Anna"), "{}", edits(&folder));

    // Esc leaves the name as it was.
    write_without_enter(&mut window, "Name of face 1", "belle");
    press(&mut window, Key::Escape);
    assert_shows(&window, "Anna: Happy 87 %");

    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "Anna: Happy 87 %");
}

#[test]
fn a_hidden_face_is_neither_on_the_picture_nor_beside_it_nor_in_the_timeline() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
    click(&mut window, "Choose face 1");
    assert_shows(&window, "Timeline of face 1");
    click(&mut window, "Show face 1");
    assert!(!shows(&window, "Face 1: Happy"), "{:#?}", words(&window));
    assert!(!shows(&window, "Show face 1 in the timeline"));
    assert_shows(&window, "Timeline of face 2");
    assert_shows(&window, "Show face 1");
    click(&mut window, "Show face 1");
    assert_shows(&window, "Face 1: Happy 87 %");
    assert_eq!(edits(&folder), "", "nothing is changed any more");
}

#[test]
fn who_came_back_is_merged_and_the_merge_can_be_undone() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 2_000, vec![face(7, Emotion::Happy)]);
    click(&mut window, "More about face 7");
    click(&mut window, "Merge with face 1");
    assert_shows(&window, "People (2)");
    assert_shows(&window, "Face 1: Happy 87 %");
    assert_shows(&window, "Timeline of face 1");
    assert!(edits(&folder).contains("\"7\": 1"), "{}", edits(&folder));
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    window.run_steps(2);
    assert_shows(&window, "People (2)");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run_steps(2);
    assert_shows(&window, "People (3)");
    assert_shows(&window, "Face 7: Happy 87 %");
    assert_eq!(edits(&folder), "");

    type_into(&mut window, "Name of face 2", "Ben");
    click(&mut window, "More about face 7");
    click(&mut window, "Merge with Ben");
    assert_shows(&window, "Ben: Happy 87 %");
    click(&mut window, "Reset");
    assert_shows(&window, "Face 7: Happy 87 %");
    click(&mut window, "Undo");
    assert_shows(&window, "Ben: Happy 87 %");
}

#[test]
fn marks_are_gone_to_by_click_and_key_and_can_be_added_written_on_and_removed() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 0, vec![]);
    scroll_and_click(&mut window, "Go to 0:01.2 laughs, loudly");
    press(&mut window, Key::PageUp);
    press(&mut window, Key::PageUp);
    press(&mut window, Key::PageDown);
    let seeks: Vec<_> = [1200, 400, 1200].map(|ms| Command::Seek(Duration::from_millis(ms))).to_vec();
    assert_eq!(fake.take_commands(), seeks, "before the first mark there is none to go to");

    show(&mut window, &fake, 2_500, vec![]);
    press(&mut window, Key::K);
    assert_shows(&window, "Marks (3)");
    type_into(&mut window, "Text of mark 3 at 0:02.5", "waves");
    assert_shows(&window, "Go to 0:02.5 waves");
    assert!(edits(&folder).contains("waves"));
    scroll_and_click(&mut window, "Remove mark 1 at 0:00.4");
    assert_shows(&window, "Marks (2)");
    assert!(!shows(&window, "sits down"));
    click(&mut window, "Reset");
    assert_shows(&window, "Go to 0:00.4 sits down");
}

#[test]
fn paused_on_the_frame_of_a_mark_the_key_goes_to_the_next_mark() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    press(&mut window, Key::Space);
    // The frame at which a jump to the mark at 400 ms ends.
    show(&mut window, &fake, 360, vec![]);
    fake.take_commands();
    press(&mut window, Key::PageDown);
    assert_eq!(fake.take_commands(), [Command::Seek(Duration::from_millis(1200))]);
}

#[test]
fn it_is_analysed_again_only_when_that_is_asked_for_and_back_again() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    type_into(&mut window, "Name of face 1", "Anna");
    let slider =
        |window: &Window| window.get_by_role_and_label(Role::Slider, "Smoothing").accesskit_node().is_disabled();
    assert!(slider(&window), "what was recorded is smoothed already");

    show(&mut window, &fake, 900, vec![]);
    fake.take_commands();
    click(&mut window, "Analyse again");
    assert_eq!(fake.take_commands(), [Command::Seek(Duration::from_millis(900))], "it continues from the same moment");
    assert_eq!(fake.last_plan().source, Source::Recording { folder: folder.clone(), results: Results::Anew });
    opened(&fake, &folder, &mut window);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Fear)]);
    assert_shows(&window, "Face 1: Fear 87 %");
    assert_shows(&window, "CPU, 1 thread");
    assert_shows(&window, "Marks (2)");
    assert!(!shows(&window, "People") && !slider(&window));

    click(&mut window, "Recorded results");
    opened(&fake, &folder, &mut window);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "Anna: Happy 87 %");
}

#[test]
fn a_change_analyses_a_paused_frame_again_unless_its_results_are_recorded() {
    let (_home, folder) = session();
    for anew in [false, true] {
        let fake = Fake::default();
        let mut window = on_recording(&fake, &folder);
        if anew {
            click(&mut window, "Analyse again");
            opened(&fake, &folder, &mut window);
        }
        show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
        press(&mut window, Key::Space);
        fake.take_commands();
        click(&mut window, "Settings");
        click(&mut window, "Haar");
        let mut commands = fake.take_commands();
        assert!(matches!(commands.remove(0), Command::SetDetection(_)));
        assert_eq!(commands, if anew { vec![Command::AnalyseAgain] } else { vec![] });
    }
}

#[test]
fn new_results_are_not_exported_and_the_window_names_the_command_that_writes_them() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    let is_off = |window: &Window| window.get_by_label("Export").accesskit_node().is_disabled();
    assert!(!is_off(&window));
    click(&mut window, "Analyse again");
    opened(&fake, &folder, &mut window);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Fear)]);
    assert!(is_off(&window), "it would write what was recorded");
    window.get_by_label("Export").hover();
    window.run_steps(8);
    assert_shows(&window, "`mien replay FOLDER --again --headless --output RESULTS`");
    click(&mut window, "Recorded results");
    assert!(!is_off(&window));
}

#[test]
fn an_export_says_where_its_files_are_and_they_have_the_names() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    type_into(&mut window, "Name of face 2", "Ben");
    let table = export(&mut window, &folder);
    assert_shows(&window, "talk-emotions.mp4, talk-emotions.csv, talk-emotions-marks.csv");
    assert!(table.lines().any(|row| row.ends_with(",Ben")), "{table}");
}

#[test]
fn what_is_being_typed_counts_for_a_button_that_is_clicked_next() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 600, vec![]);
    write_without_enter(&mut window, "Text of mark 2 at 0:01.2", "!");
    // The new mark becomes the second one.
    scroll_and_click(&mut window, "Add mark");
    for text in ["Go to 0:00.6 ", "Go to 0:01.2 laughs, loudly!"] {
        assert_shows(&window, text);
    }
    write_without_enter(&mut window, "Name of face 2", "Ben");
    let table = export(&mut window, &folder);
    assert!(table.lines().any(|row| row.ends_with(",Ben")), "{table}");
}

#[test]
fn a_name_that_is_being_typed_is_kept_when_its_panel_folds_away_and_given_to_nobody_else() {
    let (_home, folder) = session();
    let (_other_home, other) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    write_without_enter(&mut window, "Name of face 1", "Anna");
    // Too narrow for the panel.
    for width in [599.0, 1200.0] {
        window.set_size([width, 800.0].into());
        window.run_steps(3);
        assert_eq!(shows(&window, "Name of face 1"), width > 600.0);
    }
    assert!(edits(&folder).contains("Anna"), "{}", edits(&folder));

    write_without_enter(&mut window, "Name of face 2", "Ben");
    drop_file(&mut window, &other);
    let source = Source::Recording { folder: other.clone(), results: Results::Recorded };
    until(&mut window, "the other recording is read", |_| fake.last_plan().source == source);
    opened(&fake, &other, &mut window);
    assert_shows(&window, "Name of face 2");
    assert!(!painted(&window).iter().any(|text| text == "Ben"), "{:?}", painted(&window));
    assert_eq!(edits(&other), "");
}

#[test]
fn a_name_that_is_being_typed_is_kept_when_the_window_is_closed() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    write_without_enter(&mut window, "Name of face 1", "Anna");
    assert_eq!(edits(&folder), "");
    window.input_mut().viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
    window.step();
    eframe::App::on_exit(window.state_mut(), None);
    assert!(edits(&folder).contains("Anna"), "{}", edits(&folder));
}

#[test]
fn what_is_being_typed_is_kept_when_a_minimised_window_is_closed() {
    for (label, text) in [("Name of face 1", "Anna"), ("Text of mark 2 at 0:01.2", " twice")] {
        let (_home, folder) = session();
        let fake = Fake::default();
        let mut window = on_recording(&fake, &folder);
        write_without_enter(&mut window, label, text);
        let mut input = window.input_mut().clone();
        input.viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
        let (ctx, mut frame) = (window.ctx.clone(), eframe::Frame::_new_kittest());
        // As eframe does with an invisible window: it isn't drawn.
        drop(ctx.run_logic(&input, |ctx| eframe::App::logic(window.state_mut(), ctx, &mut frame)));
        eframe::App::on_exit(window.state_mut(), None);
        assert!(edits(&folder).contains(text), "{}", edits(&folder));
    }
}

#[test]
fn esc_leaves_a_name_as_it_was_and_what_else_is_open_too() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    click(&mut window, "Settings");
    assert_shows(&window, "Frames per second");
    write_without_enter(&mut window, "Name of face 1", "Anna");
    press(&mut window, Key::Escape);
    assert_eq!(edits(&folder), "");
    assert_shows(&window, "Frames per second");
    press(&mut window, Key::Escape);
    assert!(!shows(&window, "Frames per second"));
}

#[test]
fn a_dropped_folder_is_opened_and_one_that_is_no_recording_says_why() {
    let (home, folder) = session();
    assert_eq!(Source::of(folder.clone()), Source::Recording { folder: folder.clone(), results: Results::Recorded });
    assert_eq!(Source::of(folder.join(METADATA)), Source::Recording { folder, results: Results::Recorded });

    let fake = Fake::default();
    let source = Some(Source::of(home.path().to_owned()));
    let mut window = window(&fake, Launch { source, ..Launch::default() });
    until(&mut window, "the error is shown", |window| shows(window, "is a folder without session.json"));
    assert_shows(&window, "The recording can't be shown");
}

#[test]
fn a_recording_that_was_killed_and_edits_that_are_not_understood_are_said() {
    let (_home, folder) = session();
    kill(&folder);
    std::fs::write(folder.join(EDITS), "{ precious").unwrap();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    assert_shows(&window, "not ended properly");
    assert_shows(&window, "until then your changes are not saved");
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    type_into(&mut window, "Name of face 1", "Anna");
    assert_shows(&window, "Anna: Happy 87 %");
    assert_eq!(edits(&folder), "{ precious");
}

#[test]
fn edits_that_were_not_understood_count_again_once_they_are_moved_away_or_mended() {
    const MENDED: &str = r#"{"schema": 1, "names": {"1": "Berta"}}"#;
    for (named, mended, expected) in
        [("Anna", None, "Anna"), ("Anna", Some(MENDED), "Berta"), ("", Some(MENDED), "Berta")]
    {
        let (_home, folder) = session();
        std::fs::write(folder.join(EDITS), "{ precious").unwrap();
        let fake = Fake::default();
        let mut window = on_recording(&fake, &folder);
        click(&mut window, "Dismiss");
        if !named.is_empty() {
            type_into(&mut window, "Name of face 1", named);
        }
        assert_eq!(edits(&folder), "{ precious");
        std::fs::rename(folder.join(EDITS), folder.join("old-edits.json")).unwrap();
        if let Some(mended) = mended {
            std::fs::write(folder.join(EDITS), mended).unwrap();
        }
        click(&mut window, "Stop");
        click(&mut window, "Start again");
        opened(&fake, &folder, &mut window);
        show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
        assert_shows(&window, &format!("{expected}: Happy 87 %"));
        assert!(edits(&folder).contains(expected), "{}", edits(&folder));
        type_into(&mut window, "Name of face 2", "Ben");
        assert!(edits(&folder).contains(expected) && edits(&folder).contains("Ben"), "{}", edits(&folder));
    }
}

#[test]
fn what_another_window_changed_is_shown_and_neither_a_change_nor_an_undo_takes_it_away() {
    const THEIRS: &str = r#"{"schema": 1, "names": {"1": "Berta"}}"#;
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    type_into(&mut window, "Name of face 1", "Anna");
    assert_shows(&window, "Anna: Happy 87 %");
    std::fs::write(folder.join(EDITS), THEIRS).unwrap();
    type_into(&mut window, "Name of face 2", "Ben");
    assert_shows(&window, "Another window");
    assert_shows(&window, "Berta: Happy 87 %");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run_steps(2);
    assert_eq!(edits(&folder), THEIRS);
    // Made again, the change is saved together with the others.
    type_into(&mut window, "Name of face 2", "Ben");
    assert!(edits(&folder).contains("Berta") && edits(&folder).contains("Ben"), "{}", edits(&folder));
}

#[test]
fn what_cannot_be_saved_is_said_and_lasts_until_the_window_is_closed() {
    let (_home, folder) = session();
    let fake = Fake::default();
    let mut window = on_recording(&fake, &folder);
    // A folder in the file's place can't be overwritten, not even by root.
    std::fs::create_dir(folder.join(EDITS)).unwrap();
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    type_into(&mut window, "Name of face 1", "Anna");
    assert_shows(&window, "can't be saved");
    assert_shows(&window, "Anna: Happy 87 %");
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with('.')), "{names:?}");
}
