//! Disks that fill up while a recording is written.

use super::*;

/// No free space from the second look on.
struct Vanishing(std::sync::atomic::AtomicBool);

impl Space for Vanishing {
    fn free(&self, _folder: &Path) -> Option<u64> {
        Some(if self.0.swap(true, Ordering::Relaxed) { 0 } else { u64::MAX })
    }
}

#[test]
fn a_disk_that_runs_full_ends_the_recording_before_its_last_byte() {
    let home = tempfile::tempdir().unwrap();
    let writer = start(home.path(), Vanishing(false.into()));
    let mut events = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut next = 0;
    while !matches!(events.last(), Some(RecordingEvent::Ended { .. })) && Instant::now() < deadline {
        pass(&writer, next % 20..next % 20 + 1, |_| true);
        next += 1;
        events.extend(writer.events());
        std::thread::sleep(Duration::from_millis(10));
    }
    let (counts, reason) = ending(&events);
    assert_eq!(reason, Some(EndReason { words: "the disk is full".to_owned(), is_disk_full: true }));
    assert!(counts.frames > 0);
    let folder = folder_of(&events);
    assert_eq!(numbers_in(&folder.join(VIDEO)).len() as u64, counts.frames);
    assert_eq!(rows(&folder.join(FRAMES)).len() as u64, counts.frames);
    assert_eq!(metadata_in(&folder).counts, Some(counts));
}

#[test]
fn what_waits_when_only_the_reserve_is_left_is_still_written() {
    let home = tempfile::tempdir().unwrap();
    let ((stuck, is_stuck), (moves_again, stands_still)) = (unbounded(), bounded(0));
    let writer = start(home.path(), Stuck(stuck, stands_still, 0));
    is_stuck.recv().unwrap();
    pass(&writer, 0..3, |_| true);
    writer.mark(Instant::now(), "laughs".to_owned());
    drop(moves_again);
    let events = until_it_ends(&writer);
    let (counts, reason) = ending(&events);
    assert!(reason.is_some_and(|reason| reason.is_disk_full));
    assert_eq!(counts, Counts { frames: 3, faces: 3, ..Counts::default() });
    let marks = read_marks(&folder_of(&events).join(MARKS)).unwrap();
    assert_eq!(marks.iter().map(|mark| mark.text.as_str()).collect::<Vec<_>>(), ["laughs"]);
}

/// Runs itself again, in a process whose files can't grow beyond some KiB.
#[cfg(unix)]
#[test]
fn what_fits_no_more_is_counted_and_what_fits_is_written() {
    const FOLDER: &str = "MIEN_TEST_FULL_DISK_RECORDING";
    const KIBIBYTES: usize = 64;
    let Some(parent) = std::env::var_os(FOLDER) else {
        let home = tempfile::tempdir().unwrap();
        let test = "recording::writer::tests::full_disk::what_fits_no_more_is_counted_and_what_fits_is_written";
        return crate::full_disk::test_again(test, FOLDER, home.path(), KIBIBYTES);
    };
    let ((stuck, is_stuck), (moves_again, stands_still)) = (unbounded(), bounded(0));
    let writer = start(Path::new(&parent), Stuck(stuck, stands_still, u64::MAX));
    is_stuck.recv().unwrap();
    // All of this is queued before anything is written. The rows of a thousand faces don't fit, and neither do the long marks.
    let mut crowd = numbered(0);
    crowd.faces = vec![crowd.faces[0]; 1000];
    writer.tap().captured(&crowd.frame);
    writer.tap().labelled(&crowd);
    let long = "laughs, loudly and long; ".repeat(4000);
    for text in [long.as_str(), "laughs", &long] {
        writer.mark(Instant::now(), text.to_owned());
    }
    drop(moves_again);
    let events = until_it_ends(&writer);
    let (counts, reason) = ending(&events);
    assert!(reason.is_some_and(|reason| reason.words.contains("can't write to")), "{events:?}");
    assert_eq!((counts.labels_lost, counts.marks_lost, counts.frames + counts.frames_lost), (1, 2, 1), "{counts:?}");
    let folder = folder_of(&events);
    assert_eq!(metadata_in(&folder).counts, Some(counts));
    let marks = read_marks(&folder.join(MARKS)).unwrap();
    assert_eq!(marks.iter().map(|mark| mark.text.as_str()).collect::<Vec<_>>(), ["laughs"]);
}

/// A file system of two megabytes, if this user may mount one.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount() -> Option<Self> {
        let at = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at.path()).stderr(std::process::Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg(self.0.path()).status().ok();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_without_a_byte_left_keeps_all_that_was_written() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: this user may not mount a small file system");
        return;
    };
    // Free space looks plentiful, so the recording must end by the failing write.
    let writer = start(disk.0.path(), Plenty);
    let mut noise = Mat::new_rows_cols_with_default(SCENE_HEIGHT as i32, SCENE_WIDTH as i32, CV_8UC3, Scalar::all(0.0));
    opencv::core::randu(noise.as_mut().unwrap(), &Scalar::all(0.0), &Scalar::all(256.0)).unwrap();
    let noise = Arc::new(noise.unwrap());
    let mut events = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut index = 0;
    while !matches!(events.last(), Some(RecordingEvent::Ended { .. })) && Instant::now() < deadline {
        let mut scene = numbered(0);
        scene.frame.index = index;
        scene.frame.image = Arc::clone(&noise);
        writer.tap().captured(&scene.frame);
        writer.tap().labelled(&scene);
        index += 1;
        events.extend(writer.events());
        std::thread::sleep(Duration::from_millis(5));
    }
    let (counts, reason) = ending(&events);
    assert_eq!(reason, Some(EndReason { words: "the disk is full".to_owned(), is_disk_full: true }));
    assert!(counts.frames > 5, "{counts:?}");
    let folder = folder_of(&events);
    assert_eq!(numbers_in(&folder.join(VIDEO)).len() as u64, counts.frames);
    let frames = rows(&folder.join(FRAMES)).len() as u64;
    // The row of the last picture may not have fitted.
    assert!(frames == counts.frames || frames + 1 == counts.frames, "{frames} rows, {counts:?}");
    assert_eq!(rows(&folder.join(FACES)).len() as u64, counts.faces);
}
