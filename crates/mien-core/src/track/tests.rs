use super::*;
use crate::crop::{CROP_PIXELS, CROP_SIZE, FaceCrop};

const FPS: u32 = 30;

/// A box of 100 pixels around a centre.
fn face(x: f32, y: f32) -> Detection {
    Detection {
        rect: FaceRect { x: x - 50.0, y: y - 50.0, width: 100.0, height: 100.0 },
        score: 8.0,
        is_certain: true,
        landmarks: None,
    }
}

fn time(frame: u32) -> Duration {
    Duration::from_secs(1) * frame / FPS
}

/// A tracker and its clock.
struct Run {
    tracker: Tracker,
    frame: u32,
}

impl Run {
    fn new() -> Self {
        Self { tracker: Tracker::new(TrackOptions::default()), frame: 0 }
    }

    fn see(&mut self, detections: &[Detection]) -> Vec<Track> {
        self.frame += 1;
        self.tracker.update(detections, time(self.frame), |_| None).to_vec()
    }

    fn see_for(&mut self, frames: u32, detections: &[Detection]) -> Vec<Track> {
        (0..frames).map(|_| self.see(detections)).last().unwrap()
    }
}

fn ids(tracks: &[Track]) -> Vec<u32> {
    tracks.iter().map(|track| track.id.0).collect()
}

#[test]
fn a_face_shows_on_the_third_frame_that_has_it() {
    let mut run = Run::new();
    assert!(run.see(&[face(200.0, 200.0)]).is_empty());
    assert!(run.see(&[face(201.0, 200.0)]).is_empty());
    assert_eq!(ids(&run.see(&[face(202.0, 200.0)])), [1]);
}

#[test]
fn false_boxes_that_flicker_never_show_and_take_no_id() {
    let mut run = Run::new();
    for i in 0..60_u32 {
        // Two frames here, two frames there, beside a face that stays.
        let false_box = face(100.0 + 170.0 * (i / 2 % 3) as f32, 500.0);
        let shown = run.see(&[face(300.0, 200.0), false_box]);
        assert!(shown.iter().all(|track| track.rect.y < 300.0), "frame {i}: {shown:?}");
    }
    assert_eq!(ids(&run.see_for(5, &[face(300.0, 200.0), face(600.0, 200.0)])), [1, 2]);
}

#[test]
fn a_face_lost_for_two_frames_keeps_its_id_and_stays_shown() {
    let mut run = Run::new();
    run.see_for(10, &[face(200.0, 200.0)]);
    for missed in 1..=2 {
        let shown = run.see(&[]);
        assert_eq!(ids(&shown), [1]);
        assert_eq!(shown[0].missed, missed);
    }
    let shown = run.see(&[face(204.0, 200.0)]);
    assert_eq!((ids(&shown), shown[0].missed), (vec![1], 0));
}

#[test]
fn a_face_that_left_is_hidden_soon_and_known_for_a_while() {
    let mut run = Run::new();
    run.see_for(10, &[face(200.0, 200.0)]);
    assert!(run.see_for(FPS / 2, &[]).is_empty(), "half a second later nothing may be shown");
    assert_eq!(ids(&run.see(&[face(205.0, 200.0)])), [1], "and it is known when it comes back");
}

#[test]
fn the_id_of_a_face_that_left_is_not_given_again() {
    let mut run = Run::new();
    run.see_for(10, &[face(200.0, 200.0)]);
    run.see_for(2 * FPS, &[]);
    assert_eq!(ids(&run.see_for(5, &[face(200.0, 200.0)])), [2]);
}

#[test]
fn a_moving_face_is_shown_on_where_it_is_expected() {
    let mut run = Run::new();
    for i in 0..20_u32 {
        run.see(&[face(100.0 + 6.0 * i as f32, 200.0)]);
    }
    run.see(&[]);
    let x = run.see(&[])[0].rect.center().0;
    assert!((x - (100.0 + 6.0 * 21.0)).abs() < 6.0, "{x}");
}

