//! The controls: buttons, keys, menus, settings and messages.

use std::time::Duration;

use egui::accesskit::{Live, Role};
use egui::{Key, Modifiers, OutputCommand};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mien::app::Launch;
use mien::device::DeviceChoice;
use mien::emotion::Emotion;
use mien::pipeline::{Command, Event, NetworkChoice};
use mien::prior::{PriorChoice, StandardPrior};

use super::driver::{Window, assert_shows, click, on_camera, on_video, press, show, shows, until, window};
use super::fake::{Fake, face};

#[test]
fn pause_works_by_button_and_by_space() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    click(&mut window, "Pause");
    assert_eq!(fake.take_commands(), [Command::Pause]);
    assert_shows(&window, "Paused");
    press(&mut window, Key::Space);
    assert_eq!(fake.take_commands(), [Command::Resume]);
    assert!(!shows(&window, "Paused"));
}

#[test]
fn a_key_that_is_held_does_its_work_once() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    let mirrored = window.state().mirrored();
    for key in [Key::Space, Key::M] {
        for _ in 0..4 {
            window.key_down(key);
        }
        window.key_up(key);
        window.run_steps(2);
    }
    assert_eq!(fake.take_commands(), [Command::Pause]);
    assert_ne!(window.state().mirrored(), mirrored);
    press(&mut window, Key::Space);
    assert_eq!(fake.take_commands(), [Command::Resume]);
}

#[test]
fn a_letter_with_alt_is_none_of_the_windows_keys() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let mirrored = window.state().mirrored();
    window.key_press_modifiers(Modifiers::ALT, Key::M);
    window.run_steps(2);
    assert_eq!(window.state().mirrored(), mirrored);
}

#[test]
fn states_and_errors_are_read_out() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let live = |window: &Window, words| window.get_by_label(words).accesskit_node().live();
    assert_eq!(live(&window, "Opening camera…"), Live::Polite);
    let error = "the detector can't be made";
    fake.event(Event::DetectorFailed(error.to_owned()));
    window.run_steps(4);
    assert_eq!(live(&window, error), Live::Assertive);
}

#[test]
fn space_on_a_focused_button_presses_it_and_does_nothing_else() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    window.get_by_label("Stop").focus();
    window.run_steps(2);
    press(&mut window, Key::Space);
    assert_eq!(fake.take_commands(), [], "Space both pressed the button and paused");
    assert_eq!(fake.world().sessions_open, 0);
}

#[test]
fn the_smoothing_slider_reaches_the_pipeline_and_zero_is_off() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let slider = |window: &mut Window, value: f64| {
        window.get_by_role_and_label(Role::Slider, "Smoothing").set_value_accesskit(value);
        window.run_steps(2);
    };
    slider(&mut window, 0.5);
    assert_eq!(fake.take_commands(), [Command::SetSmoothing(Some(Duration::from_millis(500)))]);
    slider(&mut window, 0.0);
    assert_eq!(fake.take_commands(), [Command::SetSmoothing(None)]);
}

#[test]
fn a_key_that_mirrors_leaves_what_a_slider_has_just_changed() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let mirrored = window.state().mirrored();
    // The key is pressed in the repaint after the one in which the slider moves.
    window.get_by_role_and_label(Role::Slider, "Smoothing").set_value_accesskit(0.5);
    press(&mut window, Key::M);
    assert_ne!(window.state().mirrored(), mirrored);
    assert_eq!(window.state().settings().smoothing_secs, 0.5);
}

#[test]
fn a_device_that_is_out_of_reach_is_gray() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Device");
    assert!(window.get_by_label("CUDA 0").accesskit_node().is_disabled());
    assert!(!window.get_by_label("CPU").accesskit_node().is_disabled());
    click(&mut window, "CPU");
    let cpu = NetworkChoice { device: DeviceChoice::Cpu, ..NetworkChoice::default() };
    assert_eq!(fake.take_commands(), [Command::SetNetwork(cpu)]);
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_one_before_in_its_place() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    fake.event(Event::ClassifierReady);
    window.step();
    click(&mut window, "Model");
    click(&mut window, "other");
    let other = NetworkChoice { model: Some("other".to_owned()), ..NetworkChoice::default() };
    assert_eq!(fake.take_commands(), [Command::SetNetwork(other)]);
    fake.event(Event::ClassifierFailed("other.safetensors is cut short; fetch it again".to_owned()));
    window.run_steps(2);
    assert_shows(&window, "other.safetensors is cut short; fetch it again");
    assert_eq!(window.state().settings().model, None);
}

