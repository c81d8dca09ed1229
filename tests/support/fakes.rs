//! Stand-ins for camera, video, detector and network: no hardware, no model, and nothing left to chance.
//!
//! A fake frame is dark; each face on it is a bright square, which the fake detector finds again. So faces have places
//! in the pixels, as real ones have, and cropping and tracking work on them unchanged.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use mien::classes::Classes;
use mien::classify::{Classifier, ClassifyError};
use mien::crop::{FaceCrop, Framing};
use mien::detect::{DetectionOptions, ScheduledDetector};
use mien::detection::{DetectError, Detection, FaceDetector};
use mien::emotion::{COUNT, Emotion};
use mien::face::{FaceRect, GrayView};
use mien::frame::Frame;
use mien::pipeline::{ClassifierFactory, Command, DetectorFactory, NetworkChoice, SourceFactory};
use mien::probabilities::Probabilities;
use mien::source::{FrameSource, SourceError, SourceInfo, SourceKind};
use opencv::core::{CV_8UC3, Mat, Rect, Scalar, Size};
use opencv::imgproc;
use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};

/// Timeout for what must happen; only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const WIDTH: i32 = 320;
pub const HEIGHT: i32 = 240;
pub const FPS: u32 = 25;

/// Side of a fake face.
pub const FACE: i32 = 60;

/// The least gray value of a face's pixels.
const BRIGHT: u8 = 128;

/// A frame with a face at each of these places (left, top).
pub fn frame(index: u64, faces: &[(i32, i32)]) -> Frame {
    let mut image = Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, Scalar::all(20.0)).unwrap();
    for (left, top) in faces {
        let face = Rect::new(*left, *top, FACE, FACE);
        let white = Scalar::all(250.0);
        imgproc::rectangle(&mut image, face, white, imgproc::FILLED, imgproc::LINE_8, 0).unwrap();
    }
    Frame { index, media_time: media_time(index), captured_at: Instant::now(), image: image.into() }
}

/// When frame `index` of a fake is shown.
pub fn media_time(index: u64) -> Duration {
    Duration::from_secs(1) * u32::try_from(index).unwrap() / FPS
}

/// One face that moves to the right.
pub fn one_face(index: u64) -> Vec<(i32, i32)> {
    vec![(20 + i32::try_from(index % 100).unwrap() * 2, 90)]
}

/// Writes a real video of fake frames and returns its path.
pub fn write_video(path: &Path, codec: [u8; 4], frames: u64, faces: fn(u64) -> Vec<(i32, i32)>) -> PathBuf {
    let fourcc = i32::from_le_bytes(codec);
    let mut writer = VideoWriter::new(path, fourcc, f64::from(FPS), Size::new(WIDTH, HEIGHT), true).unwrap();
    assert!(writer.is_opened().unwrap(), "OpenCV can't write {}", path.display());
    for index in 0..frames {
        writer.write(&*frame(index, &faces(index)).image).unwrap();
    }
    writer.release().unwrap();
    path.to_owned()
}

fn info(name: &str, kind: SourceKind) -> SourceInfo {
    SourceInfo {
        name: name.to_owned(),
        kind,
        width: WIDTH as usize,
        height: HEIGHT as usize,
        fps: f64::from(FPS),
        fourcc: "FAKE".to_owned(),
    }
}

/// A video with one face on each frame.
pub struct FakeVideo {
    info: SourceInfo,
    frames: u64,
    next: u64,
    fails_at: Option<u64>,
    /// When the frames are shown.
    times: Vec<Duration>,
    /// How long it takes to read a frame.
    pause: Duration,
    reads: Arc<AtomicU64>,
}

impl FakeVideo {
    pub fn new(frames: u64) -> Self {
        let kind = SourceKind::File { duration: Some(media_time(frames)), frames: Some(frames) };
        let info = info("fake.mp4", kind);
        Self {
            info,
            frames,
            next: 0,
            fails_at: None,
            times: (0..frames).map(media_time).collect(),
            pause: Duration::ZERO,
            reads: Arc::default(),
        }
    }

    /// Sets the media time from one frame to the next.
    pub fn spaced(mut self, spacing: Duration) -> Self {
        let frames = u32::try_from(self.frames).unwrap();
        self.times = (0..frames).map(|index| spacing * index).collect();
        self.info.fps = 1.0 / spacing.as_secs_f64();
        self.declaring(spacing * frames)
    }

    /// Sets when the frames are shown, in ascending order. The declared rate stays.
    pub fn timed(mut self, time: impl Fn(u64) -> Duration) -> Self {
        self.times = (0..self.frames).map(time).collect();
        let end = *self.times.last().unwrap() + media_time(1);
        self.declaring(end)
    }

