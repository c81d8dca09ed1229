//! What the window remembers from one start to the next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::ThemePreference;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::session::CameraMode;
use crate::bounded;
use crate::detect::DetectionOptions;
use crate::device::DeviceChoice;
use crate::pipeline::NetworkChoice;
use crate::prior::PriorChoice;
use crate::smooth::DEFAULT_SMOOTHING;
pub use crate::smooth::LONGEST_SMOOTHING_SECS;
use crate::source::CameraDevice;
use crate::whole::{self, Existing};

/// Name of the file of settings, in the folder where eframe keeps the place of the window.
pub const FILE: &str = "settings.json";

/// Bytes that it may have.
const MOST_BYTES: u64 = 1 << 20;

/// Everything that is remembered. A field that is missing in the file gets its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light, dark, or as the system is.
    pub theme: ThemePreference,
    /// The camera chosen last, by a link that keeps naming it, else by device file or number; none is the first that is found.
    pub camera: Option<String>,
    /// What is asked of cameras.
    pub camera_mode: CameraMode,
    /// Show cameras as a mirror does, which is what people expect to see of themselves.
    pub mirror_cameras: bool,
    /// Show videos as a mirror does.
    pub mirror_videos: bool,
    /// Time constant of the smoothing in seconds; 0 is off.
    pub smoothing_secs: f32,
    /// What is drawn over the picture.
    pub overlay: Overlay,
    /// Whether the bars are beside the picture; none leaves it to the room that there is.
    pub faces_panel: Option<bool>,
    /// Whether the timeline is below it, alike.
    pub timeline_panel: Option<bool>,
    /// Name or path of the model; none is the default model.
    pub model: Option<String>,
    /// Where the network runs.
    pub device: DeviceChoice,
    /// How often each class is assumed to be shown; none is the model's default. A file's is not remembered.
    #[serde(with = "standard_prior")]
    pub prior: Option<PriorChoice>,
    /// Whether the network sees each face in a mirror too.
    pub flip: bool,
    /// How faces are looked for.
    pub detection: DetectionOptions,
    /// Folder in which the last video was chosen.
    #[serde(serialize_with = "as_text")]
    pub video_folder: Option<PathBuf>,
    /// Folder for recordings and pictures; none is the default folder.
    #[serde(serialize_with = "as_text")]
    pub recordings_folder: Option<PathBuf>,
}

/// The layers over the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overlay {
    /// A box around each face.
    pub boxes: bool,
    /// The name of the class that leads.
    pub labels: bool,
    /// The face's number.
    pub ids: bool,
    /// The probability behind the name.
    pub percentages: bool,
}

impl Default for Overlay {
    fn default() -> Self {
        Self { boxes: true, labels: true, ids: true, percentages: true }
    }
}

/// The settings, and what tells the user's choices from those of the command line.
#[derive(Clone, Debug)]
pub struct Preferences {
    /// As they are now.
    pub now: Settings,
    loaded: Settings,
    launched: Settings,
}

impl Preferences {
    /// The settings of the last start, and those with what the command line asked for.
    pub fn new(loaded: Settings, launched: Settings) -> Self {
        Self { now: launched.clone(), loaded, launched }
    }

    /// The settings of the last start.
    pub fn loaded(&self) -> &Settings {
        &self.loaded
    }

    /// The settings with which the window started.
    pub fn launched(&self) -> &Settings {
        &self.launched
    }

    /// The settings for the next start.
    pub fn to_remember(&self) -> Settings {
        self.now.to_remember(&self.loaded, &self.launched)
    }
}

/// The file that the settings are kept in.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    kept: Settings,
    /// Whether it couldn't be written last time.
    failed: bool,
}

impl SettingsFile {
    /// The file at `path`, from which these were loaded.
    pub fn new(path: PathBuf, loaded: Settings) -> Self {
        Self { path, kept: loaded, failed: false }
    }

    /// Writes what has changed of the settings since they were kept last: another window may have changed others meanwhile.
    ///
    /// # Errors
    /// When that fails for the first time since it last went well; the file stays as it was.
    pub fn keep(&mut self, settings: Settings) -> Result<(), String> {
        if settings == self.kept {
            return Ok(());
        }
        let written = settings.to_remember(&Settings::load(&self.path), &self.kept).write(&self.path);
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemePreference::System,
            camera: None,
            camera_mode: CameraMode::default(),
            mirror_cameras: true,
            mirror_videos: false,
            smoothing_secs: DEFAULT_SMOOTHING.as_secs_f32(),
            overlay: Overlay::default(),
            faces_panel: None,
            timeline_panel: None,
            model: None,
            device: DeviceChoice::Auto,
            prior: None,
            flip: false,
            detection: DetectionOptions::default(),
            video_folder: None,
            recordings_folder: None,
        }
    }
}

impl Settings {
    /// The settings of the last start. What can't be read has its default, and a warning says so.
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

    /// The defaults, with each of the fields that can be read in its place.
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

    /// Brings values that a hand or a fault made impossible back into their range.
    #[must_use]
    pub fn sanitized(mut self) -> Self {
        if !self.smoothing_secs.is_finite() {
            self.smoothing_secs = DEFAULT_SMOOTHING.as_secs_f32();
        }
        self.smoothing_secs = self.smoothing_secs.clamp(0.0, LONGEST_SMOOTHING_SECS);
        self
    }

