//! Faces: boxes, labels, bars and the face that is chosen.

use std::time::Duration;

use egui::accesskit::{Role, Toggled};
use egui::{Key, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::session::{Plan, Results, Source};
use mien::classes::Classes;
use mien::emotion::Emotion;
use mien::face::Face;
use mien::probabilities::Probabilities;
use mien::source::CameraDevice;

use super::driver::{
    Window, assert_shows, click, drop_file, on_camera, on_video, painted, press, show, shows, until, words,
};
use super::fake::{Fake, face, face_with};
use super::recordings::opened;
use crate::support::sessions::record_of;

#[test]
fn the_first_camera_opens_and_its_faces_are_named() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let Plan { source, camera_mode: mode, .. } = fake.last_plan();
    assert_eq!(source, Source::Camera(CameraDevice::Path("/dev/video0".into())));
    assert_eq!((mode.width, mode.height, mode.fps, mode.fourcc.as_deref()), (640, 480, 30.0, Some("MJPG")));

    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy), face_with(2, Emotion::Sad, 0.64)]);
    assert_shows(&window, "Face 1: Happy 87 %");
    assert_shows(&window, "Face 2: Sad 64 %");
    let painted = painted(&window);
    assert!(painted.contains(&"1  Happy 87 %".to_owned()), "{painted:?}");
    assert!(!shows(&window, "Opening camera…"));
    assert_shows(&window, "640×360 MJPG 30 fps");
    assert_shows(&window, "CPU, 1 thread");
}

#[test]
fn each_face_has_seven_bars_in_the_order_of_the_emotions() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Surprise)]);
    let bars: Vec<_> = window
        .get_all_by_role(Role::ProgressIndicator)
        .map(|bar| {
            let node = bar.accesskit_node();
            (bar.rect().top(), node.label().unwrap(), node.value().unwrap(), node.numeric_value().unwrap())
        })
        .collect();
    let names: Vec<_> = bars.iter().map(|(_, label, ..)| label.as_str()).collect();
    assert_eq!(names, Emotion::ALL.map(Emotion::name));
    assert!(bars.is_sorted_by(|a, b| a.0 < b.0), "the order on the screen is another: {bars:?}");
    let surprise = &bars[Emotion::Surprise.index()];
    assert_eq!((surprise.2.as_str(), surprise.3), ("Surprise 87 %", 87.0));
    assert_eq!(bars[0].2, "Angry 2 %");
}

#[test]
fn a_face_without_a_clear_lead_is_unsure() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face_with(1, Emotion::Fear, 0.2)]);
    assert_shows(&window, "Face 1: unsure");
    assert!(painted(&window).contains(&"1  unsure".to_owned()));
}

#[test]
fn an_empty_picture_says_that_no_face_is_found_but_not_at_once() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 1000, vec![face(1, Emotion::Happy)]);
    show(&mut window, &fake, 1200, vec![]);
    assert!(!shows(&window, "No face found"), "a blink of the detector is no news");
    show(&mut window, &fake, 2500, vec![]);
    assert_shows(&window, "No face found");
    show(&mut window, &fake, 2533, vec![face(1, Emotion::Happy)]);
    assert!(!shows(&window, "No face found"));
}

#[test]
fn mirroring_moves_the_box_and_leaves_the_text_readable() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    let mirrored = window.get_by_label("Face 1: Happy 87 %").rect();
    press(&mut window, Key::M);
    let straight = window.get_by_label("Face 1: Happy 87 %").rect();
    assert!(straight.right() < mirrored.left(), "{straight:?} {mirrored:?}");
    assert_eq!(straight.size(), mirrored.size());
    assert!(painted(&window).contains(&"1  Happy 87 %".to_owned()));
    assert!(!window.state().settings().mirror_cameras);
    assert_eq!(fake.take_commands(), [], "mirroring is the window's business alone");
}

#[test]
fn a_camera_is_mirrored_from_the_start_and_a_video_is_not() {
    assert!(on_camera(&Fake::with_camera()).state().mirrored());
    assert!(!on_video(&Fake::default()).state().mirrored());
}

#[test]
fn each_layer_of_the_overlay_can_be_switched_off() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "View");
    click(&mut window, "Percentages");
    assert!(painted(&window).contains(&"1  Happy".to_owned()), "{:?}", painted(&window));
    click(&mut window, "Face numbers");
    click(&mut window, "Emotions");
    assert!(!painted(&window).iter().any(|text| text.starts_with("1  ")));
}

#[test]
fn a_click_on_a_face_or_its_bars_chooses_it_for_the_timeline() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
    assert_shows(&window, "Timeline of face 1");
    click(&mut window, "Face 2: Sad 87 %");
    assert_shows(&window, "Timeline of face 2");
    click(&mut window, "Show face 1 in the timeline");
    assert_shows(&window, "Timeline of face 1");
}

#[test]
fn a_window_in_which_nothing_moves_asks_for_no_repaint() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    window.run();
    let delay = window.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, Duration::MAX);
}