    /// Sets the length that the video declares.
    pub fn declaring(mut self, duration: Duration) -> Self {
        self.info.kind = SourceKind::File { duration: Some(duration), frames: Some(self.frames) };
        self
    }

    /// Sets how long it takes to read a frame.
    pub fn slowed_by(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Makes reading fail at this frame.
    pub fn failing_at(mut self, frame: u64) -> Self {
        self.fails_at = Some(frame);
        self
    }

    /// How many frames were read.
    pub fn reads(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.reads)
    }

    pub fn factory(self) -> SourceFactory {
        let mut video = Some(self);
        Box::new(move || Ok(Box::new(video.take().expect("a video is opened once"))))
    }
}

impl FrameSource for FakeVideo {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        if self.fails_at == Some(self.next) {
            return Err(SourceError::Damaged { path: "fake.mp4".into(), what: "a fake video".to_owned() });
        }
        if self.next == self.frames {
            return Ok(None);
        }
        std::thread::sleep(self.pause);
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.next += 1;
        let index = self.next - 1;
        let media_time = self.times[usize::try_from(index).unwrap()];
        Ok(Some(Frame { media_time, ..frame(index, &one_face(index)) }))
    }

    fn seek(&mut self, media_time: Duration) -> Result<(), SourceError> {
        self.next = self.times.partition_point(|time| *time <= media_time).saturating_sub(1) as u64;
        Ok(())
    }
}

/// What a fake camera does next.
pub enum Act {
    /// Gives a frame with one face.
    Frame,
    /// Is pulled out.
    Unplug,
    /// Panics, as a defect in Mien would.
    Panic,
}

/// A camera that does what the test tells it, and until then waits as a real one does.
pub struct FakeCamera {
    acts: Sender<Act>,
    received: Receiver<Act>,
    /// The errors of the first attempts to open it, in order. Later attempts succeed.
    refusals: Arc<Mutex<Vec<SourceError>>>,
    reads: Arc<AtomicU64>,
    opened: Arc<AtomicU64>,
    factory_alive: Arc<()>,
}

impl FakeCamera {
    pub fn new() -> Self {
        let (acts, received) = unbounded();
        Self {
            acts,
            received,
            refusals: Arc::default(),
            reads: Arc::default(),
            opened: Arc::default(),
            factory_alive: Arc::default(),
        }
    }

    pub fn does(&self, act: Act) {
        self.acts.send(act).unwrap();
    }

    pub fn gives(&self, frames: usize) {
        (0..frames).for_each(|_| self.does(Act::Frame));
    }

    pub fn refuses_to_open_with(&self, error: SourceError) {
        self.refusals.lock().unwrap().push(error);
    }

    /// How many frames were read from it.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// How often it was opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }

    /// Whether the capture thread still has it.
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.factory_alive) > 1
    }

    pub fn factory(&self) -> SourceFactory {
        let (received, refusals) = (self.received.clone(), Arc::clone(&self.refusals));
        let (reads, opened) = (Arc::clone(&self.reads), Arc::clone(&self.opened));
        let alive = Arc::clone(&self.factory_alive);
        Box::new(move || {
            let _held = &alive;
            let mut refusals = refusals.lock().unwrap();
            if !refusals.is_empty() {
                return Err(refusals.remove(0));
            }
            opened.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(OpenCamera {
                info: info("Fake Camera", SourceKind::Camera),
                acts: received.clone(),
                reads: Arc::clone(&reads),
                next: 0,
            }))
        })
    }
}

struct OpenCamera {
    info: SourceInfo,
    acts: Receiver<Act>,
    reads: Arc<AtomicU64>,
    next: u64,
}

impl FrameSource for OpenCamera {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        match self.acts.recv() {
            Ok(Act::Frame) => {
                self.reads.fetch_add(1, Ordering::SeqCst);
                self.next += 1;
                // The same face on each frame: it doesn't matter which of them are dropped.
                Ok(Some(frame(self.next - 1, &[(130, 90)])))
            }
            Ok(Act::Panic) => panic!("the fake camera was told to panic"),
            // The test ends by dropping the camera.
            Ok(Act::Unplug) | Err(_) => Err(SourceError::Lost(self.info.name.clone())),
        }
    }

    fn seek(&mut self, _media_time: Duration) -> Result<(), SourceError> {
        Err(SourceError::NotSeekable(self.info.name.clone()))
    }
}

