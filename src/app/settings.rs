//! What the window remembers from one start to the next.

mod file;

use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::ThemePreference;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

pub use self::file::{FILE, SettingsFile};
use super::session::CameraMode;
use crate::detect::DetectionOptions;
use crate::device::DeviceChoice;
use crate::pipeline::NetworkChoice;
use crate::prior::PriorChoice;
use crate::smooth::DEFAULT_SMOOTHING;
pub use crate::smooth::LONGEST_SMOOTHING_SECS;
use crate::source::CameraDevice;

/// All remembered settings. A field missing from the file gets its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light, dark, or following the system.
    pub theme: ThemePreference,
    /// The camera chosen last: a stable link to it, else its device file or number. `None` for the first one found.
    pub camera: Option<String>,
    /// Mode requested from cameras.
    pub camera_mode: CameraMode,
    /// Mirror cameras, as people expect when they see themselves.
    pub mirror_cameras: bool,
    /// Mirror videos.
    pub mirror_videos: bool,
    /// Time constant of the smoothing in seconds; 0 is off.
    pub smoothing_secs: f32,
    /// What is drawn over the picture.
    pub overlay: Overlay,
    /// Whether the bars are shown beside the picture. `None` shows them if there is room.
    pub faces_panel: Option<bool>,
    /// The same for the timeline below the picture.
    pub timeline_panel: Option<bool>,
    /// Name or path of the model; `None` for the default model.
    pub model: Option<String>,
    /// Where the network runs.
    pub device: DeviceChoice,
    /// How often each class is assumed to occur; `None` for the model's default. A prior from a file isn't remembered.
    #[serde(with = "standard_prior")]
    pub prior: Option<PriorChoice>,
    /// Whether the network also evaluates each face mirrored.
    pub flip: bool,
    /// How faces are detected.
    pub detection: DetectionOptions,
    /// Folder of the last chosen video.
    #[serde(serialize_with = "as_text")]
    pub video_folder: Option<PathBuf>,
    /// Folder for recordings and pictures; `None` for the default folder.
    #[serde(serialize_with = "as_text")]
    pub recordings_folder: Option<PathBuf>,
}

/// The layers drawn over the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overlay {
    /// A box around each face.
    pub boxes: bool,
    /// The name of the leading class.
    pub labels: bool,
    /// The face's number.
    pub ids: bool,
    /// The probability of the leading class.
    pub percentages: bool,
}

impl Default for Overlay {
    fn default() -> Self {
        Self { boxes: true, labels: true, ids: true, percentages: true }
    }
}

/// The current settings, with the earlier ones that tell the user's choices from command-line options.
#[derive(Clone, Debug)]
pub struct Preferences {
    /// The current settings.
    pub now: Settings,
    loaded: Settings,
    launched: Settings,
}

impl Preferences {
    /// Takes the saved settings, and the same with the options of the command line applied.
    pub fn new(loaded: Settings, launched: Settings) -> Self {
        Self { now: launched.clone(), loaded, launched }
    }

    /// The saved settings, as loaded at the start.
    pub fn loaded(&self) -> &Settings {
        &self.loaded
    }

    /// The settings with which the window started.
    pub fn launched(&self) -> &Settings {
        &self.launched
    }

    /// The settings for the next start.
    pub fn to_remember(&self) -> Settings {
        // Options of the command line apply to this run only.
        self.now.rebased(&self.loaded, &self.launched)
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
    /// Brings impossible values, as in an edited or damaged file, back into range.
    #[must_use]
    pub fn sanitized(mut self) -> Self {
        if !self.smoothing_secs.is_finite() {
            self.smoothing_secs = DEFAULT_SMOOTHING.as_secs_f32();
        }
        self.smoothing_secs = self.smoothing_secs.clamp(0.0, LONGEST_SMOOTHING_SECS);
        self
    }

    /// Time constant of the smoothing; `None` if it is off.
    pub fn smoothing(&self) -> Option<Duration> {
        (self.smoothing_secs > 0.0).then(|| Duration::from_secs_f32(self.smoothing_secs))
    }

    /// The network to label with.
    pub fn network(&self) -> NetworkChoice {
        NetworkChoice { model: self.model.clone(), device: self.device, prior: self.prior.clone(), flip: self.flip }
    }

    /// The camera chosen last; `None` also if an edited file names one that can't be.
    pub fn chosen_camera(&self) -> Option<CameraDevice> {
        self.camera.as_ref().and_then(|word| word.parse().ok())
    }

    /// The mirror setting of videos or of cameras.
    pub fn mirror_mut(&mut self, is_video: bool) -> &mut bool {
        if is_video { &mut self.mirror_videos } else { &mut self.mirror_cameras }
    }

    /// Where recordings and pictures go.
    pub fn recordings_folder(&self, default_folder: &Path) -> PathBuf {
        self.recordings_folder.clone().unwrap_or_else(|| default_folder.to_owned())
    }

    /// Applies the changes since `base` to `onto`. Each field, including nested ones, is taken from `self` if it differs
    /// from `base`, else from `onto`.
    #[must_use]
    pub fn rebased(&self, onto: &Self, base: &Self) -> Self {
        let [Ok(mut now), Ok(onto), Ok(base)] = [self, onto, base].map(serde_json::to_value) else {
            return self.clone();
        };
        rebase(&mut now, &onto, &base);
        serde_json::from_value(now).unwrap_or_else(|_| self.clone())
    }
}

/// Replaces each value that equals the one in `base` by the one in `onto`.
fn rebase(now: &mut Value, onto: &Value, base: &Value) {
    if *now == *base {
        *now = onto.clone();
        return;
    }
    let (Value::Object(now), Value::Object(onto), Value::Object(base)) = (now, onto, base) else { return };
    now.retain(|name, value| match (onto.get(name), base.get(name)) {
        (Some(onto), Some(base)) => {
            rebase(value, onto, base);
            true
        }
        // An option that isn't set may have no field.
        (None, Some(base)) => *value != *base,
        (_, None) => true,
    });
}

/// Stores a folder as text. One whose name isn't Unicode is stored as none.
fn as_text<S: Serializer>(folder: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    folder.as_deref().and_then(Path::to_str).serialize(serializer)
}

/// Stores a standard prior by its name, and any other as none.
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

    #[test]
    fn impossible_values_are_brought_into_range() {
        for (stored, expected) in
            [(-1.0, 0.0), (99.0, LONGEST_SMOOTHING_SECS), (f32::NAN, DEFAULT_SMOOTHING.as_secs_f32())]
        {
            let settings = Settings { smoothing_secs: stored, ..Settings::default() }.sanitized();
            assert_eq!(settings.smoothing_secs, expected);
        }
    }

    #[test]
    fn an_option_of_the_command_line_is_not_remembered_but_a_choice_in_the_window_is() {
        let loaded = Settings::default();
        let launched = Settings { device: DeviceChoice::Cpu, smoothing_secs: 0.0, ..loaded.clone() };
        // The user then moves the slider, and leaves the device as the command line had it.
        let now = Settings { smoothing_secs: 0.7, ..launched.clone() };
        let remembered = now.rebased(&loaded, &launched);
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
        assert_eq!(now.rebased(&loaded, &launched), expected);
    }
}
