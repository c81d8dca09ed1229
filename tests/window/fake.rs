//! A fake machine for the window: its cameras, its videos and what they show.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mien::app::session::{DeviceEntry, ModelEntry, Outside, Plan, Session, Wake};
use mien::classes::Classes;
use mien::device::DeviceChoice;
use mien::emotion::{COUNT, Emotion};
use mien::face::FaceRect;
use mien::face::{Face, FaceId};
use mien::frame::{Frame, RgbaPicture};
use mien::network::NetworkInUse;
use mien::pipeline::{Command, Event, Scene, StageTimings, Statistics};
use mien::probabilities::Probabilities;
use mien::recording::{Progress, RecordingEvent};
use mien::source::{CameraEntry, SourceInfo, SourceKind};
use opencv::core::{CV_8UC3, Mat, Scalar};

pub const WIDTH: usize = 640;
pub const HEIGHT: usize = 360;

/// What the window requested from a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    Pipeline(Command),
    StartRecording(PathBuf),
    StopRecording,
    Mark { at: Instant, text: String },
}

/// What the test and the window share.
#[derive(Default)]
pub struct World {
    pub cameras: Vec<CameraEntry>,
    pub demo_clip: Option<PathBuf>,
    /// What the file dialog returns.
    pub chosen_video: Option<PathBuf>,
    /// Why the file dialog can't open, if so.
    pub dialog_error: Option<String>,
    /// Whether the file dialog panics.
    pub dialog_crashes: bool,
    /// Why nothing can be started, if so.
    pub start_error: Option<String>,
    /// Where recordings and pictures go unless another folder is chosen.
    pub recordings_folder: PathBuf,
    /// What the dialog for a folder returns.
    pub chosen_folder: Option<PathBuf>,
    pub recording: Option<Progress>,
    pub recording_events: Vec<RecordingEvent>,
    /// What `finish_recording` returns.
    pub last_recording_events: Vec<RecordingEvent>,
    pub plans: Vec<Plan>,
    pub orders: Vec<Order>,
    pub events: Vec<Event>,
    pub scene: Option<Scene>,
    pub statistics: Statistics,
    pub sessions_open: usize,
    pub wake: Option<Wake>,
}

/// The handle that the test and the window hold.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<World>>);

impl Fake {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn with_camera() -> Self {
        let fake = Self::default();
        fake.world().cameras = vec![camera(0, "Integrated Webcam")];
        fake
    }

    pub fn event(&self, event: Event) {
        self.world().events.push(event);
        self.wake();
    }

    pub fn scene(&self, at: Duration, faces: Vec<Face>) {
        self.world().scene = Some(scene(at, faces));
        self.wake();
    }

    /// The same for a network with these classes.
    pub fn scene_of(&self, classes: Classes, at: Duration, faces: Vec<Face>) {
        self.world().scene = Some(scene_of(classes, at, faces));
        self.wake();
    }

    fn wake(&self) {
        let wake = self.world().wake.clone();
        if let Some(wake) = wake {
            wake();
        }
    }

    /// What the window requested since the last call.
    pub fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.world().orders)
    }

    /// The same, if these are only commands to the pipeline.
    #[track_caller]
    pub fn take_commands(&self) -> Vec<Command> {
        let command = |order| match order {
            Order::Pipeline(command) => command,
            other => panic!("{other:?} is no command to the pipeline"),
        };
        self.take_orders().into_iter().map(command).collect()
    }

    pub fn last_plan(&self) -> Plan {
        self.world().plans.last().cloned().expect("nothing was started")
    }
}

impl Outside for Fake {
    fn cameras(&self) -> Vec<CameraEntry> {
        self.world().cameras.clone()
    }

    fn devices(&self) -> Vec<DeviceEntry> {
        let entry = |choice, name: &str, unavailable: Option<&str>| DeviceEntry {
            choice,
            name: name.to_owned(),
            unavailable: unavailable.map(str::to_owned),
        };
        vec![
            entry(DeviceChoice::Auto, "Auto", None),
            entry(DeviceChoice::Cpu, "CPU", None),
            entry(DeviceChoice::Cuda(0), "CUDA 0", Some("libtorch finds no usable NVIDIA card")),
        ]
    }

    fn models(&self) -> Vec<ModelEntry> {
        ["mien", "other"]
            .map(|key| ModelEntry { key: key.to_owned(), description: format!("the model {key}") })
            .to_vec()
    }

    fn demo_clip(&self) -> Option<PathBuf> {
        self.world().demo_clip.clone()
    }

    fn ask_for_video(&self, _folder: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
        let world = self.world();
        assert!(!world.dialog_crashes, "this crash is meant");
        world
            .dialog_error
            .as_ref()
            .map_or_else(|| Ok(world.chosen_video.clone()), |error| Err(anyhow::anyhow!("{error}")))
    }

