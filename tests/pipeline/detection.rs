//! What fast detection finds, compared with slow, thorough scans.

use mien::detect::{self, DetectionOptions, DetectorKind, HaarDetector, ScheduledDetector};
use mien::detection::{Detection, FaceDetector as _};
use mien::face::{FaceRect, GrayView};
use mien::source::{FrameSource as _, VideoSource};
use mien::track::{TrackOptions, Tracker};
use opencv::core::{Mat, MatTraitConst as _, MatTraitConstManual as _, Rect};
use opencv::imgproc;
use tch::Device;

use crate::support::drawn_face;

/// Every how many frames of the demo clip are searched thoroughly. All frames are searched fast.
const REFERENCE_STEP: u64 = 12;

fn gray(picture: &Mat) -> Mat {
    let mut gray = Mat::default();
    imgproc::cvt_color_def(picture, &mut gray, imgproc::COLOR_BGR2GRAY).unwrap();
    gray
}

fn view(gray: &Mat) -> GrayView<'_> {
    GrayView::new(gray.data_bytes().unwrap(), gray.cols() as usize, gray.rows() as usize).unwrap()
}

/// The usual thorough scan: full resolution, sizes in steps of 10 %, five hits.
fn thorough(height: usize) -> HaarDetector {
    let options = DetectionOptions {
        working_height: Some(u32::try_from(height).unwrap()),
        scale_factor: 1.1,
        min_neighbors: 5,
        ..haar()
    };
    HaarDetector::new(&options).unwrap()
}

fn haar() -> DetectionOptions {
    DetectionOptions { detector: DetectorKind::Haar, ..DetectionOptions::default() }
}

fn fast() -> HaarDetector {
    HaarDetector::new(&haar()).unwrap()
}

/// Searches for the face near an expected place.
fn near(detector: &mut HaarDetector, picture: GrayView<'_>, expected: FaceRect) -> Option<Detection> {
    let found = detector.refresh(picture, &[expected]).unwrap();
    assert_eq!(found.len(), 1, "one answer for each place");
    found[0]
}

#[test]
fn following_the_face_of_the_demo_clip_loses_nothing_against_thorough_scans() {
    let Some(clip) = mien::demo::clip() else {
        eprintln!("skipped: the demo clip isn't on this machine; set-up fetches it");
        return;
    };
    let mut video = VideoSource::open(&clip).unwrap();
    let mut reference = thorough(video.info().height);
    let mut detector = ScheduledDetector::new(Box::new(fast()), &haar());
    let mut tracker = Tracker::new(TrackOptions::default());
    let (mut frames, mut found, mut overlap) = (0, 0, 0.0);
    while let Some(frame) = video.read().unwrap() {
        let gray = gray(&frame.image);
        let expected = tracker.expected(frame.media_time);
        let detections = detector.detect(view(&gray), &expected, frame.media_time).unwrap();
        tracker.update(&detections, frame.media_time, |_| None);
        if frame.index % REFERENCE_STEP != 0 {
            continue;
        }
        // Thorough scans give false boxes too; the largest box is the face.
        let faces = reference.detect(view(&gray)).unwrap();
        let Some(face) = faces.iter().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area())) else { continue };
        frames += 1;
        let best = detections.iter().map(|detection| detection.rect.iou(&face.rect)).fold(0.0, f32::max);
        if best >= 0.3 {
            found += 1;
            overlap += best;
        }
    }
    assert!(frames >= 30, "the reference found a face in {frames} frames only");
    assert!(found as f32 >= 0.98 * frames as f32, "found in {found} of {frames} frames");
    let mean_overlap = overlap / found as f32;
    assert!(mean_overlap >= 0.85, "mean overlap {mean_overlap:.3}");
}

#[test]
fn the_network_finds_the_face_of_the_demo_clip_at_least_as_often_as_haar_and_follows_it() {
    let Some(clip) = mien::demo::clip() else {
        eprintln!("skipped: the demo clip isn't on this machine; set-up fetches it");
        return;
    };
    let mut video = VideoSource::open(&clip).unwrap();
    let faces = DetectionOptions { detector: DetectorKind::Faces, ..DetectionOptions::default() };
    let (mut network, mut haar) = (detect::make(&faces, Device::Cpu).unwrap(), fast());
    let (mut with_network, mut with_haar, mut followed) = (0, 0, 0);
    let mut overlap = 0.0;
    while let Some(frame) = video.read().unwrap() {
        if frame.index % REFERENCE_STEP != 0 {
            continue;
        }
        let gray = gray(&frame.image);
        let (faces, by_haar) = (network.detect(view(&gray)).unwrap(), haar.detect(view(&gray)).unwrap());
        with_network += usize::from(faces.iter().any(|face| face.is_certain));
        with_haar += usize::from(!by_haar.is_empty());
        let Some(face) = faces.iter().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area())) else { continue };
        let landmarks = face.landmarks.expect("the network finds eyes, nose and mouth");
        assert!(landmarks.right_eye[0] < landmarks.left_eye[0], "{landmarks:?}");
        assert!(landmarks.right_eye[1] < landmarks.mouth_right[1], "{landmarks:?}");
        // The expected place is slightly off.
        let shift = face.rect.width * 0.1;
        let expected = FaceRect { x: face.rect.x + shift, y: face.rect.y - shift, ..face.rect };
        if let Some(again) = network.refresh(view(&gray), &[expected]).unwrap()[0] {
            followed += 1;
            overlap += again.rect.iou(&face.rect);
        }
    }
    assert!(with_haar >= 30, "Haar found a face in {with_haar} frames only");
    assert!(with_network >= with_haar, "in {with_network} frames, Haar in {with_haar}");
    assert!(followed as f32 >= 0.98 * with_network as f32, "{followed} of {with_network}");
    let mean_overlap = overlap / followed as f32;
    assert!(mean_overlap >= 0.85, "mean overlap {mean_overlap:.3}");
}

