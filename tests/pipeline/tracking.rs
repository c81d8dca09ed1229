//! Face ids that stay with people: real detection on films made by warping pictures.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mien::detect::{DetectionOptions, DetectorKind, ScheduledDetector};
use mien::frame::Frame;
use mien::pipeline::{Analyzer, DetectedFace};
use mien::track::TrackOptions;
use opencv::core::Mat;
use tch::Device;

use crate::support::moving_faces::{Actor, FPS, Pose, cloth, flash, room};

/// The pipeline's capture side on frames that a test makes.
struct Film {
    analyzer: Analyzer,
    index: u32,
}

impl Film {
    fn new(detector: DetectorKind) -> Self {
        let options = DetectionOptions { detector, ..DetectionOptions::default() };
        let detector = ScheduledDetector::make(&options, Device::Cpu).unwrap();
        Self { analyzer: Analyzer::new(detector, TrackOptions::default(), false), index: 0 }
    }

    fn show(&mut self, image: Mat) -> Vec<DetectedFace> {
        let media_time = Duration::from_secs(1) * self.index / FPS;
        let captured_at = Instant::now();
        let frame = Frame { index: self.index.into(), media_time, captured_at, image: Arc::new(image) };
        self.index += 1;
        self.analyzer.analyze(frame).unwrap().faces
    }

    /// Plays `secs` seconds and returns the faces of each frame. `draw` gets the share of the time that has passed.
    fn play(&mut self, secs: f32, draw: impl Fn(f32) -> Mat) -> Vec<Vec<DetectedFace>> {
        let frames = (secs * FPS as f32) as u32;
        (0..frames).map(|i| self.show(draw(i as f32 / frames as f32))).collect()
    }
}

/// Drawn people with Haar, which detects them, and filmed people with the network.
fn casts() -> Vec<([Actor; 2], Film)> {
    let mut casts = vec![(Actor::drawn(), Film::new(DetectorKind::Haar))];
    match Actor::filmed() {
        Some(filmed) => casts.push((filmed, Film::new(DetectorKind::Faces))),
        None => eprintln!("the network is skipped: the demo clip isn't on this machine; set-up fetches it"),
    }
    casts
}

fn with(mut frame: Mat, actors: &[(&Actor, Pose)]) -> Mat {
    for (actor, pose) in actors {
        actor.enter(&mut frame, *pose);
    }
    frame
}

fn ids(frames: &[Vec<DetectedFace>]) -> BTreeSet<u32> {
    frames.iter().flatten().map(|face| face.id.0).collect()
}

fn last_ids(frames: &[Vec<DetectedFace>]) -> Vec<u32> {
    frames.last().unwrap().iter().map(|face| face.id.0).collect()
}

const MIDDLE: (f32, f32) = (320.0, 240.0);

#[test]
fn a_head_that_tilts_and_comes_back_keeps_its_id() {
    for ([actor, _], mut film) in casts() {
        let shown = film.play(5.0, |over| {
            let roll = 45.0 * (std::f32::consts::PI * over).sin();
            with(room(1, 0.0), &[(&actor, Pose { roll, ..Pose::at(MIDDLE.0, MIDDLE.1) })])
        });
        assert_eq!(last_ids(&shown), [1]);
        assert_eq!(ids(&shown), [1].into());
    }
}

#[test]
fn a_face_that_leaves_and_comes_back_has_its_id_again() {
    for ([actor, _], mut film) in casts() {
        let way = |over: f32| 320.0 + 500.0 * over;
        film.play(1.0, |_| with(room(1, 0.0), &[(&actor, Pose::at(way(0.0), 240.0))]));
        film.play(1.0, |over| with(room(1, 0.0), &[(&actor, Pose::at(way(over), 240.0))]));
        assert!(film.play(1.5, |_| room(1, 0.0)).last().unwrap().is_empty());
        let back =
            film.play(2.0, |over| with(room(1, 0.0), &[(&actor, Pose::at(way((1.0 - 2.0 * over).max(0.0)), 240.0))]));
        assert_eq!(last_ids(&back), [1]);
    }
}

#[test]
fn two_people_who_cross_keep_their_ids() {
    for ([front, behind], mut film) in casts() {
        let draw = |over: f32| {
            let (left, right) = (130.0 + 380.0 * over, 510.0 - 380.0 * over);
            with(room(1, 0.0), &[(&behind, Pose::at(right, 230.0)), (&front, Pose::at(left, 250.0))])
        };
        assert_eq!(last_ids(&film.play(1.0, |_| draw(0.0))), [1, 2]);
        film.play(2.0, draw);
        let shown = film.play(1.0, |_| draw(1.0));
        assert_eq!(last_ids(&shown), [1, 2]);
        let faces = shown.last().unwrap();
        assert!(faces[0].rect.x > faces[1].rect.x, "ids were swapped: {faces:?}");
    }
}

#[test]
fn a_face_whose_mouth_a_hand_covers_keeps_its_id() {
    for ([actor, _], mut film) in casts() {
        let shown = film.play(4.0, |over| {
            let is_covered = (0.3..0.6).contains(&over);
            with(room(1, 0.0), &[(&actor, Pose { is_covered, ..Pose::at(MIDDLE.0, MIDDLE.1) })])
        });
        assert_eq!((last_ids(&shown), ids(&shown)), (vec![1], [1].into()));
    }
}

#[test]
fn at_a_cut_another_person_gets_another_id_and_the_first_gets_theirs_back() {
    // The filmed people may be one and the same person, so this uses drawn ones.
    let ([one, other], mut film) = (Actor::drawn(), Film::new(DetectorKind::Haar));
    let place = Pose::at(MIDDLE.0, MIDDLE.1);
    assert_eq!(last_ids(&film.play(1.0, |_| with(room(1, 0.0), &[(&one, place)]))), [1]);
    let cut = film.play(2.0, |_| with(room(2, 0.0), &[(&other, place)]));
    assert_eq!((last_ids(&cut), ids(&cut)), (vec![2], [2].into()));
    let back = film.play(1.0, |_| with(room(1, 0.0), &[(&one, place)]));
    assert_eq!((last_ids(&back), ids(&back)), (vec![1], [1].into()));
}

#[test]
fn flashes_and_a_camera_that_swings_are_no_cuts() {
    for ([actor, _], mut film) in casts() {
        let scene = |pan: f32| with(room(1, pan), &[(&actor, Pose::at(320.0 - pan, 240.0))]);
        film.play(1.0, |_| scene(0.0));
        for _ in 0..3 {
            film.show(flash(&scene(0.0)));
            // The face doesn't have to be confirmed on three frames again.
            assert_eq!(last_ids(&[film.show(scene(0.0))]), [1]);
        }
        let swing = film.play(0.5, |over| scene(180.0 * over));
        assert!(swing.iter().all(|faces| faces.iter().map(|face| face.id.0).eq([1])), "{swing:?}");
    }
}

/// When Mien still accepted what Haar's loose search took for a face, it found ten such patterns. This one stayed for 220 of 240 frames.
#[test]
fn a_pattern_of_cloth_in_a_draught_is_nobody() {
    let [haar, network] = [DetectorKind::Haar, DetectorKind::Faces].map(Film::new);
    for mut film in [haar, network] {
        let shown = film.play(8.0, |over| cloth(54, 8.0 * (2.0 * std::f32::consts::TAU * over).sin()));
        assert_eq!(ids(&shown), BTreeSet::new());
    }
}
