//! When an MP4 or QuickTime file shows its frames, by its own index. What was read is compared with that, to find lost frames.
//!
//! OpenCV gives only the number of frames in the index, which includes those that an edit list hides: an excerpt that was made
//! without re-encoding begins at the key frame before it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::iter::{repeat, repeat_n};
use std::path::Path;
use std::time::Duration;

use mp4_atom::{Atom, Ctts, Decode as _, Elst, ElstEntry, FourCC, Header, Mdhd, Mvhd, ReadFrom as _, Stts};

use super::shortfall::{Shortfall, TOLERATED_FRAMES};

/// Largest index that is read, in bytes. That of ten hours takes about 20 MB.
const LARGEST_INDEX: u64 = 256 << 20;

/// Most frames that are compared: 77 hours at 30 frames a second, in 64 MB.
const MOST_FRAMES: u64 = 1 << 23;

/// A stamp may differ by this much from the time in the index, because OpenCV gives it in fractions of a millisecond.
const ROUNDING: Duration = Duration::from_micros(500);

/// The times of all frames that a file shows.
#[derive(Debug, PartialEq)]
pub(super) struct Timeline {
    /// In ascending order, in ticks after the first.
    times: Vec<i64>,
    /// Ticks for which the last frame is shown.
    last_ticks: i64,
    ticks_per_second: u32,
}

impl Timeline {
    /// Reads the index of the first picture track, which must have `declared` frames. `None` if the file is no MP4, is fragmented, or has
    /// an index that isn't understood.
    pub(super) fn read(path: &Path, declared: u64) -> Option<Self> {
        if declared > MOST_FRAMES {
            return None;
        }
        let moov = read_moov(path)?;
        let is_fragmented = find(&moov, &[b"mvex"]).is_some();
        let mvhd: Mvhd = decode(&moov, &[b"mvhd"])?;
        let trak = boxes(&moov)
            .find(|(kind, trak)| *kind == FourCC::new(b"trak") && find(trak, &[b"mdia", b"minf", b"vmhd"]).is_some());
        let (_, trak) = trak.filter(|_| !is_fragmented)?;
        let mdhd: Mdhd = decode(trak, &[b"mdia", b"mdhd"])?;
        let stbl = find(trak, &[b"mdia", b"minf", b"stbl"])?;
        let samples = Samples { stts: decode(stbl, &[b"stts"])?, ctts: optional(stbl, &[b"ctts"])? };
        if samples.count() != declared {
            return None;
        }
        let scale = Scale { movie: mvhd.timescale, media: mdhd.timescale };
        let edits = optional::<Elst>(trak, &[b"edts", b"elst"])?;
        Self::new(&samples, &edits.map(|elst| elst.entries).unwrap_or_default(), scale)
    }

    fn new(samples: &Samples, edits: &[ElstEntry], scale: Scale) -> Option<Self> {
        let last_ticks = samples.stts.entries.last().map_or(0, |entry| i64::from(entry.sample_delta));
        let times = samples.times();
        let mut times = if edits.is_empty() { times } else { edited(&times, edits, scale)? };
        let first = *times.first()?;
        times.iter_mut().for_each(|time| *time -= first);
        (scale.media > 0).then_some(Self { times, last_ticks, ticks_per_second: scale.media })
    }

    /// How many frames are shown.
    pub(super) fn frames(&self) -> u64 {
        self.times.len() as u64
    }

    /// The time from the first frame to the end of the last.
    pub(super) fn duration(&self) -> Duration {
        self.to_duration(self.times.last().map_or(0, |last| last.saturating_add(self.last_ticks)))
    }

    /// The first frame that isn't shown before `media_time`.
    fn index_at(&self, media_time: Duration) -> usize {
        self.times.partition_point(|time| self.to_duration(*time) + ROUNDING < media_time)
    }