#[test]
fn two_people_who_cross_keep_their_ids() {
    for step in [3.0, 8.0, 15.0] {
        let mut run = Run::new();
        let mut last = Vec::new();
        let frames = (500.0 / step) as u32;
        for i in 0..=frames {
            let way = step * i as f32;
            let (left, right) = (face(100.0 + way, 200.0), face(600.0 - way, 215.0));
            // While one hides the other, the detector finds one face, in the middle.
            let apart = (left.rect.x - right.rect.x).abs();
            last = if apart < 40.0 { run.see(&[face(350.0, 207.0)]) } else { run.see(&[left, right]) };
        }
        assert_eq!(ids(&last), [1, 2], "at {step} pixels a frame");
        assert!(last[0].rect.x > 450.0 && last[1].rect.x < 250.0, "ids were swapped at {step}: {last:?}");
    }
}

#[test]
fn two_people_who_swap_sides_without_hiding_each_other_keep_their_ids() {
    let mut run = Run::new();
    let mut last = Vec::new();
    for i in 0..=60_u32 {
        // Half a circle around each other, at 4 box sizes a second at most.
        let angle = std::f32::consts::PI * i as f32 / 60.0;
        let (dx, dy) = (120.0 * angle.cos(), 120.0 * angle.sin());
        last = run.see(&[face(300.0 + dx, 300.0 + dy), face(300.0 - dx, 300.0 - dy)]);
    }
    assert_eq!(ids(&last), [1, 2]);
    // Face 1 started on the left and is now on the right.
    assert!(last[0].rect.x > last[1].rect.x);
}

#[test]
fn a_camera_that_swings_does_not_give_a_face_the_id_of_its_neighbour() {
    let mut run = Run::new();
    let row = |shift: f32| [0.0, 110.0, 220.0].map(|x| face(200.0 + x + shift, 200.0));
    run.see_for(10, &row(0.0));
    let shown = run.see(&row(50.0));
    assert_eq!(ids(&shown), [1, 2, 3]);
    assert!(shown.windows(2).all(|pair| pair[0].rect.x < pair[1].rect.x));
}

#[test]
fn a_newcomer_does_not_take_the_box_of_a_known_face() {
    let mut run = Run::new();
    run.see_for(10, &[face(200.0, 200.0)]);
    // A box too far off to be the known face; then one that could be either face, nearer to the new one.
    run.see(&[face(275.0, 200.0)]);
    let shown = run.see(&[face(240.0, 200.0)]);
    assert_eq!((ids(&shown), shown[0].missed), (vec![1], 0));
}

#[test]
fn a_second_box_on_the_same_face_is_no_second_face() {
    let mut run = Run::new();
    let inner = Detection {
        rect: FaceRect { x: 165.0, y: 170.0, width: 60.0, height: 60.0 },
        score: 3.0,
        is_certain: true,
        landmarks: None,
    };
    assert_eq!(ids(&run.see_for(20, &[face(200.0, 200.0), inner])), [1]);
}

#[test]
fn a_still_face_trembles_less_than_its_boxes() {
    let mut run = Run::new();
    run.see_for(10, &[face(200.0, 200.0)]);
    let jitter = [3.0, -2.0, 0.0, -3.0, 2.0, 1.0, -1.0, 3.0, -3.0, 0.0];
    let steps: Vec<f32> = jitter.iter().map(|j| run.see(&[face(200.0 + j, 200.0)])[0].rect.x).collect();
    let moved: f32 = steps.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
    let given: f32 = jitter.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
    assert!(moved < 0.5 * given, "moved {moved} of {given}");
}

#[test]
fn a_fast_face_is_not_left_behind() {
    let mut run = Run::new();
    let mut shown = Vec::new();
    let mut truth = face(0.0, 0.0);
    for i in 0..30_u32 {
        truth = face(100.0 + 10.0 * i as f32, 200.0);
        shown = run.see(&[truth]);
    }
    assert!(shown[0].rect.iou(&truth.rect) > 0.9, "{:?} for {:?}", shown[0].rect, truth.rect);
}

#[test]
fn few_frames_a_second_are_followed_too() {
    let mut tracker = Tracker::new(TrackOptions::default());
    for i in 0..10_u32 {
        tracker.update(&[face(100.0 + 20.0 * i as f32, 200.0)], Duration::from_millis(200) * i, |_| None);
    }
    let missed = tracker.update(&[], Duration::from_millis(2000), |_| None).to_vec();
    assert_eq!(ids(&missed), [1]);
    assert_eq!(ids(tracker.update(&[face(320.0, 200.0)], Duration::from_millis(2200), |_| None)), [1]);
}

