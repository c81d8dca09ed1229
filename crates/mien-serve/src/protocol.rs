//! The messages as types, from which the OpenAPI document is generated too. Fields have the names of the columns in docs/tables.md.

use mien_core::classes::Classes;
use mien_core::digits::{PIXEL_DIGITS, PROBABILITY_DIGITS, QUALITY_DIGITS, TIME_DIGITS, rounded, rounded_landmarks};
use mien_core::face::Face;
use mien_core::landmarks::Landmarks;
use mien_core::probabilities::Probabilities;
use mien_core::verdict::Verdict;
use mien_vision::pipeline::Scene;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Rounded as in tables.
fn pixels(value: f32) -> f64 {
    rounded(value.into(), PIXEL_DIGITS)
}

/// A face in a picture.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FaceReport {
    /// The face's number, from 1; a person keeps it from frame to frame.
    #[schema(minimum = 1)]
    pub face: u32,
    /// Left edge of the box in pixels of the picture.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width of the box.
    pub width: f64,
    /// Height of the box.
    pub height: f64,
    /// How sure the detector is of the box.
    pub score: f64,
    /// The class that leads after smoothing.
    #[schema(example = "happy")]
    pub label: String,
    /// The label, or `unsure` if none leads clearly.
    #[schema(example = "happy")]
    pub verdict: String,
    /// Probabilities from this frame alone.
    #[serde(flatten)]
    #[schema(value_type = RawProbabilities)]
    pub raw: Shares,
    /// Probabilities smoothed over time.
    #[serde(flatten)]
    #[schema(value_type = SmoothedProbabilities)]
    pub smoothed: Shares,
    /// Eyes, nose, mouth and roll; null if the detector found none.
    #[serde(flatten)]
    pub landmarks: LandmarkReport,
    /// How usable the face's picture is; null in recordings that don't say.
    #[schema(required, minimum = 0.0, maximum = 1.0)]
    pub quality: Option<f64>,
}

/// The probabilities of one kind, keyed by their columns' names: `raw_happy` …, or those of the model's custom classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares(Vec<(String, f64)>);

impl Shares {
    fn new(kind: &str, classes: &Classes, probabilities: &Probabilities) -> Self {
        let rounded = probabilities.as_slice().iter().map(|p| rounded((*p).into(), PROBABILITY_DIGITS));
        Self(classes.columns().map(|column| format!("{kind}_{column}")).zip(rounded).collect())
    }
}

impl Serialize for Shares {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(column, share)| (column, share)))
    }
}

/// The schema of [`Shares`] of one kind for these classes.
fn shares_schema(kind: &str, classes: &Classes, over: &str) -> RefOr<Schema> {
    let share = || ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0.0)).maximum(Some(1.0));
    let described =
        ObjectBuilder::new().description(Some(format!("A probability for each class, which sum to 1, {over}.")));
    classes
        .columns()
        .map(|column| format!("{kind}_{column}"))
        .fold(described, |object, name| object.property(name.clone(), share()).required(name))
        .into()
}