    fn to_duration(&self, ticks: i64) -> Duration {
        let seconds = ticks.max(0) as f64 / f64::from(self.ticks_per_second);
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

/// Counts the frames of a timeline that can't be read.
#[derive(Debug)]
pub(super) struct Losses {
    timeline: Timeline,
    /// The frame that should come next; `None` after a jump.
    next: Option<usize>,
    lost: u64,
    /// The first of the lost frames.
    first: Option<usize>,
}

impl Losses {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self { timeline, next: Some(0), lost: 0, first: None }
    }

    /// Notes that a frame was read. Returns how many were lost between the one before and this one.
    pub(super) fn note(&mut self, media_time: Duration) -> u64 {
        let index = self.timeline.index_at(media_time);
        let lost = self.count_to(index);
        self.next = Some(index + 1);
        lost
    }

    /// Notes that no frame is left.
    pub(super) fn note_end(&mut self) {
        let end = self.timeline.times.len();
        self.count_to(end);
        self.next = Some(end);
    }

    /// Starts again after a jump to any place.
    pub(super) fn restart(&mut self) {
        (self.next, self.lost, self.first) = (None, 0, None);
    }

    /// What is missing of the part that was read since the last jump.
    pub(super) fn shortfall(&self) -> Option<Shortfall> {
        let first = self.timeline.to_duration(*self.timeline.times.get(self.first?)?);
        Some(Shortfall { lost: self.lost, declared: self.timeline.frames(), first })
    }

    /// Counts the frames before `index` that didn't come, if they are too many to be tolerated.
    fn count_to(&mut self, index: usize) -> u64 {
        let Some(next) = self.next.filter(|next| index.saturating_sub(*next) > TOLERATED_FRAMES) else { return 0 };
        let lost = (index - next) as u64;
        self.lost += lost;
        self.first.get_or_insert(next);
        lost
    }
}

/// When the samples of a track begin and are shown, in ticks of the track.
struct Samples {
    stts: Stts,
    ctts: Option<Ctts>,
}

impl Samples {
    fn count(&self) -> u64 {
        self.stts.entries.iter().map(|entry| u64::from(entry.sample_count)).sum()
    }

    /// When they are shown, in ascending order; an edit list isn't applied yet.
    fn times(&self) -> Vec<i64> {
        let deltas =
            self.stts.entries.iter().flat_map(|entry| repeat_n(entry.sample_delta, entry.sample_count as usize));
        let offsets = self.ctts.iter().flat_map(|ctts| &ctts.entries);
        let offsets = offsets.flat_map(|entry| repeat_n(entry.sample_offset, entry.sample_count as usize));
        let mut decoded = 0_i64;
        let shown = deltas.zip(offsets.chain(repeat(0))).map(|(delta, offset)| {
            let time = decoded.saturating_add(offset);
            decoded = decoded.saturating_add(i64::from(delta));
            time
        });
        let mut times: Vec<_> = shown.collect();
        times.sort_unstable();
        times
    }
}

/// Ticks per second.
#[derive(Clone, Copy)]
struct Scale {
    movie: u32,
    media: u32,
}

/// The times of the frames that an edit list shows; `None` if it changes the speed, or shows parts more than once.
fn edited(times: &[i64], edits: &[ElstEntry], scale: Scale) -> Option<Vec<i64>> {
    let (mut shown, mut elapsed, mut used) = (Vec::new(), 0_i64, 0_usize);
    for edit in edits {
        let ticks = u128::from(edit.segment_duration) * u128::from(scale.media);
        let ticks = i64::try_from(ticks.checked_div(u128::from(scale.movie))?).ok()?;
        // An edit without a time in the media is a pause.
        if let Some(begin) = edit.media_time {
            let begin = i64::try_from(begin).ok()?;
            // A duration of zero reaches to the end.
            let end = if ticks == 0 { i64::MAX } else { begin.saturating_add(ticks) };
            let [from, to] = [begin, end].map(|limit| times.partition_point(|time| *time < limit));
            let is_usual = edit.media_rate.integer() == 1 && edit.media_rate.decimal() == 0 && from >= used;
            shown.extend(times.get(from..to).filter(|_| is_usual)?.iter().map(|time| time - begin + elapsed));
            used = to;
        }
        elapsed = elapsed.checked_add(ticks)?;
    }
    Some(shown)
}

/// The body of the box that holds the index.
fn read_moov(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    // The first box tells other containers apart before anything is skipped.
    let mut is_first = true;
    loop {
        let Header { kind, size } = Header::read_from(&mut file).ok()?;
        if is_first && !FIRST_BOXES.iter().any(|known| kind == FourCC::new(known)) {
            return None;
        }
        is_first = false;
        let place = file.stream_position().ok()?;
        let size = size.map_or(length.saturating_sub(place), |size| size as u64);
        if kind == FourCC::new(b"moov") {
            let mut body = Vec::new();
            file.take(size.min(LARGEST_INDEX)).read_to_end(&mut body).ok()?;
            return (body.len() as u64 == size).then_some(body);
        }
        file.seek(SeekFrom::Start(place.checked_add(size).filter(|next| *next < length)?)).ok()?;
    }
}

/// Boxes with which MP4 and QuickTime files begin.
const FIRST_BOXES: [&[u8; 4]; 7] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"];

/// The boxes in the body of another, as kind and body.
fn boxes(mut body: &[u8]) -> impl Iterator<Item = (FourCC, &[u8])> {
    std::iter::from_fn(move || {
        let Header { kind, size } = Header::decode(&mut body).ok()?;
        let (inner, rest) = body.split_at_checked(size.unwrap_or(body.len()))?;
        body = rest;
        Some((kind, inner))
    })
}

/// The body of the box to which these kinds lead, from one box into the next.
fn find<'a>(body: &'a [u8], kinds: &[&[u8; 4]]) -> Option<&'a [u8]> {
    kinds.iter().try_fold(body, |body, wanted| {
        boxes(body).find(|(kind, _)| *kind == FourCC::new(wanted)).map(|(_, inner)| inner)
    })
}