#[test]
fn a_reset_counts_from_one_again() {
    let mut run = Run::new();
    run.see_for(5, &[face(200.0, 200.0)]);
    run.tracker.reset();
    run.frame = 0;
    assert!(run.see(&[face(500.0, 200.0)]).is_empty());
    assert_eq!(ids(&run.see_for(5, &[face(500.0, 200.0)])), [1]);
}

#[test]
fn a_jump_in_time_makes_all_faces_new() {
    let mut run = Run::new();
    run.see_for(100, &[face(200.0, 200.0)]);
    run.frame = 0;
    assert_eq!(ids(&run.see_for(5, &[face(200.0, 200.0)])), [2], "back to the start");
    run.frame += 100 * FPS;
    assert_eq!(ids(&run.see_for(5, &[face(200.0, 200.0)])), [3], "after a long pause");
}

#[test]
fn boxes_without_area_or_number_are_ignored() {
    let mut run = Run::new();
    let empty = Detection {
        rect: FaceRect { x: 1.0, y: 1.0, width: 0.0, height: 5.0 },
        score: 1.0,
        is_certain: true,
        landmarks: None,
    };
    let nan = Detection {
        rect: FaceRect { x: f32::NAN, y: 1.0, width: 50.0, height: f32::NAN },
        score: 1.0,
        is_certain: true,
        landmarks: None,
    };
    assert!(run.see_for(10, &[empty, nan]).is_empty());
}

#[test]
fn a_face_is_expected_where_it_moves_even_before_it_is_confirmed() {
    let mut run = Run::new();
    run.see(&[face(100.0, 200.0)]);
    run.see(&[face(110.0, 200.0)]);
    let expected = run.tracker.expected(time(3));
    assert_eq!(expected.len(), 1);
    assert!((expected[0].center().0 - 120.0).abs() < 1.0);
}

/// The ids shown of a face that stands still, on frames `secs` apart: found three times, missed once, found again.
fn looked_at_every(secs: f64) -> Vec<Vec<u32>> {
    let spacing = Duration::from_secs_f64(secs);
    let mut tracker = Tracker::new(TrackOptions::for_spacing(spacing));
    let looks = [true, true, true, false, true];
    let see = |(step, is_found): (u32, &bool)| {
        let found = [face(200.0, 200.0)];
        ids(tracker.update(if *is_found { &found } else { &[] }, spacing * step, |_| None))
    };
    (0..).zip(&looks).map(see).collect()
}

#[test]
fn the_rates_of_cameras_are_followed_as_usual() {
    for fps in [120.0, 30.0, 24.0, 10.0, 4.0] {
        assert_eq!(TrackOptions::for_spacing(Duration::from_secs_f64(1.0 / fps)), TrackOptions::default(), "{fps} fps");
    }
}

#[test]
fn the_further_looks_are_apart_the_fewer_confirm_a_face_and_show_it_on() {
    let nobody = Vec::<u32>::new;
    assert_eq!(looked_at_every(0.2), [nobody(), nobody(), vec![1], vec![1], vec![1]]);
    assert_eq!(looked_at_every(0.4), [nobody(), vec![1], vec![1], vec![1], vec![1]]);
    for secs in [0.6, 2.0, 4.0] {
        assert_eq!(looked_at_every(secs), [vec![1], vec![1], vec![1], nobody(), vec![1]], "{secs} s");
    }
    // At 8 s, one miss leaves too long a gap; at 11 s, every step is too long.
    assert_eq!(looked_at_every(8.0), [vec![1], vec![1], vec![1], nobody(), vec![2]]);
    assert_eq!(looked_at_every(11.0), [vec![1], vec![2], vec![3], nobody(), vec![4]]);
}

#[test]
fn a_spacing_beyond_all_times_is_no_error() {
    assert_eq!(TrackOptions::for_spacing(Duration::MAX).confirm_after, 1);
    assert_eq!(TrackOptions::for_spacing(Duration::ZERO), TrackOptions::default());
}

