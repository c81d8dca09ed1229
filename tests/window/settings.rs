//! What the window remembers, in the store that eframe gives it.

use mien::app::settings::{STORAGE_KEY, Settings};
use mien::prior::{PriorChoice, StandardPrior};

use super::driver::Memory;

#[test]
fn settings_are_read_back_as_they_were_stored() {
    let mut settings = Settings { smoothing_secs: 1.25, mirror_cameras: false, ..Settings::default() };
    settings.overlay.ids = false;
    settings.model = Some("other".to_owned());
    settings.prior = Some(PriorChoice::Standard(StandardPrior::Training));
    let mut memory = Memory::default();
    eframe::set_value(&mut memory, STORAGE_KEY, &settings);
    assert_eq!(Settings::load(Some(&memory)), settings);
}

#[test]
fn damaged_or_older_settings_give_defaults_for_what_is_lost() {
    let mut memory = Memory::default();
    memory.0.insert(STORAGE_KEY.to_owned(), "(smoothing_secs: 1.5, gone_since: 3)".to_owned());
    assert_eq!(Settings::load(Some(&memory)), Settings { smoothing_secs: 1.5, ..Settings::default() });

    memory.0.insert(STORAGE_KEY.to_owned(), "}{ not ron".to_owned());
    assert_eq!(Settings::load(Some(&memory)), Settings::default());
    assert_eq!(Settings::load(None), Settings::default());
}
