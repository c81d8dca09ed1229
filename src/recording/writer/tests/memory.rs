//! The memory that recordings share.

use super::*;
use crate::recording::waiting::MOST_BYTES;

#[test]
fn frames_for_which_the_pictures_of_other_recordings_leave_no_memory_are_counted() {
    let home = tempfile::tempdir().unwrap();
    let waiting = Waiting::default();
    let of_others = waiting.place(MOST_BYTES).unwrap();
    let writer = start_in(home.path(), subject("Desk cam"), waiting.clone(), Plenty);
    pass(&writer, 0..2, |_| true);
    drop(of_others);
    pass(&writer, 2..5, |_| true);
    let (counts, _) = ending(&writer.finish());
    assert_eq!((counts.frames, counts.frames_lost), (3, 2));
    assert_nothing_waits(&waiting);
}

#[track_caller]
fn assert_nothing_waits(waiting: &Waiting) {
    let places: Vec<_> = (0..8).map(|_| waiting.place(MOST_BYTES / 8)).collect();
    assert!(places.iter().all(Option::is_some));
}

#[test]
fn frames_that_are_never_written_leave_their_memory_to_other_recordings() {
    let home = tempfile::tempdir().unwrap();
    let ((stuck, is_stuck), (moves_again, stands_still)) = (unbounded(), bounded(0));
    let waiting = Waiting::default();
    let space = Stuck(stuck, stands_still, u64::MAX);
    let writer = start_in(home.path(), subject("Desk cam"), waiting.clone(), space);
    is_stuck.recv().unwrap();
    // The first one ends the recording, because of its size.
    for index in 0..3 {
        let mut other = numbered(index);
        other.frame.image = Mat::new_rows_cols_with_default(100, 200, CV_8UC3, Scalar::all(0.0)).unwrap().into();
        writer.tap().captured(&other.frame);
    }
    drop(moves_again);
    let (counts, _) = ending(&until_it_ends(&writer));
    assert_eq!(counts, Counts::default());
    assert_nothing_waits(&waiting);
}
