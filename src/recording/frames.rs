//! Number and time of each frame in the video.

use std::path::Path;
use std::time::Duration;

use super::lines::Lines;
use super::{OpenError, VIDEO};

/// Ticks per second: the tables have four decimal places.
const TICKS: f64 = 10_000.0;

/// Maximum time in seconds, about thirty years. No recording is longer, and some systems' clocks can't hold more.
const MOST_SECS: f64 = 1e9;

/// The interval assumed for a single frame, which has no rate.
const LONE_INTERVAL: Duration = Duration::from_millis(40);

/// A frame of the video: its number as in the table of faces, and its time since the recording began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The number.
    pub frame: u64,
    /// The time.
    pub time: Duration,
}

/// The times of the frames in the video: sixteen bytes per frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameTimes {
    /// Indexed by position in the video.
    stamps: Vec<Packed>,
    /// From one frame to the next, gaps aside.
    interval: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Packed {
    frame: u32,
    ticks: u64,
}

impl FrameTimes {
    /// Reads [`super::FRAMES`], and returns whether its last row was cut.
    pub(super) fn read(path: &Path, may_be_cut: bool) -> Result<(Self, bool), OpenError> {
        const COLUMNS: [&str; 3] = ["video_frame", "frame", "time_s"];
        let mut lines = Lines::open(path, &COLUMNS.map(str::to_owned), &[], may_be_cut)?;
        let mut stamps: Vec<Packed> = Vec::new();
        loop {
            let place = stamps.len() as u64;
            let last = stamps.last().copied();
            let row = lines.next(|row| {
                let at: u64 = row.number(0, COLUMNS[0])?;
                if at != place {
                    return Err(format!("this row is of frame {at} of {VIDEO}, where frame {place} should follow"));
                }
                let stamp = Packed { frame: row.number(1, COLUMNS[1])?, ticks: ticks(row.number(2, COLUMNS[2])?)? };
                // Two pictures of a visitor of the server may have the same time.
                let is_later = last.is_none_or(|last| last.frame < stamp.frame && last.ticks <= stamp.ticks);
                is_later.then_some(stamp).ok_or_else(|| "number and time don't follow the row before".to_owned())
            })?;
            let Some(row) = row else { break };
            stamps.push(row);
        }
        stamps.shrink_to_fit();
        Ok((Self { interval: interval(&stamps), stamps }, lines.cut()))
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.stamps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.stamps.is_empty()
    }

    /// The frame at a position in the video, counted from 0.
    pub fn at(&self, place: usize) -> Option<Stamp> {
        self.stamps.get(place).map(|packed| Stamp { frame: packed.frame.into(), time: from_ticks(packed.ticks) })
    }

    /// Position of the frame that is shown at a time: the last one that isn't later, else the first.
    pub fn place_at(&self, time: Duration) -> usize {
        self.stamps.partition_point(|packed| from_ticks(packed.ticks) <= time).saturating_sub(1)
    }

    /// From one frame to the next, gaps aside.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Frames per second, gaps aside.
    pub fn rate(&self) -> f64 {
        1.0 / self.interval.as_secs_f64()
    }

    /// From the beginning to the end of the last frame.
    pub fn duration(&self) -> Duration {
        self.stamps.last().map_or(Duration::ZERO, |last| from_ticks(last.ticks) + self.interval)
    }
}

/// The interval between frames: the smaller of mean and median. A pause or a lost camera leaves a gap that would make the
/// mean too long, and at too low a rate, an export would leave out frames.
fn interval(stamps: &[Packed]) -> Duration {
    match (stamps.first(), stamps.last(), stamps.len()) {
        (Some(first), Some(last), count @ 2..) if first.ticks < last.ticks => {
            let mean = (from_ticks(last.ticks) - from_ticks(first.ticks)).div_f64((count - 1) as f64);
            median_step(stamps).map_or(mean, |median| mean.min(median))
        }
        _ => LONE_INTERVAL,
    }
}

/// The median of the intervals between different times.
fn median_step(stamps: &[Packed]) -> Option<Duration> {
    let ticks = stamps.windows(2).map(|pair| pair[1].ticks.saturating_sub(pair[0].ticks));
    let mut steps: Vec<u64> = ticks.filter(|step| *step > 0).collect();
    let middle = steps.len() / 2;
    (!steps.is_empty()).then(|| from_ticks(*steps.select_nth_unstable(middle).1))
}

/// Converts seconds from a table to ticks.
pub(super) fn ticks(secs: f64) -> Result<u64, String> {
    let fits = (0.0..=MOST_SECS).contains(&secs);
    fits.then_some((secs * TICKS).round() as u64)
        .ok_or_else(|| format!("{secs} is no time in seconds since the beginning"))
}

