//! What the window remembers, in a file.

use egui::Key;
use mien::app::Launch;
use mien::app::settings::{FILE, Settings};

use super::driver::{click, press, shows, window};
use super::fake::Fake;
#[cfg(target_os = "linux")]
use crate::support::{
    own_model::own_model,
    program::{assert_refused, mien},
};

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

/// No window opens: the display can't be reached.
#[test]
#[cfg(target_os = "linux")]
fn a_prior_of_other_classes_than_those_of_the_model_used_last_is_an_error_before_the_window_opens() {
    let home = tempfile::tempdir().unwrap();
    let settings = home.path().join("mien").join(FILE);
    std::fs::create_dir(settings.parent().unwrap()).unwrap();
    let own = own_model(home.path(), &["tired", "awake"]);
    std::fs::write(settings, serde_json::json!({ "model": own }).to_string()).unwrap();
    let prior = home.path().join("prior.toml");
    let emotions = "angry = 1\ndisgust = 1\nfear = 1\nhappy = 1\nsad = 1\nsurprise = 1\nneutral = 1\n";
    std::fs::write(&prior, emotions).unwrap();
    let mut command = mien();
    command.args(["live", "--prior"]).arg(prior).env("DISPLAY", "nowhere.invalid:0").env("XDG_DATA_HOME", home.path());
    assert_refused(&mut command, &["own.safetensors", "tells apart tired, awake"]);
}
