//! Videos: opened, played, sought and stepped through.

use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Shape};
use egui_kittest::kittest::Queryable as _;
use mien::app::session::Source;
use mien::emotion::Emotion;
use mien::pipeline::{Command, Event, NetworkChoice};
use mien::source::Shortfall;

use super::driver::{
    CLIP, CLIP_LENGTH, Window, assert_shows, click, drop_file, on_camera, on_video, press, show, shows, until,
};
use super::fake::{Fake, face};

#[test]
fn a_video_has_its_length_and_position_and_can_be_sought() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 5_400, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "0:05.4 / 0:20.0");

    window.get_by_role_and_label(Role::Slider, "Position").set_value_accesskit(12.5);
    window.run_steps(2);
    assert_eq!(fake.take_commands(), [Command::Seek(Duration::from_millis(12_500))]);
    assert_shows(&window, "0:12.5 / 0:20.0");
    show(&mut window, &fake, 12_520, vec![face(1, Emotion::Happy)]);
    assert_shows(&window, "0:12.5 / 0:20.0");
}

#[test]
fn a_video_that_is_longer_than_it_declares_can_be_sought_as_far_as_it_was_shown() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 25_000, vec![]);
    assert_shows(&window, "0:25.0 / 0:25.0");
    show(&mut window, &fake, 5_000, vec![]);
    assert_shows(&window, "0:05.0 / 0:25.0");
    window.get_by_role_and_label(Role::Slider, "Position").set_value_accesskit(24.0);
    window.run_steps(2);
    assert_eq!(fake.take_commands(), [Command::Seek(Duration::from_secs(24))]);
}

/// Number of circles of this diameter that were painted.
fn circles(window: &Window, diameter: f32) -> usize {
    let is_one = |shape: &Shape| matches!(shape, Shape::Circle(circle) if circle.radius * 2.0 == diameter);
    window.output().shapes.iter().filter(|clipped| is_one(&clipped.shape)).count()
}

#[test]
fn a_face_that_was_found_once_is_a_point_in_the_timeline() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    let points = |window: &Window| circles(window, 5.0);
    assert_eq!(points(&window), 0);
    show(&mut window, &fake, 5_000, vec![face(1, Emotion::Happy)]);
    assert_eq!(points(&window), 7, "one for each emotion");
    // The next frame makes it a line.
    show(&mut window, &fake, 5_040, vec![face(1, Emotion::Happy)]);
    assert_eq!(points(&window), 0);
}

#[test]
fn arrows_jump_in_a_video_that_plays_and_step_in_one_that_is_paused() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 10_000, vec![]);
    press(&mut window, Key::ArrowRight);
    press(&mut window, Key::ArrowRight);
    let seeks = [Command::Seek(Duration::from_secs(15)), Command::Seek(CLIP_LENGTH)];
    assert_eq!(fake.take_commands(), seeks, "the second jump starts where the first one goes, and ends at the end");
    show(&mut window, &fake, 2_000, vec![]);
    press(&mut window, Key::ArrowLeft);
    assert_eq!(fake.take_commands(), [Command::Seek(Duration::ZERO)]);

    press(&mut window, Key::Space);
    press(&mut window, Key::ArrowLeft);
    press(&mut window, Key::ArrowRight);
    assert_eq!(fake.take_commands(), [Command::Pause, Command::Step(-1), Command::Step(1)]);
}

#[test]
fn another_network_or_detector_analyses_the_frame_on_which_a_video_is_paused_again() {
    for paused in [true, false] {
        let fake = Fake::default();
        let mut window = on_video(&fake);
        fake.event(Event::ClassifierReady);
        show(&mut window, &fake, 5_400, vec![face(1, Emotion::Happy)]);
        if paused {
            press(&mut window, Key::Space);
        }
        assert_eq!(fake.take_commands(), if paused { vec![Command::Pause] } else { vec![] });
        let again = if paused { vec![Command::AnalyseAgain] } else { vec![] };

        click(&mut window, "Model");
        click(&mut window, "other");
        let other = NetworkChoice { model: Some("other".to_owned()), ..NetworkChoice::default() };
        assert_eq!(fake.take_commands(), [Command::SetNetwork(other)], "it isn't ready yet");
        fake.event(Event::ClassifierReady);
        window.run_steps(2);
        assert_eq!(fake.take_commands(), again);
        assert_eq!(shows(&window, "Paused"), paused);
        show(&mut window, &fake, 5_400, vec![face(1, Emotion::Sad)]);

        click(&mut window, "Settings");
        click(&mut window, "Haar");
        let mut commands = fake.take_commands();
        assert!(matches!(commands.remove(0), Command::SetDetection(_)));
        assert_eq!(commands, again);
    }
}

#[test]
fn at_the_end_of_a_video_another_network_leaves_it_at_the_end() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    fake.event(Event::ClassifierReady);
    show(&mut window, &fake, 19_960, vec![face(1, Emotion::Happy)]);
    fake.event(Event::EndOfVideo);
    fake.event(Event::ClassifierReady);
    window.run_steps(2);
    assert_eq!(fake.take_commands(), [Command::AnalyseAgain]);
    show(&mut window, &fake, 19_960, vec![face(1, Emotion::Sad)]);
    assert_shows(&window, "End of video");
}

