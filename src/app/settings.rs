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
    /// Whether the bars are beside the picture. `None`: shown if there is room.
    pub faces_panel: Option<bool>,
    /// The same for the timeline, below it.
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
        // What is asked for on the command line holds for that run alone.
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

    /// `onto` with what was changed since `base`: each field, also of the settings within settings, is as in `self` if that differs
    /// from `base`, else as in `onto`.
    #[must_use]
    pub fn rebased(&self, onto: &Self, base: &Self) -> Self {
        let [Ok(mut now), Ok(onto), Ok(base)] = [self, onto, base].map(serde_json::to_value) else {
            return self.clone();
        };
        rebase(&mut now, &onto, &base);
        serde_json::from_value(now).unwrap_or_else(|_| self.clone())
    }
}

/// Puts the value of `onto` in place of each that still is as in `base`.
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
        // What isn't set may have no field.
        (None, Some(base)) => *value != *base,
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