macro_rules! shares {
    ($(#[$doc:meta])* $name:ident: $kind:literal, $over:literal) => {
        $(#[$doc])*
        pub struct $name;

        impl $name {
            /// The schema for a model with these classes.
            pub fn schema_of(classes: &Classes) -> RefOr<Schema> {
                shares_schema($kind, classes, $over)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Self::schema_of(&Classes::emotions())
            }
        }

        impl ToSchema for $name {}
    };
}

shares!(
    /// The schema of [`FaceReport::raw`].
    RawProbabilities: "raw", "from one frame alone"
);
shares!(
    /// The schema of [`FaceReport::smoothed`].
    SmoothedProbabilities: "smoothed", "smoothed over time"
);

/// Centres of the eyes, tip of the nose and corners of the mouth in pixels of the picture, where right and left are the person's, and the
/// head's roll in degrees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct LandmarkReport {
    #[schema(required)]
    pub right_eye_x: Option<f64>,
    #[schema(required)]
    pub right_eye_y: Option<f64>,
    #[schema(required)]
    pub left_eye_x: Option<f64>,
    #[schema(required)]
    pub left_eye_y: Option<f64>,
    #[schema(required)]
    pub nose_x: Option<f64>,
    #[schema(required)]
    pub nose_y: Option<f64>,
    #[schema(required)]
    pub mouth_right_x: Option<f64>,
    #[schema(required)]
    pub mouth_right_y: Option<f64>,
    #[schema(required)]
    pub mouth_left_x: Option<f64>,
    #[schema(required)]
    pub mouth_left_y: Option<f64>,
    #[schema(required)]
    pub roll: Option<f64>,
}

impl From<&Landmarks> for LandmarkReport {
    fn from(landmarks: &Landmarks) -> Self {
        // The roll is computed from the rounded points.
        let landmarks = rounded_landmarks(landmarks);
        let [right_eye, left_eye, nose, mouth_right, mouth_left] = landmarks.points();
        let place = |value| Some(pixels(value));
        Self {
            right_eye_x: place(right_eye[0]),
            right_eye_y: place(right_eye[1]),
            left_eye_x: place(left_eye[0]),
            left_eye_y: place(left_eye[1]),
            nose_x: place(nose[0]),
            nose_y: place(nose[1]),
            mouth_right_x: place(mouth_right[0]),
            mouth_right_y: place(mouth_right[1]),
            mouth_left_x: place(mouth_left[0]),
            mouth_left_y: place(mouth_left[1]),
            roll: place(landmarks.roll_degrees()),
        }
    }
}

impl FaceReport {
    /// Reports a face whose probabilities are for these classes.
    fn new(face: &Face, classes: &Classes) -> Self {
        Self {
            face: face.id.0,
            x: pixels(face.rect.x),
            y: pixels(face.rect.y),
            width: pixels(face.rect.width),
            height: pixels(face.rect.height),
            score: rounded(face.score.into(), PROBABILITY_DIGITS),
            label: classes.key(face.smoothed.top().0).to_owned(),
            verdict: Verdict::of(face).key(classes).to_owned(),
            raw: Shares::new("raw", classes, &face.raw),
            smoothed: Shares::new("smoothed", classes, &face.smoothed),
            landmarks: face.landmarks.as_ref().map(LandmarkReport::from).unwrap_or_default(),
            quality: face.quality.map(|quality| rounded(quality.into(), QUALITY_DIGITS)),
        }
    }
}

/// The faces in a posted picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PictureReport {
    /// Width of the picture in pixels, after its EXIF orientation was applied.
    pub picture_width: usize,
    /// Height of the picture in pixels.
    pub picture_height: usize,
    /// The model that labelled the faces.
    pub model: String,
    /// The faces, in the order of their numbers.
    pub faces: Vec<FaceReport>,
}

/// A frame of the server's own source.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SceneReport {
    /// The name of the source.
    pub file: String,
    /// Number of the frame in the source, from 0.
    pub frame: u64,
    /// Time of the frame since the start of the source, in seconds.
    pub time_s: f64,
    /// Width of the picture in pixels.
    pub picture_width: usize,
    /// Height of the picture in pixels.
    pub picture_height: usize,
    /// From capture to label, in milliseconds.
    pub age_ms: f64,
    /// The faces, in the order of their numbers.
    pub faces: Vec<FaceReport>,
}

/// From capture to label, in milliseconds.
fn age_ms(scene: &Scene) -> f64 {
    const DIGITS: usize = 1;
    rounded(scene.labelled_at.saturating_duration_since(scene.frame.captured_at).as_secs_f64() * 1e3, DIGITS)
}

/// The faces of a scene.
pub fn faces(scene: &Scene) -> Vec<FaceReport> {
    scene.faces.iter().map(|face| FaceReport::new(face, &scene.classes)).collect()
}

impl SceneReport {
    /// A scene of the source that is called `file`.
    pub fn new(file: &str, scene: &Scene) -> Self {
        Self {
            file: file.to_owned(),
            frame: scene.frame.index,
            time_s: rounded(scene.frame.media_time.as_secs_f64(), TIME_DIGITS),
            picture_width: scene.frame.width(),
            picture_height: scene.frame.height(),
            age_ms: age_ms(scene),
            faces: faces(scene),
        }
    }
}

/// A text message from the server in a WebSocket.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The result for one of the visitor's frames.
    Scene {
        /// The number that the visitor gave the frame.
        id: u32,
        /// The time that the visitor gave the frame.
        t: f64,
        /// Width of the picture in pixels.
        picture_width: usize,
        /// Height of the picture in pixels.
        picture_height: usize,
        /// From the frame's arrival at the server to its label, in milliseconds.
        age_ms: f64,
        /// The faces.
        faces: Vec<FaceReport>,
    },
    /// A frame couldn't be analysed, or the connection will be closed.
    Problem {
        /// The number of the frame, if the problem concerns one.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        id: Option<u32>,
        /// The corresponding HTTP status.
        status: u16,
        /// What is wrong, in words.
        message: String,
    },
    /// How the server's source is doing.
    Source(SourceReport),
}

impl ServerMessage {
    /// A scene of a visitor's camera.
    pub fn scene(id: u32, t: f64, scene: &Scene) -> Self {
        let (picture_width, picture_height) = (scene.frame.width(), scene.frame.height());
        Self::Scene { id, t, picture_width, picture_height, age_ms: age_ms(scene), faces: faces(scene) }
    }

