//! Cameras through OpenCV's real V4L2 code, on emulated devices.
#![cfg(all(feature = "vision", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/emulated_cameras.rs"]
mod emulated_cameras;

use std::path::PathBuf;

use emulated_cameras::{Bus, Mode};
use mien::source::{CameraDevice, CameraRequest, CameraSource, FourCc, FrameSource as _, SourceError, list_cameras};
use opencv::core::{CV_8UC3, Mat, MatTraitConst as _, Scalar};

fn request(index: u32) -> CameraRequest {
    CameraRequest { device: CameraDevice::Index(index), ..CameraRequest::default() }
}

fn error_of(request: &CameraRequest) -> SourceError {
    CameraSource::open(request).err().expect("this camera can't be opened")
}

/// Evenly grey pictures that brighten from frame to frame.
fn brightening(width: i32, height: i32) -> Vec<Mat> {
    let grey = |level: i32| Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(f64::from(level * 20)));
    (0..12).map(|level| grey(level).unwrap()).collect()
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
            let level = brightness(&frame.image);
            assert!(
                (level / 20.0 - (level / 20.0).round()).abs() < 0.1,
                "brightness {level} is of no frame that was sent"
            );
            if let Some((media_time, last_level)) = last.replace((frame.media_time, level)) {
                assert!(frame.media_time > media_time);
                // It starts again after the twelfth picture; a slow machine may lose some in between.
                assert_ne!(level.round(), f64::round(last_level), "the same frame came twice");
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
        assert!(matches!(error, SourceError::CameraBusy { .. } | SourceError::CameraNotOpened(_)), "{error:?}");
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
        unsafe { mien::source::prepare_libraries() };
        let error = error_of(&request(0));
        assert!(matches!(error, SourceError::CameraSilent(_)), "{error}");
    });
}
