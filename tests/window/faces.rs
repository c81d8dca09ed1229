//! Faces: boxes, labels, bars and the face that is chosen.

use std::time::Duration;

use egui::Key;
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::session::Source;
use mien::emotion::Emotion;
use mien::source::CameraDevice;

use super::driver::{assert_shows, click, on_camera, on_video, painted, press, show, shows};
use super::fake::{Fake, face, face_with};

#[test]
fn the_first_camera_opens_and_its_faces_are_named() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let Source::Camera(device, mode) = fake.last_plan().source else { panic!("no camera was opened") };
    assert_eq!(device, CameraDevice::Path("/dev/video0".into()));
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
