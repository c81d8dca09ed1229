//! Cameras through OpenCV's real V4L2 code, on emulated devices.

use std::path::PathBuf;
#[cfg(feature = "gui")]
use std::process::Stdio;
use std::time::{Duration, Instant};

use mien::classes::Classes;
use mien::classify::{Classifier, ClassifyError};
use mien::crop::{FaceCrop, Framing};
use mien::emotion::{self, Emotion};
use mien::face::Face;
use mien::face::FaceRect;
use mien::pipeline::{Event, Live, LiveSettings, Parts, SourceRequest};
use mien::probabilities::Probabilities;
use mien::source::{CameraDevice, CameraRequest, CameraSource, FourCc, FrameSource as _, SourceError, list_cameras};
use opencv::core::{CV_8UC3, Mat, MatTraitConst as _, Rect, Scalar};
use tch::Device;

use crate::support::drawn_face;
use crate::support::emulated_cameras::{Bus, Mode};
#[cfg(feature = "gui")]
use crate::support::program;

fn request(index: u32) -> CameraRequest {
    CameraRequest { device: CameraDevice::Index(index), ..CameraRequest::default() }
}

fn error_of(request: &CameraRequest) -> SourceError {
    CameraSource::open(request).err().expect("this camera can't be opened")
}

/// Difference in brightness from one frame to the next. JPEG changes brightness by less.
const STEP: f64 = 5.0;

/// Uniformly grey pictures, each brighter than the one before.
fn brightening(width: i32, height: i32) -> Vec<Mat> {
    let grey =
        |level: i32| Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(f64::from(level) * STEP));
    (0..50).map(|level| grey(level).unwrap()).collect()
}

fn brightness(image: &Mat) -> f64 {
    opencv::core::mean_def(image).unwrap()[0]
}

#[test]
fn cameras_are_listed_with_their_names() {
    let bus = Bus::new();
    bus.plug(0, "Integrated Webcam: Integrated Webcam", &[Mode::pattern(640, 480, 30)]);
    bus.plug(2, "HD Pro", &[Mode::pattern(640, 480, 30)]);
    bus.run_test(|_| {
        let found: Vec<_> = list_cameras().into_iter().map(|camera| (camera.index, camera.name, camera.path)).collect();
        let expected = [(0, "Integrated Webcam", "/dev/video0"), (2, "HD Pro", "/dev/video2")];
        assert_eq!(found, expected.map(|(index, name, path)| (index, name.to_owned(), PathBuf::from(path))));
    });
}

#[test]
fn a_camera_grants_the_mode_that_is_asked_for() {
    let bus = Bus::new();
    let modes = [
        Mode::pattern(1280, 720, 10),
        Mode::pattern(640, 480, 30),
        Mode::jpeg(1280, 720, 30, &brightening(1280, 720)),
        Mode::jpeg(640, 480, 30, &brightening(640, 480)),
        Mode::jpeg(640, 480, 60, &brightening(640, 480)),
    ];
    bus.plug(0, "Desk camera", &modes);
    bus.run_test(|_| {
        let camera = CameraSource::open(&request(0)).unwrap();
        let info = camera.info();
        assert_eq!((info.width, info.height, info.fps), (640, 480, 30.0));
        assert_eq!((info.name.as_str(), info.fourcc.as_str()), ("Desk camera", "MJPG"));
        drop(camera);

        let wish = CameraRequest { width: 1280, height: 720, fps: 10.0, fourcc: Some(FourCc(*b"YUYV")), ..request(0) };
        let camera = CameraSource::open(&wish).unwrap();
        let info = camera.info();
        assert_eq!((info.width, info.height, info.fps, info.fourcc.as_str()), (1280, 720, 10.0, "YUYV"));
    });
}

#[test]
fn a_camera_that_has_not_what_is_asked_for_says_what_it_granted() {
    let bus = Bus::new();
    bus.plug(0, "Old camera", &[Mode::pattern(320, 240, 15)]);
    bus.run_test(|_| {
        let mut camera = CameraSource::open(&request(0)).unwrap();
        let info = camera.info().clone();
        assert_eq!((info.width, info.height, info.fps, info.fourcc.as_str()), (320, 240, 15.0, "YUYV"));
        let frame = camera.read().unwrap().unwrap();
        assert_eq!((frame.image.cols(), frame.image.rows()), (320, 240));
    });
}