    fn recordings_folder(&self) -> PathBuf {
        self.world().recordings_folder.clone()
    }

    fn ask_for_folder(&self, _folder: PathBuf) -> anyhow::Result<Option<PathBuf>> {
        Ok(self.world().chosen_folder.clone())
    }

    fn start(&self, plan: &Plan, wake: Wake) -> anyhow::Result<Box<dyn Session>> {
        let mut world = self.world();
        world.plans.push(plan.clone());
        if let Some(error) = &world.start_error {
            anyhow::bail!("{error}");
        }
        world.sessions_open += 1;
        world.wake = Some(wake);
        world.events.clear();
        world.scene = None;
        Ok(Box::new(FakeSession(self.clone())))
    }
}

struct FakeSession(Fake);

impl Session for FakeSession {
    fn take_scene(&mut self) -> Option<Scene> {
        self.0.world().scene.take()
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.0.world().events)
    }

    fn send(&mut self, command: Command) {
        self.0.world().orders.push(Order::Pipeline(command));
    }

    fn start_recording(&mut self, folder: PathBuf) {
        self.0.world().orders.push(Order::StartRecording(folder));
    }

    fn stop_recording(&mut self) {
        self.0.world().orders.push(Order::StopRecording);
    }

    fn mark(&mut self, at: Instant, text: String) {
        self.0.world().orders.push(Order::Mark { at, text });
    }

    fn statistics(&self) -> Statistics {
        self.0.world().statistics
    }

    fn network(&self) -> Option<NetworkInUse> {
        Some(NetworkInUse { model: "mien".to_owned(), device: "CPU, 1 thread".to_owned(), ..NetworkInUse::default() })
    }

    fn recording(&self) -> Option<Progress> {
        self.0.world().recording
    }

    fn take_recording_events(&mut self) -> Vec<RecordingEvent> {
        std::mem::take(&mut self.0.world().recording_events)
    }

    fn finish_recording(&mut self) -> Vec<RecordingEvent> {
        std::mem::take(&mut self.0.world().last_recording_events)
    }
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        self.0.world().sessions_open -= 1;
    }
}

pub fn camera(index: u32, name: &str) -> CameraEntry {
    CameraEntry { index, path: format!("/dev/video{index}").into(), links: Vec::new(), name: name.to_owned() }
}

pub fn camera_info() -> SourceInfo {
    SourceInfo {
        name: "Integrated Webcam".to_owned(),
        kind: SourceKind::Camera,
        width: WIDTH,
        height: HEIGHT,
        fps: 30.0,
        fourcc: "MJPG".to_owned(),
    }
}

pub fn video_info(path: &Path, duration: Duration) -> SourceInfo {
    SourceInfo {
        name: path.display().to_string(),
        kind: SourceKind::File { duration: Some(duration), frames: Some(duration.as_millis() as u64 / 40) },
        fps: 25.0,
        fourcc: "h264".to_owned(),
        ..camera_info()
    }
}

/// A face with 87 % of one emotion. The higher the id, the further right.
pub fn face(id: u32, emotion: Emotion) -> Face {
    face_with(id, emotion, 0.87)
}

pub fn face_with(id: u32, emotion: Emotion, probability: f32) -> Face {
    let mut weights = [(1.0 - probability) / (COUNT - 1) as f32; COUNT];
    weights[emotion.index()] = probability;
    let smoothed = Probabilities::from_weights(&weights).expect("weights are positive");
    let rect = FaceRect { x: 60.0 + 220.0 * (id - 1) as f32, y: 90.0, width: 120.0, height: 120.0 };
    Face { id: FaceId(id), rect, score: 9.0, landmarks: None, quality: None, raw: smoothed, smoothed }
}

pub fn scene(at: Duration, faces: Vec<Face>) -> Scene {
    scene_of(Classes::emotions(), at, faces)
}

/// The same for a network with these classes.
pub fn scene_of(classes: Classes, at: Duration, faces: Vec<Face>) -> Scene {
    let now = Instant::now();
    let pixel = |x: usize, y: usize| u32::from_ne_bytes([(x * 255 / WIDTH) as u8, (y * 255 / HEIGHT) as u8, 90, 255]);
    let gray = Scalar::all(90.0);
    let image = Mat::new_rows_cols_with_default(HEIGHT as i32, WIDTH as i32, CV_8UC3, gray).expect("a small picture");
    let pixels = (0..WIDTH * HEIGHT).map(|i| pixel(i % WIDTH, i / WIDTH)).collect();
    Scene {
        frame: Frame { index: 0, media_time: at, captured_at: now, image: image.into() },
        picture: Some(RgbaPicture { width: WIDTH, height: HEIGHT, pixels }),
        classes,
        faces,
        timings: StageTimings::default(),
        labelled_at: now,
    }
}