/// Finds the bright squares. No two of them may share a column.
pub struct FakeDetector;

impl FaceDetector for FakeDetector {
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
        let (width, height) = (picture.width(), picture.height());
        let is_bright = |x: usize, y: usize| picture.pixels()[y * width + x] >= BRIGHT;
        let rows_of = |x: usize| (0..height).filter(move |y| is_bright(x, *y));
        let mut faces = Vec::new();
        let mut x = 0;
        while x < width {
            let left = x;
            while x < width && rows_of(x).next().is_some() {
                x += 1;
            }
            if x > left {
                let (top, bottom) = (rows_of(left).min().unwrap(), rows_of(left).max().unwrap());
                faces.push(Detection {
                    rect: FaceRect {
                        x: left as f32,
                        y: top as f32,
                        width: (x - left) as f32,
                        height: (bottom + 1 - top) as f32,
                    },
                    score: 10.0,
                    is_certain: true,
                    landmarks: None,
                });
            }
            x += 1;
        }
        Ok(faces)
    }
}

/// A detector that searches every frame.
pub fn detector() -> ScheduledDetector {
    let every_frame = DetectionOptions { full_scan_interval: 1, ..DetectionOptions::default() };
    ScheduledDetector::new(Box::new(FakeDetector), &every_frame)
}

pub fn detector_factory() -> DetectorFactory {
    Box::new(|_, _| Ok(detector()))
}

/// The command that loads a network named after the emotion that it sees.
pub fn seeing(name: &str) -> Command {
    Command::SetNetwork(NetworkChoice { model: Some(name.to_owned()), ..NetworkChoice::default() })
}

/// Sees one emotion in each face.
pub struct FakeClassifier {
    pub emotion: Emotion,
    /// Lets calls through one at a time; `None` lets all through.
    gate: Option<Gate>,
    /// Fails on the call of this number, counted from 0.
    fails_at: Option<u64>,
    /// Panics on the call of this number.
    panics_at: Option<u64>,
    calls: u64,
}

/// Holds a classifier back, as a slow network would.
#[derive(Clone)]
pub struct Gate {
    open: (Sender<()>, Receiver<()>),
    entered: (Sender<()>, Receiver<()>),
}

impl Gate {
    pub fn new() -> Self {
        Self { open: unbounded(), entered: unbounded() }
    }

    /// Waits until the classifier has reached the gate.
    pub fn wait_until_entered(&self) {
        self.entered.1.recv_timeout(PATIENCE).expect("nothing came to be classified");
    }

    /// Signals that the gate was reached; [`Self::wait_until_entered`] waits for this.
    pub fn enter(&self) {
        self.entered.0.send(()).unwrap();
    }

    /// Lets this many calls through.
    pub fn let_through(&self, calls: usize) {
        (0..calls).for_each(|_| self.open.0.send(()).unwrap());
    }
}

impl FakeClassifier {
    pub fn new(emotion: Emotion) -> Self {
        Self { emotion, gate: None, fails_at: None, panics_at: None, calls: 0 }
    }

    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    pub fn failing_at(mut self, call: u64) -> Self {
        self.fails_at = Some(call);
        self
    }

    pub fn panicking_at(mut self, call: u64) -> Self {
        self.panics_at = Some(call);
        self
    }

    /// Loads this network first, then those that [`seeing`] requests.
    pub fn factory(self) -> ClassifierFactory {
        let mut first = Some(self);
        Box::new(move |choice| {
            if let Some(first) = first.take() {
                return Ok(Box::new(first));
            }
            let asked = choice.model.as_deref();
            let emotion = Emotion::ALL.into_iter().find(|emotion| Some(emotion.name()) == asked);
            Ok(Box::new(Self::new(emotion.ok_or_else(|| anyhow::anyhow!("no such model"))?)))
        })
    }
}

impl Classifier for FakeClassifier {
    fn classes(&self) -> Classes {
        Classes::emotions()
    }

    fn framing(&self) -> Framing {
        Framing::Box
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        if let Some(gate) = &self.gate {
            gate.enter();
            // An error means that the test is over.
            gate.open.1.recv_timeout(PATIENCE).ok();
        }
        let call = Some(self.calls);
        self.calls += 1;
        assert!(self.panics_at != call, "the fake network was told to panic");
        if self.fails_at == call {
            return Err(ClassifyError::NotANumber);
        }
        let mut weights = [0.02; COUNT];
        weights[self.emotion.index()] = 0.88;
        Ok(crops.iter().map(|_| Probabilities::from_weights(&weights).unwrap()).collect())
    }
}