#[test]
fn frames_arrive_undamaged_and_in_order() {
    let bus = Bus::new();
    bus.plug(0, "Desk camera", &[Mode::jpeg(640, 480, 30, &brightening(640, 480))]);
    bus.run_test(|_| {
        let mut camera = CameraSource::open(&request(0)).unwrap();
        let mut last = None;
        for index in 0..10 {
            let frame = camera.read().unwrap().unwrap();
            assert_eq!(frame.index, index);
            let step = brightness(&frame.image) / STEP;
            assert!((step - step.round()).abs() < 0.2, "frame {index} is of no brightness that was sent: {step}");
            if let Some((media_time, last_step)) = last.replace((frame.media_time, step.round())) {
                assert!(frame.media_time > media_time);
                // Not always consecutive: a slow machine may lose frames.
                assert!(step.round() > last_step, "frame {step} came after {last_step}");
            }
        }
    });
}

#[test]
fn without_any_camera_it_says_so() {
    Bus::new().run_test(|_| {
        assert!(matches!(error_of(&request(0)), SourceError::NoCamera));
    });
}

#[test]
fn a_wrong_number_is_answered_with_the_cameras_that_there_are() {
    let bus = Bus::new();
    bus.plug(0, "Desk camera", &[Mode::pattern(640, 480, 30)]);
    bus.run_test(|_| {
        let error = error_of(&request(7));
        assert!(matches!(error, SourceError::NoSuchCamera { .. }), "{error}");
        assert_eq!(error.to_string(), "there is no camera 7; found: 0 (Desk camera)");
    });
}

#[test]
fn a_camera_that_another_program_uses_is_named_and_free_afterwards() {
    let bus = Bus::new();
    bus.plug(0, "Desk camera", &[Mode::pattern(640, 480, 30)]);
    bus.run_test(|bus| {
        let other = bus.occupy(0);
        let error = error_of(&request(0));
        assert!(error.is_busy(), "{error:?}");
        assert!(error.to_string().contains("/dev/video0") && error.to_string().contains("other program"), "{error}");
        drop(other);
        CameraSource::open(&request(0)).unwrap().read().unwrap().unwrap();
    });
}

#[test]
fn a_camera_that_is_pulled_out_is_lost_and_can_be_opened_when_it_is_back() {
    let bus = Bus::new();
    bus.plug(0, "Desk camera", &[Mode::pattern(640, 480, 30)]);
    bus.unplug_after(0, 5);
    bus.run_test(|bus| {
        let mut camera = CameraSource::open(&request(0)).unwrap();
        let mut frames = 0;
        let error = loop {
            match camera.read() {
                Ok(frame) => frames += u32::from(frame.is_some()),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, SourceError::Lost(_)), "{error}");
        assert!((1..=5).contains(&frames), "{frames} frames of 5");
        assert!(matches!(error_of(&request(0)), SourceError::NoCamera));

        bus.plug_in_again(0);
        drop(camera);
        CameraSource::open(&request(0)).unwrap().read().unwrap().unwrap();
    });
}

#[test]
fn a_camera_that_sends_nothing_is_given_up() {
    let bus = Bus::new();
    bus.plug(0, "Dead camera", &[Mode::pattern(640, 480, 30)]);
    bus.silence(0);
    bus.run_test(|_| {
        // SAFETY: the other threads of this process are the test runner's, and they only wait for this test.
        unsafe { mien::source::prepare_libraries(mien::source::Reach::FilesAlone) };
        let error = error_of(&request(0));
        assert!(matches!(error, SourceError::CameraSilent(_)), "{error}");
    });
}

/// Calls every face happy.
struct Happy;

impl Classifier for Happy {
    fn classes(&self) -> Classes {
        Classes::emotions()
    }

    fn framing(&self) -> Framing {
        Framing::Box
    }

    fn classify(&mut self, crops: &[FaceCrop]) -> Result<Vec<Probabilities>, ClassifyError> {
        let mut weights = [0.0; emotion::COUNT];
        weights[Emotion::Happy.index()] = 1.0;
        Ok(vec![Probabilities::from_weights(&weights).unwrap(); crops.len()])
    }
}

fn start_live(index: u32) -> Live {
    let source = SourceRequest::Camera(request(index));
    let parts = Parts::new(source, Device::Cpu, |_| Ok(Box::new(Happy) as Box<dyn Classifier>));
    Live::start(parts, LiveSettings::default(), || {}).unwrap()
}

/// Timeout for things that take a moment; only a failing test waits that long.
const SOON: Duration = Duration::from_secs(60);