    /// The smoothing as the pipeline takes it.
    pub fn smoothing(&self) -> Option<Duration> {
        (self.smoothing_secs > 0.0).then(|| Duration::from_secs_f32(self.smoothing_secs))
    }

    /// The network to label with.
    pub fn network(&self) -> NetworkChoice {
        NetworkChoice { model: self.model.clone(), device: self.device, prior: self.prior.clone(), flip: self.flip }
    }

    /// The camera chosen last.
    pub fn chosen_camera(&self) -> Option<CameraDevice> {
        self.camera.as_ref().map(|word| {
            let Ok(device) = word.parse();
            device
        })
    }

    /// Whether pictures of this kind are shown as in a mirror.
    pub fn mirror_mut(&mut self, is_video: bool) -> &mut bool {
        if is_video { &mut self.mirror_videos } else { &mut self.mirror_cameras }
    }

    /// Where recordings and pictures go.
    pub fn recordings_folder(&self, default_folder: &Path) -> PathBuf {
        self.recordings_folder.clone().unwrap_or_else(|| default_folder.to_owned())
    }

    /// The settings to be remembered: `self`, but with the `loaded` value for each field that still is as the command
    /// line `launched` it, also of the settings within settings. What is asked for on the command line holds for that run
    /// alone.
    #[must_use]
    pub fn to_remember(&self, loaded: &Self, launched: &Self) -> Self {
        let [Ok(mut now), Ok(loaded), Ok(launched)] = [self, loaded, launched].map(serde_json::to_value) else {
            return self.clone();
        };
        restore(&mut now, &loaded, &launched);
        serde_json::from_value(now).unwrap_or_else(|_| self.clone())
    }
}

/// Puts the `loaded` value in place of each that still is as `launched`.
fn restore(now: &mut Value, loaded: &Value, launched: &Value) {
    if *now == *launched {
        *now = loaded.clone();
        return;
    }
    let (Value::Object(now), Value::Object(loaded), Value::Object(launched)) = (now, loaded, launched) else { return };
    now.retain(|name, value| match (loaded.get(name), launched.get(name)) {
        (Some(loaded), Some(launched)) => {
            restore(value, loaded, launched);
            true
        }
        // What isn't set may have no field.
        (None, Some(launched)) => *value != *launched,
        (_, None) => true,
    });
}

/// A folder as it is remembered. One whose name isn't Unicode can't be.
fn as_text<S: Serializer>(folder: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    folder.as_deref().and_then(Path::to_str).serialize(serializer)
}

/// A prior as it is remembered: the word for it.
mod standard_prior {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::prior::{PriorChoice, StandardPrior};

    pub fn serialize<S: Serializer>(prior: &Option<PriorChoice>, serializer: S) -> Result<S::Ok, S::Error> {
        let word = match prior {
            Some(PriorChoice::Standard(prior)) => Some(*prior),
            Some(PriorChoice::Given { .. }) | None => None,
        };
        word.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PriorChoice>, D::Error> {
        Ok(Option::<StandardPrior>::deserialize(deserializer)?.map(PriorChoice::Standard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prior::StandardPrior;

    #[test]
    fn impossible_values_are_brought_into_range() {
        for (stored, expected) in
            [(-1.0, 0.0), (99.0, LONGEST_SMOOTHING_SECS), (f32::NAN, DEFAULT_SMOOTHING.as_secs_f32())]
        {
            let settings = Settings { smoothing_secs: stored, ..Settings::default() }.sanitized();
            assert_eq!(settings.smoothing_secs, expected);
        }
    }

    /// A folder for settings, and their file in it.
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
        // Too large for its field, and impossible then; what follows counts.
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
        // A file in the folder's place.
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
        let now = Settings { flip: true, ..now }.to_remember(&Settings::default(), &launched);
        SettingsFile::new(path.clone(), Settings::default()).keep(now).unwrap();
        assert_eq!(Settings::load(&path), Settings { video_folder: None, ..changed() });
    }

    #[test]
    fn an_option_of_the_command_line_is_not_remembered_but_a_choice_in_the_window_is() {
        let loaded = Settings::default();
        let launched = Settings { device: DeviceChoice::Cpu, smoothing_secs: 0.0, ..loaded.clone() };
        // The user then moves the slider, and leaves the device as the command line had it.
        let now = Settings { smoothing_secs: 0.7, ..launched.clone() };
        let remembered = now.to_remember(&loaded, &launched);
        assert_eq!(remembered, Settings { smoothing_secs: 0.7, device: DeviceChoice::Auto, ..loaded });
    }

    #[test]
    fn an_option_is_not_remembered_where_its_neighbour_is_chosen_in_the_window() {
        let mut loaded = Settings::default();
        loaded.camera_mode.fps = 25.0;
        let mut launched = loaded.clone();
        (launched.camera_mode.width, launched.camera_mode.height) = (1920, 1080);
        launched.camera_mode.fourcc = None;
        launched.detection.min_face = Some(0.5);
        let mut now = launched.clone();
        now.camera_mode.fps = 60.0;
        now.detection.full_scan_interval += 1;
        let mut expected = loaded.clone();
        expected.camera_mode.fps = 60.0;
        expected.detection.full_scan_interval += 1;
        assert_eq!(now.to_remember(&loaded, &launched), expected);
    }
}
