//! The file that the settings are kept in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Settings;
use crate::bounded;
use crate::whole::{self, Existing};

/// Name of the settings file, in the folder where eframe stores the window's position.
pub const FILE: &str = "settings.json";

/// Maximum size of the file in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// The settings file, and what this window last read from it or wrote to it.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    kept: Settings,
    /// Whether the last write failed.
    failed: bool,
}

impl SettingsFile {
    /// The file at `path`, from which `loaded` was read.
    pub fn new(path: PathBuf, loaded: Settings) -> Self {
        Self { path, kept: loaded, failed: false }
    }

    /// Writes only the settings changed since the last call, because another window may have changed others meanwhile.
    ///
    /// # Errors
    /// On the first failure after a success; later ones are silent. The file then stays unchanged.
    pub fn keep(&mut self, settings: Settings) -> Result<(), String> {
        if settings == self.kept {
            return Ok(());
        }
        let written = settings.rebased(&Settings::load(&self.path), &self.kept).write(&self.path);
        let was_told = std::mem::replace(&mut self.failed, written.is_err());
        match written {
            Ok(()) => self.kept = settings,
            Err(_) if was_told => {}
            Err(error) => {
                let path = self.path.display();
                return Err(format!(
                    "The settings can't be saved to {path} ({error}); they last until this window is closed"
                ));
            }
        }
        Ok(())
    }
}

impl Settings {
    /// Loads the saved settings. A value that can't be read gets its default, and a warning is logged.
    pub fn load(path: &Path) -> Self {
        let read = bounded::read(path, MOST_BYTES).and_then(|text| Ok(serde_json::from_slice(&text)?));
        match read {
            Ok(fields) => Self::of(fields).sanitized(),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!("no settings can be read from {}: {error}", path.display());
                }
                Self::default()
            }
        }
    }

    /// The defaults, with each readable field replaced by its stored value.
    fn of(stored: Map<String, Value>) -> Self {
        let mut settings = Self::default();
        let Ok(Value::Object(mut fields)) = serde_json::to_value(&settings) else { return settings };
        for (name, value) in stored {
            let Some(field) = fields.get_mut(&name) else {
                tracing::warn!("there is no setting “{name}”");
                continue;
            };
            let default = std::mem::replace(field, value);
            match serde_json::from_value(Value::Object(fields.clone())) {
                Ok(read) => settings = read,
                Err(error) => {
                    tracing::warn!("the setting “{name}” can't be read: {error}");
                    fields.insert(name, default);
                }
            }
        }
        settings
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        fs::create_dir_all(whole::folder_of(path))?;
        whole::write(path, &text, Existing::Replace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::settings::Overlay;
    use crate::device::DeviceChoice;
    use crate::prior::{PriorChoice, StandardPrior};

    /// A temporary folder, and the path of a settings file in it.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mien").join(FILE);
        (home, path)
    }

    /// Settings as the user may have changed them.
    fn changed() -> Settings {
        let mut settings = Settings { smoothing_secs: 1.25, mirror_cameras: false, ..Settings::default() };
        settings.overlay.ids = false;
        settings.model = Some("other".to_owned());
        settings.prior = Some(PriorChoice::Standard(StandardPrior::Training));
        settings.detection.min_face = Some(0.5);
        settings.device = DeviceChoice::Cuda(1);
        settings.video_folder = Some("/videos".into());
        settings
    }

    #[test]
    fn settings_are_read_back_as_they_were_kept() {
        let (_home, path) = folder();
        assert_eq!(Settings::load(&path), Settings::default());
        let mut file = SettingsFile::new(path.clone(), Settings::default());
        file.keep(changed()).unwrap();
        assert_eq!(Settings::load(&path), changed());
        file.keep(Settings::default()).unwrap();
        assert_eq!(Settings::load(&path), Settings::default());
    }

    #[test]
    fn settings_that_have_not_changed_are_not_written() {
        let (_home, path) = folder();
        SettingsFile::new(path.clone(), changed()).keep(changed()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_setting_that_cannot_be_read_or_is_unknown_leaves_the_others_as_they_are() {
        let (_home, path) = folder();
        fs::create_dir(path.parent().unwrap()).unwrap();
        let text = r#"{"theme": "Purple", "smoothing_secs": 1.5, "gone_since": 3, "device": {"Cuda": "one"}, "flip": true,
            "detection": {"min_face": "small"}, "overlay": {"ids": false}}"#;
        fs::write(&path, text).unwrap();
        let overlay = Overlay { ids: false, ..Overlay::default() };
        let expected = Settings { smoothing_secs: 1.5, flip: true, overlay, ..Settings::default() };
        assert_eq!(Settings::load(&path), expected);
        // Too large for its field, so out of range; the field after it still counts.
        fs::write(&path, r#"{"smoothing_secs": 1e300, "flip": true}"#).unwrap();
        assert!(Settings::load(&path).flip);
        for damaged in ["}{ not JSON", "[]", ""] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(Settings::load(&path), Settings::default(), "{damaged}");
        }
    }

    #[test]
    fn settings_that_cannot_be_saved_are_told_of_once_and_those_before_stay() {
        let (home, path) = folder();
        let mut file = SettingsFile::new(path.clone(), Settings::default());
        // A file where the folder should be.
        let place = home.path().join("mien");
        fs::write(&place, "precious").unwrap();
        let error = file.keep(changed()).unwrap_err();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert_eq!(file.keep(changed()), Ok(()));
        assert_eq!(fs::read_to_string(&place).unwrap(), "precious");
        fs::remove_file(place).unwrap();
        file.keep(changed()).unwrap();
        assert_eq!(Settings::load(&path), changed());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_whose_name_is_not_unicode_is_forgotten_and_the_other_settings_are_kept() {
        use std::os::unix::ffi::OsStringExt as _;
        let (_home, path) = folder();
        let odd = PathBuf::from(std::ffi::OsString::from_vec(b"/videos/\xff".to_vec()));
        let now = Settings { video_folder: Some(odd), ..changed() };
        let launched = Settings { flip: true, ..Settings::default() };
        let now = Settings { flip: true, ..now }.rebased(&Settings::default(), &launched);
        SettingsFile::new(path.clone(), Settings::default()).keep(now).unwrap();
        assert_eq!(Settings::load(&path), Settings { video_folder: None, ..changed() });
    }
}