/// Polls until `wanted` finds something in the events or scenes.
fn wait_for<T>(live: &Live, mut wanted: impl FnMut(&Live) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = wanted(live) {
            return found;
        }
        assert!(start.elapsed() < SOON, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn labelled_face(live: &Live) -> Option<Face> {
    live.take_scene()?.faces.into_iter().next()
}

#[test]
fn a_face_before_the_camera_is_labelled_and_again_when_the_camera_was_lost_and_is_back() {
    let bus = Bus::new();
    let picture = drawn_face::picture_with_face(640, 480, Rect::new(200, 120, 200, 200));
    bus.plug(0, "Desk camera", &[Mode::jpeg(640, 480, 30, &[picture])]);
    bus.run_test(|bus| {
        let live = start_live(0);
        let face = wait_for(&live, labelled_face);
        let drawn = FaceRect { x: 200.0, y: 120.0, width: 200.0, height: 200.0 };
        assert!(face.rect.iou(&drawn) > 0.6, "the face was found at {:?}", face.rect);
        assert_eq!(face.smoothed.top().0, Emotion::Happy.index());

        bus.unplug(0);
        let reason = wait_for(&live, |live| live.events().find_map(lost_reason));
        assert!(reason.contains("Desk camera") && reason.contains("lost"), "{reason}");
        // Discards the last scene before the loss.
        live.take_scene();

        bus.plug_in_again(0);
        let opened = wait_for(&live, |live| live.events().find(|event| matches!(event, Event::Opened(_))));
        assert!(matches!(opened, Event::Opened(info) if info.name == "Desk camera"));
        wait_for(&live, labelled_face);
    });
}

fn lost_reason(event: Event) -> Option<String> {
    match event {
        Event::CameraLost { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn a_camera_that_is_plugged_in_late_is_found_without_being_asked() {
    let bus = Bus::new();
    bus.run_test(|bus| {
        let live = start_live(0);
        let reason = wait_for(&live, |live| live.events().find_map(lost_reason));
        assert!(reason.contains("no camera found"), "{reason}");
        bus.plug(0, "Desk camera", &[Mode::pattern(640, 480, 30)]);
        let scene = wait_for(&live, Live::take_scene);
        assert!(scene.faces.is_empty(), "a face in a pattern: {:?}", scene.faces);
    });
}

#[test]
fn no_frame_is_lost_in_the_driver_while_the_pipeline_runs() {
    let bus = Bus::new();
    bus.plug(0, "Desk camera", &[Mode::pattern(320, 240, 10)]);
    bus.run_test(|bus| {
        let live = start_live(0);
        // 10 frames a second are slow enough for any machine: a lost frame means that frames aren't fetched, rather than fetched too late.
        wait_for(&live, |live| (live.statistics().captured >= 15).then_some(()));
        let (sent, lost) = bus.counts(0);
        assert!(sent >= 15, "{sent} frames were sent");
        assert_eq!(lost, 0, "of {sent} frames");
    });
}

/// The program on a machine with these cameras and without a display.
fn mien(bus: &Bus) -> std::process::Command {
    let mut command = bus.command(env!("CARGO_BIN_EXE_mien"));
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

#[test]
fn doctor_names_the_cameras_that_are_plugged_in() {
    let bus = Bus::new();
    let report = || String::from_utf8(mien(&bus).arg("doctor").output().unwrap().stdout).unwrap();
    assert!(!report().contains("Desk camera"));
    bus.plug(0, "Desk camera", &[Mode::pattern(640, 480, 30)]);
    bus.plug(4, "Microscope", &[Mode::pattern(320, 240, 15)]);
    let report = report();
    assert!(report.contains("Desk camera") && report.contains("Microscope"), "{report}");
}

#[cfg(feature = "gui")]
#[test]
fn a_camera_without_a_display_is_answered_with_what_works_without_one() {
    let bus = Bus::new();
    bus.plug(0, "Desk camera", &[Mode::pattern(640, 480, 30)]);
    let output = mien(&bus).arg("live").output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.lines().last().unwrap().starts_with("error: ") && err.contains("--headless"), "{err}");
    assert!(!err.contains("panicked"), "{err}");
}

#[cfg(feature = "gui")]
#[test]
fn a_watch_without_a_window_goes_on_when_a_lost_camera_is_back() {
    let bus = Bus::new();
    bus.plug(0, "Desk camera", &[Mode::pattern(640, 480, 30)]);
    bus.unplug_after(0, 20);
    let mut command = mien(&bus);
    command.args(["live", "--headless", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let watch = command.spawn().unwrap();
    program::wait_until("the end of the camera", || !bus.is_plugged_in(0));
    bus.plug_in_again(0);
    let before = bus.counts(0).0;
    program::wait_until("the camera's return", || bus.counts(0).0 >= before + 20);
    program::interrupt(&watch);
    let output = watch.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(figures["camera_losses"], 1, "{figures:#}");
    assert!(figures["captured"].as_u64().unwrap() > 20, "{figures:#}");
    assert!(err.contains("Desk camera") && err.contains("lost"), "{err}");
}