#[test]
fn bars_move_on_their_own_until_they_arrive() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    window.run();
    fake.scene(Duration::from_millis(133), vec![face(1, Emotion::Sad)]);
    window.step();
    let delay = window.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert_eq!(delay, Duration::ZERO, "the bars are on their way");
    window.run_steps(20);
    window.run();
}

/// `count` classes with long names.
fn long_names(count: usize) -> Classes {
    Classes::new((0..count).map(|class| format!("{class:02} a name that is long")).collect()).unwrap()
}

/// A face with `class` leading among `count` classes.
fn own_face(id: u32, class: usize, count: usize) -> Face {
    let mut weights = vec![0.2 / (count - 1) as f32; count];
    weights[class] = 0.8;
    let probabilities = Probabilities::from_weights(&weights).unwrap();
    Face { raw: probabilities, smoothed: probabilities, ..face(id, Emotion::Happy) }
}

fn show_own(window: &mut Window, fake: &Fake, at_ms: u64, classes: &Classes, faces: Vec<Face>) {
    fake.scene_of(classes.clone(), Duration::from_millis(at_ms), faces);
    window.run_steps(3);
}

#[test]
fn own_classes_are_named_at_the_box_in_the_bars_and_in_the_timeline() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let classes = Classes::new(["tired", "wide awake", "happy"].map(str::to_owned).into()).unwrap();
    show_own(&mut window, &fake, 100, &classes, vec![own_face(1, 1, 3)]);
    assert_shows(&window, "Face 1: Wide awake 80 %");
    assert!(painted(&window).contains(&"1  Wide awake 80 %".to_owned()));
    let bars: Vec<_> =
        window.get_all_by_role(Role::ProgressIndicator).map(|bar| bar.accesskit_node().label()).collect();
    assert_eq!(bars, ["Tired", "Wide awake", "Happy"].map(|name| Some(name.to_owned())));
    for line in ["Tired line", "Wide awake line", "Happy line"] {
        assert_shows(&window, line);
    }
    assert!(!shows(&window, "Angry") && !shows(&window, "Surprise"), "{:#?}", words(&window));
    click(&mut window, "View");
    assert_shows(&window, "Classes");
    assert!(!shows(&window, "Emotions"), "{:#?}", words(&window));
}

/// Whether the legend shows a line as visible.
fn is_on(window: &Window, line: &str) -> bool {
    window.get_by_label(line).accesskit_node().toggled() != Some(Toggled::False)
}

#[test]
fn a_network_of_other_classes_begins_new_curves_and_shows_all_its_lines() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Angry line");
    assert!(!is_on(&window, "Angry line"));
    let classes = Classes::new(["tired", "awake"].map(str::to_owned).into()).unwrap();
    show_own(&mut window, &fake, 200, &classes, vec![own_face(1, 0, 2)]);
    assert!(is_on(&window, "Tired line"), "the first line was hidden before");
    show(&mut window, &fake, 300, vec![face(1, Emotion::Sad)]);
    assert_shows(&window, "Face 1: Sad 87 %");
}

#[test]
fn a_recording_of_other_classes_shows_all_its_lines() {
    let home = tempfile::tempdir().unwrap();
    let classes = Classes::new(["tired", "awake"].map(str::to_owned).into()).unwrap();
    let folder = record_of(&home.path().join("talk"), 30, &classes);
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Angry line");
    drop_file(&mut window, &folder);
    let source = Source::Recording { folder: folder.clone(), results: Results::Recorded };
    until(&mut window, "the recording is read", |_| fake.last_plan().source == source);
    opened(&fake, &folder, &mut window);
    assert!(is_on(&window, "Tired line"), "the first line was hidden before");
}

#[test]
fn the_bars_of_twenty_long_names_lie_below_each_other_and_beside_their_names() {
    for size in [vec2(1200.0, 800.0), vec2(700.0, 600.0)] {
        let fake = Fake::with_camera();
        let mut window = on_camera(&fake);
        window.set_size(size);
        let classes = long_names(20);
        show_own(&mut window, &fake, 100, &classes, vec![own_face(1, 7, 20)]);
        let bars: Vec<_> = window.get_all_by_role(Role::ProgressIndicator).map(|bar| bar.rect()).collect();
        assert_eq!(bars.len(), 20);
        assert!(bars.windows(2).all(|pair| pair[0].bottom() <= pair[1].top() + 0.5), "{bars:?}");
        assert!(bars.iter().all(|bar| bar.right() <= size.x && bar.width() > 100.0), "{bars:?}");
        let cut = painted(&window).iter().filter(|text| text.ends_with("is long")).count();
        assert!(cut >= 1, "the name at the box is whole: {:?}", painted(&window));
        let timeline = window.get_all_by_role(Role::Figure).map(|plot| plot.rect()).next();
        if let Some(plot) = timeline {
            assert!(plot.height() > 30.0, "the legend leaves no room for the lines: {plot:?}");
        }
    }
}