#[test]
fn no_face_waits_for_more_frames_than_the_source_declares() {
    let usual = Duration::from_millis(40);
    let confirm_after = |frames| TrackOptions::for_source(usual, frames).confirm_after;
    assert_eq!([None, Some(1000), Some(3), Some(2), Some(1), Some(0)].map(confirm_after), [3, 3, 3, 2, 1, 1]);
    let single = TrackOptions { confirm_after: 1, ..TrackOptions::for_spacing(usual) };
    assert_eq!(TrackOptions::for_source(usual, Some(1)), single);
    assert_eq!(TrackOptions::for_source(usual, None), TrackOptions::for_spacing(usual));
}

#[test]
fn other_options_leave_a_face_its_id() {
    let mut run = Run::new();
    run.see_for(5, &[face(200.0, 200.0)]);
    run.tracker.set_options(TrackOptions::for_spacing(Duration::from_secs(1)));
    assert_eq!(ids(&run.see(&[face(200.0, 200.0)])), [1]);
}

/// A box that only the detector's lenient search finds.
fn doubtful(x: f32, y: f32) -> Detection {
    Detection { is_certain: false, ..face(x, y) }
}

#[test]
fn what_the_strict_search_never_confirms_is_no_face_however_long_it_stays() {
    let mut run = Run::new();
    for _ in 0..8 * FPS {
        assert!(run.see(&[doubtful(200.0, 200.0)]).is_empty());
    }
    assert_eq!(ids(&run.see(&[face(200.0, 200.0)])), [1], "but once it is confirmed it needs no second start");
}

#[test]
fn a_face_that_is_not_confirmed_again_is_carried_on_for_two_seconds_and_then_given_up() {
    let mut run = Run::new();
    run.see_for(5, &[face(200.0, 200.0)]);
    assert_eq!(ids(&run.see_for(2 * FPS - 1, &[doubtful(200.0, 200.0)])), [1]);
    assert!(run.see_for(3, &[doubtful(200.0, 200.0)]).is_empty());
}

#[test]
fn single_pictures_take_every_box_for_a_face() {
    let mut tracker = Tracker::new(TrackOptions::for_single_pictures());
    assert_eq!(ids(tracker.update(&[doubtful(200.0, 200.0)], Duration::ZERO, |_| None)), [1]);
}

#[test]
fn a_box_whose_place_and_size_jump_is_given_up() {
    let mut run = Run::new();
    run.see_for(5, &[face(200.0, 200.0)]);
    let shown = (0..30_u32).map(|i| {
        let (shift, side) = if i % 2 == 0 { (12.0, 125.0) } else { (-12.0, 95.0) };
        let rect = FaceRect { x: 150.0 + shift, y: 150.0 - shift, width: side, height: side };
        run.see(&[Detection { rect, score: 8.0, is_certain: true, landmarks: None }]).len()
    });
    assert!(shown.skip(10).all(|faces| faces == 0));
}

/// A person's appearance: person 1 has vertical stripes, the other one horizontal stripes.
fn look_of(person: usize) -> Option<Appearance> {
    let level = |i: usize| (if person == 1 { i % CROP_SIZE } else { i / CROP_SIZE } % 6 * 40) as u8;
    FaceCrop::from_pixels((0..CROP_PIXELS).map(level).collect()).as_ref().map(Appearance::of)
}

/// Shows a face at a place for some frames.
fn see_person(run: &mut Run, frames: u32, person: usize, x: f32) -> Vec<u32> {
    let see = |_| {
        run.frame += 1;
        ids(run.tracker.update(&[face(x, 200.0)], time(run.frame), |_| look_of(person)))
    };
    (0..frames).map(see).last().unwrap()
}

#[test]
fn at_a_cut_the_face_at_the_same_place_is_another_one_unless_it_looks_alike() {
    let mut run = Run::new();
    assert_eq!(see_person(&mut run, 10, 1, 200.0), [1]);
    run.tracker.cut();
    assert_eq!(see_person(&mut run, 10, 2, 200.0), [2]);
    run.tracker.cut();
    assert_eq!(see_person(&mut run, 10, 1, 205.0), [1]);
}

