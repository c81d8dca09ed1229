//! Computers that sleep while a recording is written.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::recording::Recording;

#[test]
fn a_sleep_is_a_gap_in_all_times_with_a_mark() {
    const SLEEP: Duration = Duration::from_secs(3720);
    let home = tempfile::tempdir().unwrap();
    // The computer has slept before the recording.
    let slept = Arc::new(AtomicU64::new(500));
    let asked = Arc::clone(&slept);
    let slept_for = Box::new(move || Duration::from_secs(asked.load(Ordering::SeqCst)));
    let space = Box::new(Plenty);
    let (parent, waiting) = (home.path().to_owned(), Waiting::default());
    let writer = SessionWriter::start_on(parent, subject("Desk cam"), waiting, space, slept_for, || ()).unwrap();
    pass(&writer, 0..3, |_| true);
    until("the first frames are written", || writer.progress().frames == 3);
    slept.fetch_add(SLEEP.as_secs(), Ordering::SeqCst);
    pass(&writer, 3..6, |_| true);
    until("the sleep counts", || writer.progress().elapsed >= SLEEP);
    let events = writer.finish();
    let folder = folder_of(&events);

    let time = |row: &Vec<String>| row[2].parse::<f64>().unwrap();
    let frames: Vec<f64> = rows(&folder.join(FRAMES)).iter().map(time).collect();
    let faces: Vec<f64> = rows(&folder.join(FACES)).iter().map(time).collect();
    assert_eq!(faces, frames);
    assert!(frames.len() == 6 && frames.is_sorted(), "{frames:?}");
    // Rounded to 0.1 ms.
    let (before, after) = (frames[2], frames[3] + 1e-4);
    assert!(after - before >= SLEEP.as_secs_f64(), "{frames:?}");
    let recording = Recording::open(&folder).unwrap();
    let [mark] = recording.marks.as_slice() else { panic!("{:?}", recording.marks) };
    assert_eq!(mark.text, "the computer slept for 1 h 02 min");
    let marked = mark.time.as_secs_f64();
    assert!(marked >= before + SLEEP.as_secs_f64() - 1e-4 && marked <= after, "{marked} s, {frames:?}");
    let is_told = |event: &RecordingEvent| matches!(event, RecordingEvent::Marked { text, .. } if *text == mark.text);
    assert_eq!(events.iter().filter(|event| is_told(event)).count(), 1, "{events:?}");
}