fn decode<T: Atom>(body: &[u8], kinds: &[&[u8; 4]]) -> Option<T> {
    T::decode_body(&mut find(body, kinds)?).ok()
}

/// A box that may be missing; the outer `None` means that it isn't understood.
fn optional<T: Atom>(body: &[u8], kinds: &[&[u8; 4]]) -> Option<Option<T>> {
    find(body, kinds).map_or(Some(None), |mut inner| T::decode_body(&mut inner).ok().map(Some))
}

#[cfg(test)]
mod tests {
    use mp4_atom::{CttsEntry, FixedPoint, SttsEntry};

    use super::*;

    const SCALE: Scale = Scale { movie: 1000, media: 25_000 };

    /// Frames 40 ms apart, of which the second and third of every three are decoded in the opposite order.
    fn samples(count: u32) -> Samples {
        let stts = Stts { entries: vec![SttsEntry { sample_count: count, sample_delta: 1000 }] };
        let offset = |index| [1000, 2000, 0][index as usize % 3];
        let entries = (0..count).map(|index| CttsEntry { sample_count: 1, sample_offset: offset(index) }).collect();
        Samples { stts, ctts: Some(Ctts { entries }) }
    }

    fn edit(millis: u64, media_time: Option<u64>) -> ElstEntry {
        ElstEntry { segment_duration: millis, media_time, media_rate: FixedPoint::new(1, 0) }
    }

    fn millis(timeline: &Timeline) -> Vec<i64> {
        timeline.times.iter().map(|ticks| ticks / 25).collect()
    }

    #[test]
    fn frames_are_in_the_order_in_which_they_are_shown() {
        let timeline = Timeline::new(&samples(6), &[], SCALE).unwrap();
        assert_eq!(millis(&timeline), [0, 40, 80, 120, 160, 200]);
        assert_eq!((timeline.frames(), timeline.duration()), (6, Duration::from_millis(240)));
    }

    #[test]
    fn an_edit_list_hides_frames_and_adds_pauses() {
        let shown = |edits: Vec<ElstEntry>| Timeline::new(&samples(9), &edits, SCALE).map(|timeline| millis(&timeline));
        // The first frame is shown at 1000 ticks.
        assert_eq!(shown(vec![edit(120, Some(4000))]), Some(vec![0, 40, 80]));
        assert_eq!(shown(vec![edit(500, None), edit(0, Some(7000))]), Some(vec![0, 40, 80]));
        assert_eq!(shown(vec![edit(80, Some(1000)), edit(100, None), edit(40, Some(5000))]), Some(vec![0, 40, 180]));
        // Parts that are shown twice, and slow motion, aren't understood.
        assert_eq!(shown(vec![edit(80, Some(4000)), edit(80, Some(1000))]), None);
        assert_eq!(shown(vec![ElstEntry { media_rate: FixedPoint::new(0, 1 << 14), ..edit(80, Some(1000)) }]), None);
        // Nothing is shown.
        assert_eq!(shown(vec![edit(80, None)]), None);
    }

    #[test]
    fn lost_frames_are_counted_where_several_are_missing_in_a_row() {
        let mut losses = Losses::new(Timeline::new(&samples(100), &[], SCALE).unwrap());
        let mut read = |range: std::ops::Range<u64>, step| {
            let lost = range.step_by(step).map(|index| losses.note(Duration::from_millis(40 * index))).sum::<u64>();
            (lost, losses.shortfall().map(|shortfall| (shortfall.lost, shortfall.first.as_millis())))
        };
        // Every fifth of the first frames, then a gap, then all.
        assert_eq!(read(0..30, 5), (0, None));
        assert_eq!(read(40..50, 1), (14, Some((14, 1040))));
        losses.note_end();
        losses.note_end();
        let first = Duration::from_millis(1040);
        assert_eq!(losses.shortfall(), Some(Shortfall { lost: 64, declared: 100, first }));
        // A jump forward loses nothing.
        losses.restart();
        assert_eq!(losses.note(Duration::from_millis(3200)), 0);
        assert_eq!(losses.shortfall(), None);
    }
}
