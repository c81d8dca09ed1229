use std::time::Instant;

use opencv::core::Mat;

use super::*;
use crate::classes::Classes;
use crate::emotion::{COUNT, Emotion};
use crate::face::FaceId;
use crate::face::FaceRect;
use crate::frame::Frame;
use crate::pipeline::StageTimings;
use crate::probabilities::Probabilities;

const FPS: u32 = 10;

fn face(id: u32, width: f32, emotion: Emotion) -> Face {
    let mut weights = [0.05; COUNT];
    weights[emotion.index()] = 1.0;
    let raw = Probabilities::from_weights(&weights).unwrap();
    let rect = FaceRect { x: 0.0, y: 0.0, width, height: width };
    Face { id: FaceId(id), rect, score: 9.0, landmarks: None, quality: None, raw, smoothed: raw }
}

/// Scores a film at ten frames per second in which these faces are seen.
fn scores(truth: &[(f64, f64, Emotion)], film: &[Vec<Face>], smoothings: &[f64]) -> (Ground, Vec<Score>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.csv");
    let rows: String = truth.iter().map(|(start, end, emotion)| format!("{start},{end},{emotion}\n")).collect();
    std::fs::write(&path, format!("start,end,emotion\n{rows}")).unwrap();
    let smoothings = smoothings.iter().map(|secs| Some(Duration::from_secs_f64(*secs)).filter(|time| !time.is_zero()));
    let mut scorer = Scorer::new(Truth::read(&path, &Classes::emotions()).unwrap(), smoothings);
    let frame_time = Duration::from_secs(1) / FPS;
    for (index, faces) in film.iter().enumerate() {
        let captured_at = Instant::now();
        let frame = Frame {
            index: index as u64,
            media_time: frame_time * index as u32,
            captured_at,
            image: Mat::default().into(),
        };
        let (timings, classes) = (StageTimings::default(), Classes::emotions());
        scorer.push(&Scene { frame, picture: None, classes, faces: faces.clone(), timings, labelled_at: captured_at });
    }
    scorer.finish(frame_time)
}

fn recall(score: &Score, emotion: Emotion) -> f64 {
    score.recall.0.iter().find(|(key, _)| key == emotion.key()).unwrap().1
}

fn shows(emotion: Emotion, frames: usize) -> Vec<Vec<Face>> {
    vec![vec![face(1, 100.0, emotion)]; frames]
}

fn assert_near(value: f64, wanted: f64) {
    assert!((value - wanted).abs() < 1e-6, "{value} instead of {wanted}");
}

#[test]
fn time_is_shared_out_over_right_wrong_and_missing() {
    let film = [shows(Emotion::Happy, 6), shows(Emotion::Sad, 10), vec![vec![]; 4]].concat();
    let truth = [(0.0, 1.0, Emotion::Happy), (1.0, 2.0, Emotion::Sad)];
    let (ground, scores) = scores(&truth, &film, &[0.0]);
    assert_near(ground.seconds, 2.0);
    assert_near(ground.no_face, 0.2);
    assert_near(ground.seconds_beyond, 0.0);
    let score = &scores[0];
    assert_near(recall(score, Emotion::Happy), 0.6);
    assert_near(recall(score, Emotion::Sad), 0.6);
    assert_near(score.right, 0.6);
    assert_near(score.balanced, 0.6);
    assert_near(score.changes_per_minute, 30.0);
}

#[test]
fn stronger_smoothing_is_later_and_calmer() {
    // Each fifth frame is misread.
    let flicker = |emotion| -> Vec<Vec<Face>> {
        (0..50).map(|i| vec![face(1, 100.0, if i % 5 == 4 { Emotion::Fear } else { emotion })]).collect()
    };
    let film = [flicker(Emotion::Neutral), flicker(Emotion::Happy)].concat();
    let truth = [(0.0, 5.0, Emotion::Neutral), (5.0, 10.0, Emotion::Happy)];
    let (_, scores) = scores(&truth, &film, &[0.0, 0.4]);
    assert_near(scores[0].right, 0.8);
    assert!(scores[1].right > 0.9, "{}", scores[1].right);
    assert!(scores[1].changes_per_minute < scores[0].changes_per_minute / 5.0);
    let delay = |score: &Score| score.intervals[1].delay_secs.unwrap();
    assert_near(delay(&scores[0]), 0.0);
    assert!(delay(&scores[1]) > 0.15, "{}", delay(&scores[1]));
}

#[test]
fn the_largest_face_counts_and_a_part_that_is_never_right_is_counted() {
    let film = vec![vec![face(1, 60.0, Emotion::Happy), face(2, 90.0, Emotion::Sad)]; 10];
    let (_, scores) = scores(&[(0.0, 0.5, Emotion::Happy), (0.5, 1.0, Emotion::Sad)], &film, &[0.0]);
    assert_eq!((scores[0].right, scores[0].never), (0.5, 1));
    assert_eq!(scores[0].delay_secs, Some(0.0));
}

#[test]
fn the_delay_of_two_parts_is_their_mean() {
    let film = [shows(Emotion::Happy, 12), shows(Emotion::Sad, 8)].concat();
    let (_, scores) = scores(&[(0.0, 1.0, Emotion::Happy), (1.0, 2.0, Emotion::Sad)], &film, &[0.0]);
    assert_near(scores[0].delay_secs.unwrap(), 0.1);
}

#[test]
fn an_unsure_face_is_not_right() {
    let mut doubtful = face(1, 100.0, Emotion::Happy);
    doubtful.raw = Probabilities::from_weights(&[0.0, 0.0, 0.0, 0.51, 0.0, 0.0, 0.49]).unwrap();
    let (_, scores) = scores(&[(0.0, 1.0, Emotion::Happy)], &vec![vec![doubtful]; 10], &[0.0]);
    assert_eq!(scores[0].right, 0.0);
    assert_near(scores[0].unsure, 1.0);
}

#[test]
fn answers_for_more_than_the_video_do_not_count() {
    let truth = [(0.5, 3.0, Emotion::Happy), (3.0, 4.0, Emotion::Sad)];
    let (ground, scores) = scores(&truth, &shows(Emotion::Happy, 10), &[0.0]);
    assert_near(ground.seconds, 0.5);
    assert_near(ground.seconds_beyond, 3.0);
    assert_near(scores[0].right, 1.0);
    assert_eq!((scores[0].intervals.len(), scores[0].never), (1, 0));
}