    /// The message as JSON.
    pub fn json(&self) -> String {
        // Serialising numbers and strings can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether the server's source gives pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// It is being opened, for the first time or again.
    Opening,
    /// It gives pictures.
    Playing,
    /// The camera is gone or can't be opened, and is retried.
    Lost,
    /// It has ended with an error and won't be retried.
    Failed,
}

/// How the server's source is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceReport {
    /// Whether there is a picture.
    pub state: SourceState,
    /// A message for the user; empty while all is well.
    pub message: String,
}

/// The settings that a visitor can change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisitorCommand {
    /// Time constant of the smoothing in seconds; 0 is off.
    pub smoothing: f32,
}

/// The header of a visitor's frame: its number and time, both little-endian, followed by the picture.
#[derive(Clone, Debug)]
pub struct FrameHeader {
    /// The visitor's number for the frame.
    pub id: u32,
    /// The visitor's time for the frame, which is sent back.
    pub t: f64,
}

impl FrameHeader {
    /// Bytes before the picture.
    pub const BYTES: usize = 12;

    /// Reads the header from the beginning of a message; `None` if that is too short or the time isn't finite.
    pub fn read(message: &[u8]) -> Option<Self> {
        let (id, rest) = message.split_first_chunk::<4>()?;
        let (t, _) = rest.split_first_chunk::<8>()?;
        let t = f64::from_le_bytes(*t);
        t.is_finite().then_some(Self { id: u32::from_le_bytes(*id), t })
    }
}

/// A class of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClassReport {
    /// Its name in labels and verdicts.
    #[schema(example = "happy")]
    pub label: String,
    /// Its name in fields, after `raw_` and `smoothed_`.
    #[schema(example = "happy")]
    pub column: String,
    /// Its colour in the window and on the page.
    #[schema(example = "#f0e442")]
    pub color: String,
}

impl ClassReport {
    /// Reports all classes, in their order.
    pub fn all(classes: &Classes) -> Vec<Self> {
        let report = |(class, column): (usize, &str)| {
            let [red, green, blue] = classes.rgb(class);
            let color = format!("#{red:02x}{green:02x}{blue:02x}");
            Self { label: classes.key(class).to_owned(), column: column.to_owned(), color }
        };
        classes.columns().enumerate().map(report).collect()
    }
}

/// The bytes of a picture, or of pictures one after another.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "it stands in the document alone")]
pub struct PictureBytes(Vec<u8>);

/// An error response.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorReport {
    /// What is wrong, in words.
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_number_and_time_before_the_picture() {
        let mut message = 7_u32.to_le_bytes().to_vec();
        message.extend(1234.5_f64.to_le_bytes());
        message.extend(b"jpeg");
        let header = FrameHeader::read(&message).unwrap();
        assert_eq!((header.id, header.t), (7, 1234.5));
        assert!(FrameHeader::read(&message[..11]).is_none());
        message[4..12].copy_from_slice(&f64::NAN.to_le_bytes());
        assert!(FrameHeader::read(&message).is_none());
    }

    #[test]
    fn how_the_source_is_doing_is_sent_as_one_flat_object() {
        let message = "The server's camera is lost".to_owned();
        let json = ServerMessage::Source(SourceReport { state: SourceState::Lost, message }).json();
        assert_eq!(json, r#"{"type":"source","state":"lost","message":"The server's camera is lost"}"#);
    }

    #[test]
    fn a_face_has_a_field_for_each_class_and_the_document_describes_them() {
        let classes = Classes::new(["tired", "wide awake"].map(str::to_owned).into()).unwrap();
        let smoothed = Probabilities::from_weights(&[1.0, 3.0]).unwrap();
        let rect = mien_core::face::FaceRect { x: 1.0, y: 2.0, width: 90.0, height: 90.0 };
        let id = mien_core::face::FaceId(1);
        let raw = Probabilities::from_weights(&[1.0, 1.0]).unwrap();
        let face = Face { id, rect, score: 0.9, landmarks: None, quality: None, raw, smoothed };
        let json = serde_json::to_value(FaceReport::new(&face, &classes)).unwrap();
        assert_eq!((&json["label"], &json["verdict"]), (&"wide awake".into(), &"wide awake".into()));
        assert_eq!([&json["raw_tired"], &json["smoothed_wide_awake"]], [0.5, 0.75]);
        let schema = serde_json::to_value(SmoothedProbabilities::schema_of(&classes)).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["smoothed_tired", "smoothed_wide_awake"]));
        assert_eq!(ClassReport::all(&classes)[1].column, "wide_awake");
    }
}