#[test]
fn an_answer_about_a_network_chosen_before_leaves_the_latest_choice() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    fake.event(Event::ClassifierReady);
    window.step();
    click(&mut window, "Settings");
    click(&mut window, "Equally frequent");
    click(&mut window, "As frequent as in training");
    let training = Some(PriorChoice::Standard(StandardPrior::Training));
    let answer = |window: &mut Window, event| {
        fake.event(event);
        window.run_steps(2);
        window.state().settings().prior.clone()
    };
    // The first network fails while the second is still loading, which then fails too.
    let failed = || Event::ClassifierFailed("the card doesn't say".to_owned());
    assert_eq!(answer(&mut window, failed()), training);
    assert_eq!(answer(&mut window, failed()), None);

    click(&mut window, "As frequent as in training");
    click(&mut window, "Equally frequent");
    assert_ne!(answer(&mut window, Event::ClassifierReady), training);
    assert_eq!(answer(&mut window, failed()), training);
}

#[test]
fn the_assumed_prior_reaches_the_pipeline_and_is_remembered() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Settings");
    click(&mut window, "As frequent as in training");
    let training = Some(PriorChoice::Standard(StandardPrior::Training));
    let choice = NetworkChoice { prior: training.clone(), ..NetworkChoice::default() };
    assert_eq!(fake.take_commands(), [Command::SetNetwork(choice)]);
    assert_eq!(window.state().settings().prior, training);
    click(&mut window, "Model default");
    assert_eq!(fake.take_commands(), [Command::SetNetwork(NetworkChoice::default())]);
}

#[test]
fn a_model_that_knows_no_other_prior_leaves_the_one_before() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    fake.event(Event::ClassifierReady);
    window.step();
    click(&mut window, "Settings");
    click(&mut window, "Equally frequent");
    fake.event(Event::ClassifierFailed("the model's card doesn't say how often each emotion was".to_owned()));
    window.run_steps(2);
    assert_shows(&window, "the model's card doesn't say how often each emotion was");
    assert_eq!(window.state().settings().prior, None);
}

#[test]
fn each_of_two_messages_has_its_place_in_the_picture() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    let texts = ["the first detector can't be made", "the second detector can't be made either"];
    let place = |window: &Window, text| window.get_by_label(text).rect();
    fake.event(Event::DetectorFailed(texts[0].to_owned()));
    window.run_steps(4);
    let alone = place(&window, texts[0]);
    fake.event(Event::DetectorFailed(texts[1].to_owned()));
    window.run_steps(4);
    let (first, second) = (place(&window, texts[0]), place(&window, texts[1]));
    assert!(first.bottom() < second.top(), "{first:?} {second:?}");
    // The later one is in the first one's place, and that has moved up.
    assert!((second.bottom() - alone.bottom()).abs() < 1.0, "{second:?} {alone:?}");
}

#[test]
fn an_error_stays_until_it_is_dismissed_and_can_be_copied() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    show(&mut window, &fake, 100, vec![face(1, Emotion::Happy)]);
    let error = "the network gave a result that is not a number; its weights are damaged";
    fake.event(Event::Failed(error.to_owned()));
    window.run_steps(8);
    assert_shows(&window, error);
    assert_eq!(fake.world().sessions_open, 0);
    assert!(!shows(&window, "Face 1"));

    window.get_by_label("Copy").click();
    let mut copied = Vec::new();
    for _ in 0..3 {
        window.step();
        copied.extend(window.output().platform_output.commands.iter().filter_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        }));
    }
    assert_eq!(copied, [error]);
    click(&mut window, "Dismiss");
    assert!(!shows(&window, error));
}

#[test]
fn f1_lists_every_key_and_escape_closes_the_list() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    press(&mut window, Key::F1);
    for text in
        ["Space", "Mirror the picture", "Full screen", "Ctrl+O", "F1", "Pause or resume", "one frame when paused"]
    {
        assert_shows(&window, text);
    }
    press(&mut window, Key::Escape);
    assert!(!shows(&window, "Mirror the picture"));
}