/// A face of 200 pixels in a picture of 640×480.
const DRAWN: FaceRect = FaceRect { x: 200.0, y: 120.0, width: 200.0, height: 200.0 };

fn drawn() -> Mat {
    gray(&drawn_face::picture_with_face(640, 480, Rect::new(200, 120, 200, 200)))
}

#[test]
fn a_search_near_a_face_and_one_of_the_whole_picture_give_the_same_box() {
    let picture = drawn();
    let mut detector = fast();
    let faces = detector.detect(view(&picture)).unwrap();
    assert_eq!(faces.len(), 1, "{faces:?}");
    assert!(faces[0].rect.iou(&DRAWN) > 0.6, "{:?}", faces[0].rect);
    let near = near(&mut detector, view(&picture), faces[0].rect).expect("it is where it was");
    assert!(near.rect.iou(&faces[0].rect) > 0.8, "{:?} and {:?}", near.rect, faces[0].rect);
}

#[test]
fn following_a_face_that_stands_still_leaves_the_box_where_it_is() {
    let picture = drawn();
    let mut detector = fast();
    let start = detector.detect(view(&picture)).unwrap()[0].rect;
    let mut rect = start;
    for _ in 0..100 {
        rect = near(&mut detector, view(&picture), rect).expect("it stands still").rect;
    }
    assert!(rect.iou(&start) > 0.8, "from {start:?} to {rect:?}");
}

#[test]
fn a_face_that_moved_or_came_nearer_is_still_found_near_its_place() {
    let picture = drawn();
    let mut detector = fast();
    for (dx, dy, size) in [(0.2, 0.0, 1.0), (-0.2, 0.1, 1.0), (0.0, -0.2, 1.0), (0.0, 0.0, 1.2), (0.0, 0.0, 0.85)] {
        let (x, y) = DRAWN.center();
        let side = DRAWN.width * size;
        let before =
            FaceRect { x: x + dx * side - side / 2.0, y: y + dy * side - side / 2.0, width: side, height: side };
        let found = near(&mut detector, view(&picture), before);
        let found = found.unwrap_or_else(|| panic!("not found from {dx}, {dy}, {size}"));
        assert!(found.rect.iou(&DRAWN) > 0.6, "{:?} from {dx}, {dy}, {size}", found.rect);
    }
}

#[test]
fn where_there_is_no_face_none_is_found() {
    let flat = vec![128; 640 * 480];
    let picture = GrayView::new(&flat, 640, 480).unwrap();
    let mut detector = fast();
    assert!(detector.detect(picture).unwrap().is_empty());
    assert_eq!(near(&mut detector, picture, DRAWN), None);
}

#[test]
fn odd_pictures_and_boxes_are_no_errors() {
    let mut detector = fast();
    for (width, height) in [(1, 1), (10, 10), (640, 1), (1, 480), (23, 4000)] {
        let pixels = vec![90; width * height];
        let picture = GrayView::new(&pixels, width, height).unwrap();
        assert!(detector.detect(picture).unwrap().is_empty(), "{width}×{height}");
        for rect in [
            DRAWN,
            FaceRect::whole(width, height),
            FaceRect { width: 0.0, height: 0.0, ..DRAWN },
            FaceRect { x: -500.0, ..DRAWN },
            FaceRect { x: -500.0, width: 1000.0, ..DRAWN },
            FaceRect { width: f32::NAN, ..DRAWN },
            FaceRect { x: f32::INFINITY, ..DRAWN },
            FaceRect { width: 1.0e9, height: 1.0e9, ..DRAWN },
        ] {
            assert_eq!(near(&mut detector, picture, rect), None, "{rect:?} in {width}×{height}");
        }
    }
}

#[test]
fn faces_are_found_in_the_dark_when_contrast_is_stretched() {
    let bright = drawn();
    let dark: Vec<u8> = bright.data_bytes().unwrap().iter().map(|level| level / 16).collect();
    let picture = GrayView::new(&dark, 640, 480).unwrap();
    let options = DetectionOptions { equalize: true, ..haar() };
    let faces = HaarDetector::new(&options).unwrap().detect(picture).unwrap();
    assert!(faces.iter().any(|face| face.rect.iou(&DRAWN) > 0.6), "{faces:?}");
}

#[test]
fn a_smaller_face_that_is_asked_for_is_found_without_another_height_unless_that_is_asked_for_too() {
    // 36 pixels in 480 rows are 0.075 of the height, too small for a scan at 200 rows.
    let picture = gray(&drawn_face::picture_with_face(640, 480, Rect::new(300, 200, 36, 36)));
    let found = |options: DetectionOptions| HaarDetector::new(&options).unwrap().detect(view(&picture)).unwrap().len();
    let small = DetectionOptions { min_face: Some(0.05), ..haar() };
    assert_eq!(found(haar()), 0);
    assert_eq!(found(small), 1);
    assert_eq!(found(DetectionOptions { working_height: Some(200), ..small }), 0);
}