#[test]
fn a_face_that_is_back_within_some_seconds_has_its_id_again_and_later_a_new_one() {
    let mut run = Run::new();
    assert_eq!(see_person(&mut run, 10, 1, 200.0), [1]);
    run.see_for(3 * FPS, &[]);
    assert_eq!(see_person(&mut run, 10, 2, 200.0), [2], "somebody else");
    assert_eq!(see_person(&mut run, 10, 1, 500.0), [1], "at another place");
    run.see_for(6 * FPS, &[]);
    assert_eq!(see_person(&mut run, 10, 1, 200.0), [3], "too late");
}

#[test]
fn a_face_that_comes_into_the_picture_has_its_old_id_as_soon_as_it_can_be_seen() {
    let mut run = Run::new();
    assert_eq!(see_person(&mut run, 10, 1, 200.0), [1]);
    run.see_for(2 * FPS, &[]);
    assert!(run.see_for(FPS / 3, &[face(500.0, 200.0)]).is_empty(), "half of it, which could be anybody's");
    assert_eq!(see_person(&mut run, 2, 1, 500.0), [1]);

    run.see_for(2 * FPS, &[]);
    assert_eq!(ids(&run.see_for(FPS, &[face(500.0, 200.0)])), [2], "what stays half hidden is somebody new");
}

/// A run over a video that a user plays.
fn played_by_hand() -> Run {
    let mut run = Run::new();
    run.tracker.note_places();
    run
}

/// Jumps so that the next frame is the one after `frame`.
fn jump(run: &mut Run, frame: u32) {
    run.tracker.jump();
    run.frame = frame;
}

#[test]
fn where_a_film_was_played_before_its_faces_have_their_ids_again_and_elsewhere_no_id_is_given_twice() {
    let mut run = played_by_hand();
    let (first, second) = ([face(200.0, 200.0)], [face(210.0, 200.0)]);
    let later = 30 + 8 * FPS;
    assert_eq!(ids(&run.see_for(30, &first)), [1]);
    run.see_for(later - 30, &[]);
    assert_eq!(ids(&run.see_for(30, &second)), [2]);
    for (frame, shown, id) in [(10, &first, 1), (9, &first, 1), (later + 10, &second, 2), (0, &first, 1)] {
        jump(&mut run, frame);
        assert_eq!(ids(&run.see_for(3, shown)), [id], "after frame {frame}");
    }
    for (frame, id) in [(100 * FPS, 3), (50 * FPS, 4)] {
        jump(&mut run, frame);
        assert_eq!(ids(&run.see_for(3, &first)), [id], "after frame {frame}");
    }
}

#[test]
fn two_people_have_their_ids_again_round_after_round() {
    let mut run = played_by_hand();
    let (left, right) = (face(200.0, 200.0), face(500.0, 200.0));
    for _ in 0..3 {
        jump(&mut run, 0);
        assert_eq!(ids(&run.see_for(10, &[right])), [1]);
        let shown = run.see_for(10, &[left, right]);
        assert_eq!(ids(&shown), [1, 2]);
        assert!(shown[0].rect.x > shown[1].rect.x);
    }
}

#[test]
fn over_a_jump_whoever_looks_alike_keeps_the_id_and_nobody_else_gets_it() {
    let mut run = played_by_hand();
    assert_eq!(see_person(&mut run, 10, 1, 200.0), [1]);
    jump(&mut run, 1000 * FPS);
    assert_eq!(see_person(&mut run, 3, 1, 205.0), [1], "forward");
    jump(&mut run, 500 * FPS);
    assert_eq!(see_person(&mut run, 3, 2, 205.0), [2], "somebody else");
    assert_eq!(see_person(&mut run, 10, 1, 600.0), [1], "who is still remembered");
    jump(&mut run, 800 * FPS);
    run.see_for(6 * FPS, &[]);
    assert_eq!(see_person(&mut run, 3, 1, 600.0), [3], "too late");
    // Half a face could be anybody's, but is shown all the same, because the user chose the frame.
    jump(&mut run, 900 * FPS);
    assert_eq!(ids(&run.see_for(3, &[face(600.0, 200.0)])), [4]);
}