#[test]
fn f_asks_for_full_screen() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    window.key_down(Key::F);
    window.step();
    let viewport = &window.output().viewport_output[&egui::ViewportId::ROOT];
    assert!(viewport.commands.contains(&egui::ViewportCommand::Fullscreen(true)), "{:?}", viewport.commands);
}

#[test]
fn f_asks_for_full_screen_where_the_panels_are_hidden_already() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    press(&mut window, Key::P);
    window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().fullscreen = Some(false);
    window.key_down(Key::F);
    window.step();
    let viewport = &window.output().viewport_output[&egui::ViewportId::ROOT];
    assert!(viewport.commands.contains(&egui::ViewportCommand::Fullscreen(true)), "{:?}", viewport.commands);
}

#[test]
fn settings_are_changed_in_the_window_and_found_again_at_the_next_start() {
    let fake = Fake::with_camera();
    let launch = Launch { device: Some(DeviceChoice::Cpu), ..Launch::default() };
    let mut window = window(&fake, launch);
    until(&mut window, "the camera is opened", |_| fake.world().sessions_open == 1);
    click(&mut window, "Settings");
    click(&mut window, "Light");
    click(&mut window, "1280×720");
    press(&mut window, Key::M);
    assert_eq!(window.ctx.theme(), egui::Theme::Light);
    let mode = fake.last_plan().camera_mode;
    assert_eq!((mode.width, mode.height), (1280, 720));

    let again = window.state().to_remember();
    assert_eq!(again.theme, egui::ThemePreference::Light);
    assert_eq!(again.camera_mode.width, 1280);
    assert!(!again.mirror_cameras);
    assert_eq!(again.device, DeviceChoice::Auto, "an option of the command line holds for its run alone");
}

#[test]
fn detection_is_tuned_while_it_runs() {
    let fake = Fake::with_camera();
    let mut window = on_camera(&fake);
    click(&mut window, "Settings");
    window.get_by_label("Full scan every").click();
    window.get_by_role_and_label(Role::SpinButton, "Full scan every").set_value_accesskit(3.0);
    window.run_steps(2);
    let commands = fake.take_commands();
    let [Command::SetDetection(options)] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(options.full_scan_interval, 3);
}

/// Where a label is; of two, the upper one: two bars have a play button.
fn first(window: &Window, label: &str) -> egui::Rect {
    let rects = window.get_all_by_label(label).map(|node| node.rect());
    rects.min_by(|a, b| a.top().total_cmp(&b.top())).unwrap()
}

#[test]
fn everything_has_a_name_and_a_place_in_small_windows_and_at_double_scale() {
    for (size, scale) in [([640.0, 480.0], 1.0), ([900.0, 600.0], 1.0), ([800.0, 500.0], 2.0), ([1600.0, 1000.0], 1.0)]
    {
        let fake = Fake::default();
        let mut window = on_video(&fake);
        window.set_pixels_per_point(scale);
        window.set_size(size.into());
        show(&mut window, &fake, 1_000, vec![face(1, Emotion::Happy), face(2, Emotion::Sad)]);
        window.run_steps(3);
        window.check_accessibility();
        for label in ["Source", "Stop", "Mirror", "View", "Model", "Device", "Settings", "Help", "Loop", "Position"] {
            let rect = first(&window, label);
            let inside = rect.left() >= 0.0 && rect.right() <= size[0] && rect.bottom() <= size[1];
            assert!(inside, "{label} is at {rect:?} in a window of {size:?}");
        }
        let buttons = [
            "Source",
            "Pause",
            "Stop",
            "Record",
            "Snapshot",
            "Mirror",
            "View",
            "Model",
            "Device",
            "Full screen",
            "Settings",
            "Help",
        ];
        let mut rects: Vec<_> = buttons.iter().map(|label| (label, first(&window, label))).collect();
        rects.sort_by(|a, b| a.1.left().total_cmp(&b.1.left()));
        for pair in rects.windows(2) {
            assert!(pair[0].1.right() <= pair[1].1.left() + 1.0, "{pair:?} overlap in a window of {size:?}");
        }
    }
}
