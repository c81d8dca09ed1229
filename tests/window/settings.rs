//! What the window remembers, in a file.

use egui::Key;
use mien::app::Launch;
use mien::app::settings::{FILE, Settings};

use super::driver::{click, press, shows, window};
use super::fake::Fake;

#[test]
fn a_change_is_in_the_file_at_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(FILE);
    let mut window = window(&Fake::default(), Launch { smoothing_secs: Some(0.0), ..Launch::default() });
    window.state_mut().keep_settings_in(path.clone());
    window.state_mut().save_settings();
    assert!(!path.exists(), "nothing was changed");
    press(&mut window, Key::M);
    window.state_mut().save_settings();
    assert_eq!(Settings::load(&path), Settings { mirror_cameras: false, ..Settings::default() });
}

#[test]
fn settings_that_cannot_be_saved_are_told_of_once() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("a file");
    std::fs::write(&place, "").unwrap();
    let mut window = window(&Fake::default(), Launch::default());
    window.state_mut().keep_settings_in(place.join(FILE));
    press(&mut window, Key::M);
    for is_told in [true, false] {
        window.state_mut().save_settings();
        window.run_steps(2);
        assert_eq!(shows(&window, "The settings can't be saved"), is_told);
        if is_told {
            click(&mut window, "Dismiss");
        }
    }
}