pub(super) fn from_ticks(ticks: u64) -> Duration {
    Duration::from_micros(ticks * 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, may_be_cut: bool) -> Result<(FrameTimes, bool), String> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("frames.csv");
        std::fs::write(&path, text).unwrap();
        FrameTimes::read(&path, may_be_cut).map_err(|error| error.to_string())
    }

    #[test]
    fn frames_keep_their_own_uneven_times() {
        let (frames, cut) = read("video_frame,frame,time_s\n0,4,0.1000\n1,5,0.1333\n2,9,0.3000\n", false).unwrap();
        assert!(!cut);
        assert_eq!(frames.at(2), Some(Stamp { frame: 9, time: Duration::from_millis(300) }));
        assert_eq!(frames.at(3), None);
        let places = [0, 100, 133, 134, 299, 300, 9000].map(|ms| frames.place_at(Duration::from_millis(ms)));
        assert_eq!(places, [0, 0, 0, 1, 1, 2, 2]);
        assert!((frames.rate() - 10.0).abs() < 1e-9);
        assert_eq!(frames.duration(), Duration::from_millis(400));
    }

    #[test]
    fn a_gap_does_not_count_for_the_rate() {
        // Two minutes at 30 frames a second, with a pause of four minutes in the middle.
        let secs = |place: u32| f64::from(place) / 30.0 + if place < 1800 { 0.0 } else { 240.0 };
        let rows: String = (0..3600).map(|place| format!("{place},{place},{:.4}\n", secs(place))).collect();
        let (frames, _) = read(&format!("video_frame,frame,time_s\n{rows}"), false).unwrap();
        assert!((frames.rate() - 30.0).abs() < 0.1, "{}", frames.rate());
        assert!((frames.duration().as_secs_f64() - 360.0).abs() < 0.01, "{:?}", frames.duration());
    }

    #[test]
    fn a_recording_of_weeks_keeps_its_times() {
        let (frames, _) = read("video_frame,frame,time_s\n0,0,0.0\n1,25920000,864000.1234\n", false).unwrap();
        let last = Duration::from_micros(864_000_123_400);
        assert_eq!(frames.at(1), Some(Stamp { frame: 25_920_000, time: last }));
        assert_eq!([frames.place_at(last - Duration::from_micros(1)), frames.place_at(last)], [0, 1]);
        assert!(frames.duration() >= last);
        for time in ["1e12", "inf", "NaN"] {
            let error = read(&format!("video_frame,frame,time_s\n0,0,{time}\n"), false).unwrap_err();
            assert!(error.contains("is no time in seconds"), "{error}");
        }
    }

    #[test]
    fn pictures_that_come_in_pairs_count_by_their_average() {
        let rows: String =
            (0..40).map(|place| format!("{place},{place},{:.4}\n", f64::from(place / 2) / 10.0)).collect();
        let (frames, _) = read(&format!("video_frame,frame,time_s\n{rows}"), false).unwrap();
        assert!((frames.rate() - 20.0).abs() < 1.0, "{}", frames.rate());
    }

    #[test]
    fn a_row_that_was_cut_by_a_kill_is_left_out_and_one_in_the_middle_is_an_error() {
        for cut in ["2,2,0.0", "2,", "2,2,0.0666", "\0\0\0"] {
            let text = format!("video_frame,frame,time_s\n0,0,0.0\n1,1,0.0333\n{cut}");
            let (frames, was_cut) = read(&text, true).unwrap();
            assert_eq!((frames.len(), was_cut), (2, true), "{cut:?}");
        }
        let (frames, was_cut) = read("", true).unwrap();
        assert!(frames.is_empty() && was_cut);
        let error = read("video_frame,frame,time_s\n0,0,0.0\n1,x,0.0333\n2,2,0.0666\n", true).unwrap_err();
        assert!(error.contains("frames.csv, line 3: “x” in the column “frame”"), "{error}");
    }

    #[test]
    fn rows_that_do_not_go_on_are_refused_with_their_line() {
        let header = "video_frame,frame,time_s\n0,0,0.0\n";
        let (frames, _) = read(&format!("{header}1,1,0.0\n"), false).unwrap();
        assert_eq!(frames.len(), 2, "two pictures may have the same time");
        for (row, reason) in [
            ("2,2,0.1\n", "line 3: this row is of frame 2 of video.mkv, where frame 1 should follow"),
            ("1,0,0.1\n", "line 3: number and time don't follow"),
            ("1,1,-4\n", "line 3: -4 is no time"),
            ("1,1\n", "line 3: the row ends before the column “time_s”"),
        ] {
            let error = read(&format!("{header}{row}"), false).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        let error = read("video_frame,number,time_s\n0,0,0.0\n", false).unwrap_err();
        assert!(error.contains("line 1: there is no column “frame”"), "{error}");
    }
}