#[test]
fn an_arrow_that_is_held_goes_on() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 1_000, vec![]);
    for _ in 0..3 {
        window.key_down(Key::ArrowRight);
    }
    window.key_up(Key::ArrowRight);
    window.run_steps(2);
    assert_eq!(fake.take_commands(), [6, 11, 16].map(Duration::from_secs).map(Command::Seek));
}

#[test]
fn the_buttons_of_the_playback_bar_step_loop_and_change_speed() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 1_000, vec![]);
    click(&mut window, "One frame forward");
    click(&mut window, "One frame back");
    click(&mut window, "Loop");
    click(&mut window, "Speed");
    click(&mut window, "2×");
    assert_eq!(
        fake.take_commands(),
        [Command::Step(1), Command::Step(-1), Command::SetRepeat(true), Command::SetSpeed(2.0)]
    );
}

#[test]
fn the_end_of_a_video_is_a_state_from_which_it_plays_again() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 19_960, vec![face(1, Emotion::Happy)]);
    fake.event(Event::EndOfVideo);
    window.run_steps(2);
    assert_shows(&window, "End of video");
    assert_eq!(window.get_all_by_label("Play").count(), 2, "both bars say what comes next");
    assert!(window.query_by_label("Pause").is_none());
    click(&mut window, "Play again");
    assert_eq!(fake.take_commands(), [Command::Resume]);
    assert!(!shows(&window, "End of video"));
}

#[test]
fn a_video_that_is_cut_says_so_when_it_ends() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 10_000, vec![face(1, Emotion::Happy)]);
    fake.event(Event::CutShort(Shortfall { lost: 249, declared: 500, first: Duration::from_millis(10_040) }));
    fake.event(Event::EndOfVideo);
    window.run_steps(2);
    assert_shows(
        &window,
        "clip.mp4 is truncated or damaged: 249 of the 500 frames that it declares can't be read, the first of them at 10.0 s",
    );
    assert_shows(&window, "End of video");
}

#[test]
fn a_step_forward_at_the_end_stays_there() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 19_960, vec![face(1, Emotion::Happy)]);
    fake.event(Event::EndOfVideo);
    window.run_steps(2);
    press(&mut window, Key::ArrowRight);
    assert_shows(&window, "End of video");
}

#[test]
fn loop_counts_for_a_video_that_is_started_again() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 1_000, vec![]);
    click(&mut window, "Stop");
    click(&mut window, "Loop");
    click(&mut window, "Start again");
    assert!(fake.last_plan().repeat);
}

#[test]
fn after_the_end_a_seek_stays_paused_as_the_pipeline_does() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 19_960, vec![face(1, Emotion::Happy)]);
    fake.event(Event::EndOfVideo);
    window.run_steps(2);
    press(&mut window, Key::ArrowLeft);
    assert_eq!(fake.take_commands(), [Command::Step(-1)]);
    assert_shows(&window, "Paused");
    assert_eq!(window.get_all_by_label("Resume").count(), 2);
}

#[test]
fn a_click_into_the_timeline_of_a_video_goes_there() {
    let fake = Fake::default();
    let mut window = on_video(&fake);
    show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Timeline of face 1");
    let commands = fake.take_commands();
    let [Command::Seek(to)] = commands.as_slice() else { panic!("{commands:?}") };
    // The middle of the plot, give or take the room for the axis' labels.
    assert!((9.0..12.0).contains(&to.as_secs_f64()), "{to:?}");
}

#[test]
fn a_dropped_video_is_replayed() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    window.input_mut().hovered_files.push(egui::HoveredFile::default());
    window.step();
    assert_shows(&window, "Drop the video or the recording");

    window.input_mut().hovered_files.clear();
    drop_file(&mut window, Path::new(CLIP));
    assert_eq!(fake.last_plan().source, Source::Video(PathBuf::from(CLIP)));
    assert_eq!(fake.world().sessions_open, 1, "the camera is let go of");
    assert!(!shows(&window, "Drop the video"));
}

#[test]
fn control_o_opens_the_file_dialog_and_what_it_gives_is_replayed() {
    let fake = Fake::with_camera();
    fake.world().chosen_video = Some(PathBuf::from(CLIP));
    let mut window = on_camera(&fake);
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    until(&mut window, "the video is opened", |_| fake.last_plan().source == Source::Video(PathBuf::from(CLIP)));
}

#[test]
fn a_file_dialog_that_crashes_says_so_and_can_be_opened_again() {
    let fake = Fake::with_camera();
    fake.world().dialog_crashes = true;
    fake.world().chosen_video = Some(PathBuf::from(CLIP));
    let mut window = on_camera(&fake);
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    until(&mut window, "the crash is told of", |w| shows(w, "The file dialog crashed"));
    fake.world().dialog_crashes = false;
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    until(&mut window, "the video is opened", |_| fake.last_plan().source == Source::Video(PathBuf::from(CLIP)));
}

#[test]
fn a_system_without_a_file_dialog_says_what_to_do_instead() {
    let fake = Fake::with_camera();
    fake.world().dialog_error = Some("this system has no file dialog".to_owned());
    let mut window = on_camera(&fake);
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    until(&mut window, "the error is shown", |w| shows(w, "this system has no file dialog"));
}
