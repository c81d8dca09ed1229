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
use super::stamps::middle;

/// Largest index that is read, in bytes. That of ten hours takes about 20 MB.
const LARGEST_INDEX: u64 = 128 << 20;

/// Most frames that are compared: 77 hours at 30 frames a second, in 64 MB.
const MOST_FRAMES: u64 = 1 << 23;

/// As many frames at the beginning aren't missed. In an excerpt that was made without re-encoding, the first ones may refer to frames
/// before them, which aren't there.
const TOLERATED_AT_BEGINNING: usize = 16;

/// Shorter gaps aren't counted: some files have two entries for each frame, one for each field.
const SHORTEST_GAP: usize = 2;

/// Several short gaps are damage if they add up to more than this share of all frames.
const TOLERATED_SHARE: f64 = 0.01;

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
        if declared > MOST_FRAMES { None } else { Self::parse(&read_moov(path)?, declared) }
    }

    fn parse(moov: &[u8], declared: u64) -> Option<Self> {
        let is_fragmented = find(moov, &[b"mvex"]).is_some();
        let mvhd: Mvhd = decode(find(moov, &[b"mvhd"])?)?;
        let trak = boxes(moov)
            .find(|(kind, trak)| *kind == FourCC::new(b"trak") && find(trak, &[b"mdia", b"minf", b"vmhd"]).is_some());
        let (_, trak) = trak.filter(|_| !is_fragmented)?;
        let mdhd: Mdhd = decode(find(trak, &[b"mdia", b"mdhd"])?)?;
        let stbl = find(trak, &[b"mdia", b"minf", b"stbl"])?;
        // Each entry of these tables has eight bytes and should be for at least one frame.
        let is_plausible = |table: &&[u8]| table.len() as u64 <= 8 + 8 * declared;
        let stts: Stts = decode(find(stbl, &[b"stts"]).filter(is_plausible)?)?;
        let count: u64 = stts.entries.iter().map(|entry| u64::from(entry.sample_count)).sum();
        // FFmpeg takes larger steps for negative ones and corrects them.
        let has_plausible_steps = stts.entries.iter().all(|entry| i32::try_from(entry.sample_delta).is_ok());
        if count != declared || !has_plausible_steps {
            return None;
        }
        let ctts = match find(stbl, &[b"ctts"]) {
            Some(table) => Some(decode::<Ctts>(Some(table).filter(is_plausible)?)?),
            None => None,
        };
        let edits = match find(trak, &[b"edts", b"elst"]) {
            Some(list) => decode::<Elst>(list)?.entries,
            None => Vec::new(),
        };
        let scale = Scale { movie: mvhd.timescale, media: mdhd.timescale };
        let times = shown(stored(&stts, ctts.as_ref()), &edits, scale)?;
        let last_ticks = stts.entries.last().map_or(0, |entry| i64::from(entry.sample_delta));
        Some(Self { times, last_ticks, ticks_per_second: mdhd.timescale })
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

    /// As [`super::FrameSource::time_before`].
    fn time_before(&self, media_time: Duration, frames: u32) -> Option<Duration> {
        let time = |place: usize| self.times.get(place).map(|ticks| self.to_duration(*ticks));
        let begun = media_time.saturating_add(ROUNDING);
        let shown = self.times.partition_point(|ticks| self.to_duration(*ticks) <= begun).saturating_sub(1);
        let place = shown.saturating_sub(frames as usize);
        Some(middle(time(place)?, time(place + 1)))
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
    /// The first frame of the part that is compared.
    begin: usize,
    /// The frame that should come next; `None` after a jump.
    next: Option<usize>,
    /// Number of frames that were read of this part.
    read: usize,
    /// Number of frames in gaps.
    lost: usize,
    longest_gap: usize,
    /// The first of the lost frames.
    first: Option<usize>,
}

impl Losses {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self { timeline, begin: 0, next: Some(0), read: 0, lost: 0, longest_gap: 0, first: None }
    }

    /// As [`super::FrameSource::time_before`], by the index of the file.
    pub(super) fn time_before(&self, media_time: Duration, frames: u32) -> Option<Duration> {
        self.timeline.time_before(media_time, frames)
    }

    /// When the frame that should come next is shown, if each entry of the index is a frame.
    pub(super) fn next_time(&self) -> Option<Duration> {
        let next = self.next.filter(|next| *next == self.begin + self.read)?;
        self.timeline.times.get(next).map(|ticks| self.timeline.to_duration(*ticks))
    }

    /// How many frames should come from frame number `index` on.
    pub(super) fn frames_from(&self, index: u64) -> u64 {
        self.timeline.frames().saturating_sub(index)
    }

    /// Notes that a frame was read. Returns how many were lost between the one before and this one.
    pub(super) fn note(&mut self, media_time: Duration) -> u64 {
        let index = self.timeline.index_at(media_time);
        // Frames with nearly the same time come one after another.
        let index = self.next.map_or(index, |next| index.max(next));
        let is_beginning = self.read == 0 && index <= TOLERATED_AT_BEGINNING;
        let gap = match self.next {
            Some(next) if !is_beginning => self.count_gap(next, index),
            _ => {
                self.begin = index;
                0
            }
        };
        self.read += 1;
        self.next = Some(index + 1);
        gap as u64
    }

    /// Notes that no frame is left.
    pub(super) fn note_end(&mut self) {
        let end = self.timeline.times.len();
        if let Some(next) = self.next.replace(end) {
            self.count_gap(next, end);
        }
    }

    /// Starts again after a jump to any place.
    pub(super) fn restart(&mut self) {
        (self.next, self.read, self.lost, self.longest_gap, self.first) = (None, 0, 0, 0, None);
    }

    /// What is missing of the part that was read since the last jump.
    pub(super) fn shortfall(&self) -> Option<Shortfall> {
        let (first, next, all) = (self.first?, self.next?, self.timeline.times.len());
        // If the times don't fit the index, frames may seem lost that came.
        let missing = next.min(all).saturating_sub(self.begin + self.read);
        let lost = self.lost.min(missing);
        let is_damage = self.longest_gap > TOLERATED_FRAMES || lost as f64 > all as f64 * TOLERATED_SHARE;
        let first = self.timeline.to_duration(*self.timeline.times.get(first)?);
        let shortfall = Shortfall { lost: lost as u64, declared: all as u64, first };
        (lost > TOLERATED_FRAMES && is_damage).then_some(shortfall)
    }

    /// Counts the frames from `next` to before `index`, which didn't come.
    fn count_gap(&mut self, next: usize, index: usize) -> usize {
        let gap = index.saturating_sub(next);
        if gap < SHORTEST_GAP {
            return 0;
        }
        self.lost += gap;
        self.longest_gap = self.longest_gap.max(gap);
        self.first.get_or_insert(next);
        gap
    }
}

/// When the stored frames are shown before an edit list is applied, in ascending order, in ticks.
fn stored(stts: &Stts, ctts: Option<&Ctts>) -> Vec<i64> {
    let deltas = stts.entries.iter().flat_map(|entry| repeat_n(entry.sample_delta, entry.sample_count as usize));
    // Version 0 of the table should have no negative offsets, but QuickTime and others write some, and mp4-atom reads them as large ones.
    let offset = |offset: i64| i64::from(offset as i32);
    let offsets = ctts.into_iter().flat_map(|ctts| &ctts.entries);
    let offsets = offsets.flat_map(|entry| repeat_n(offset(entry.sample_offset), entry.sample_count as usize));
    let mut decoded = 0_i64;
    let shown = deltas.zip(offsets.chain(repeat(0))).map(|(delta, offset)| {
        let time = decoded + offset;
        decoded += i64::from(delta);
        time
    });
    let mut times: Vec<_> = shown.collect();
    times.sort_unstable();
    times
}

/// Ticks per second.
#[derive(Clone, Copy)]
struct Scale {
    movie: u32,
    media: u32,
}

/// The frames that an edit list shows, in ticks after the first. `None` if there is none, or the list has several parts or changes the
/// speed, as only editing programs write.
fn shown(mut times: Vec<i64>, edits: &[ElstEntry], scale: Scale) -> Option<Vec<i64>> {
    // An edit without a time in the media is a pause.
    let mut parts = edits.iter().filter_map(|edit| Some((edit.media_time?, edit)));
    match (parts.next(), parts.next()) {
        (None, _) if edits.is_empty() => {}
        (Some((begin, edit)), None) if edit.media_rate.integer() == 1 && edit.media_rate.decimal() == 0 => {
            let begin = i64::try_from(begin).ok()?;
            let ticks = u128::from(edit.segment_duration) * u128::from(scale.media);
            // A duration of zero reaches to the end.
            let end = match i64::try_from(ticks.checked_div(u128::from(scale.movie))?).ok()? {
                0 => i64::MAX,
                ticks => begin.checked_add(ticks)?,
            };
            times.retain(|time| (begin..end).contains(time));
        }
        _ => return None,
    }
    let first = *times.first()?;
    times.iter_mut().for_each(|time| *time -= first);
    (scale.media > 0).then_some(times)
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

fn decode<T: Atom>(mut body: &[u8]) -> Option<T> {
    T::decode_body(&mut body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A box with this body.
    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(8 + body.len()).unwrap();
        [&size.to_be_bytes()[..], kind, body].concat()
    }

    /// A table of version 0 with these entries.
    fn table(kind: &[u8; 4], entries: &[[u32; 2]]) -> Vec<u8> {
        let count = u32::try_from(entries.len()).unwrap();
        let words = [0, count].into_iter().chain(entries.iter().flatten().copied());
        boxed(kind, &words.flat_map(u32::to_be_bytes).collect::<Vec<_>>())
    }

    /// An edit list of version 0: duration in milliseconds, time in the media in ticks or -1, rate in 1/65536.
    fn edits(entries: &[(u32, i32, u32)]) -> Vec<u8> {
        let words = entries.iter().flat_map(|(millis, time, rate)| [*millis, *time as u32, *rate]);
        let words = [0, u32::try_from(entries.len()).unwrap()].into_iter().chain(words);
        boxed(b"edts", &boxed(b"elst", &words.flat_map(u32::to_be_bytes).collect::<Vec<_>>()))
    }

    const NORMAL: u32 = 1 << 16;

    /// The index of a film at 25 frames a second, with 25000 ticks in a second.
    fn moov(stts: &[[u32; 2]], ctts: &[[u32; 2]], edits: &[u8]) -> Vec<u8> {
        let header = |kind, timescale: u32, rest: usize| {
            boxed(kind, &[&[0; 12][..], &timescale.to_be_bytes(), &vec![0; rest]].concat())
        };
        let ctts = if ctts.is_empty() { Vec::new() } else { table(b"ctts", ctts) };
        let stbl = boxed(b"stbl", &[table(b"stts", stts), ctts].concat());
        let minf = boxed(b"minf", &[boxed(b"vmhd", &[0; 12]), stbl].concat());
        let mdia = boxed(b"mdia", &[header(b"mdhd", 25_000, 8), minf].concat());
        let sound = boxed(b"trak", &boxed(b"mdia", &boxed(b"minf", &boxed(b"smhd", &[0; 8]))));
        [header(b"mvhd", 1000, 84), sound, boxed(b"trak", &[edits, &mdia].concat())].concat()
    }

    /// Frames 40 ms apart, of which the second and third of every three are decoded in the opposite order.
    fn film(frames: u32, edits: &[u8]) -> Option<Timeline> {
        let offsets: Vec<_> = (0..frames).map(|index| [1, [1000, 2000, 0][index as usize % 3]]).collect();
        Timeline::parse(&moov(&[[frames, 1000]], &offsets, edits), u64::from(frames))
    }

    fn millis(timeline: Option<Timeline>) -> Option<Vec<i64>> {
        timeline.map(|timeline| timeline.times.iter().map(|ticks| ticks / 25).collect())
    }

    #[test]
    fn frames_are_in_the_order_in_which_they_are_shown() {
        let timeline = film(6, &[]).unwrap();
        assert_eq!((timeline.frames(), timeline.duration()), (6, Duration::from_millis(240)));
        assert_eq!(millis(Some(timeline)), Some(vec![0, 40, 80, 120, 160, 200]));
    }

    #[test]
    fn offsets_may_be_negative_also_in_a_table_that_should_have_none() {
        let back = (-1000_i32) as u32;
        let index = moov(&[[4, 1000]], &[[1, 0], [1, 1000], [1, back], [1, 0]], &[]);
        assert_eq!(millis(Timeline::parse(&index, 4)), Some(vec![0, 40, 80, 120]));
    }

    #[test]
    fn an_edit_list_hides_frames() {
        let shown = |entries: &[(u32, i32, u32)]| millis(film(9, &edits(entries)));
        // The first frame is shown at 1000 ticks.
        assert_eq!(shown(&[(120, 4000, NORMAL)]), Some(vec![0, 40, 80]));
        assert_eq!(shown(&[(500, -1, NORMAL), (0, 7000, NORMAL)]), Some(vec![0, 40, 80]));
        // Several parts and slow motion aren't understood, and some lists show nothing.
        for other in [
            &[(80_u32, 1000, NORMAL), (80, 5000, NORMAL)][..],
            &[(80, 1000, NORMAL / 4)],
            &[(80, -1, NORMAL)],
            &[(80, 90_000, NORMAL)],
            &[(u32::MAX, i32::MAX, NORMAL)],
        ] {
            assert_eq!(shown(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_index_that_contradicts_itself_is_not_used() {
        let index = moov(&[[4, 1000]], &[], &[]);
        assert_eq!(millis(Timeline::parse(&index, 4)), Some(vec![0, 40, 80, 120]));
        assert_eq!(Timeline::parse(&index, 5), None);
        assert_eq!(Timeline::parse(&moov(&[[3, 1000], [1, u32::MAX]], &[], &[]), 4), None);
        assert_eq!(Timeline::parse(&moov(&[[1, 1000]], &[[1, 0]; 9], &[]), 1), None);
        assert_eq!(Timeline::parse(&[index.clone(), boxed(b"mvex", &[])].concat(), 4), None);
        for cut in 0..index.len() {
            assert_eq!(Timeline::parse(&index[..cut], 4), None, "{cut}");
        }
    }

    /// What is lost if only these frames of a hundred come, and the sum of the gaps that were noted before frames.
    fn losses(frames: impl Iterator<Item = u64>) -> (Option<Shortfall>, u64) {
        let mut losses = Losses::new(film(100, &[]).unwrap());
        let gaps = frames.map(|index| losses.note(Duration::from_millis(40 * index))).sum();
        losses.note_end();
        losses.note_end();
        (losses.shortfall(), gaps)
    }

    fn shortfall(lost: u64, first: u64) -> Option<Shortfall> {
        Some(Shortfall { lost, declared: 100, first: Duration::from_millis(40 * first) })
    }

    #[test]
    fn lost_frames_are_counted_and_the_others_keep_their_numbers() {
        assert_eq!(losses(0..100), (None, 0));
        assert_eq!(losses((0..26).chain(40..50)), (shortfall(64, 26), 14));
        // Every second frame, a short gap, several short gaps.
        assert_eq!(losses((0..100).step_by(2)), (None, 0));
        assert_eq!(losses((0..50).chain(53..100)), (None, 3));
        assert_eq!(losses((0..100).filter(|index| index % 10 < 7)), (shortfall(30, 7), 27));
        // The first frames of an excerpt may be undecodable.
        assert_eq!(losses(16..100), (None, 0));
        assert_eq!(losses(17..100), (shortfall(17, 0), 17));
    }

    #[test]
    fn the_frames_before_one_are_found_in_the_index_whatever_their_distances() {
        // Frames at 0, 40, 80, 2080, 2120 and 2160 ms.
        let index = moov(&[[2, 1000], [1, 50_000], [3, 1000]], &[], &[]);
        let timeline = Timeline::parse(&index, 6).unwrap();
        let before = |micros: u64, frames| timeline.time_before(Duration::from_micros(micros), frames);
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!([before(2_000_000, 1), before(2_000_000, 2)], [millis(60), millis(20)], "while the third is shown");
        assert_eq!([before(2_080_000, 1), before(2_120_000, 2)], [millis(1080); 2], "into the middle of its time");
        assert_eq!([before(2_079_800, 1), before(2_080_200, 1)], [millis(1080); 2], "rounded otherwise");
        assert_eq!([before(80_000, 9), before(0, 1)], [millis(20); 2], "there are fewer");
        assert_eq!(timeline.time_before(Duration::MAX, 0), millis(2160));
    }

    #[test]
    fn after_a_jump_nothing_is_lost_before_it() {
        let mut losses = Losses::new(film(100, &[]).unwrap());
        losses.note(Duration::ZERO);
        losses.restart();
        assert_eq!((losses.note(Duration::from_millis(3200)), losses.shortfall()), (0, None));
        assert_eq!((losses.note(Duration::from_millis(3600)), losses.shortfall()), (9, shortfall(9, 81)));
    }

    #[test]
    fn frames_that_came_are_never_lost_whatever_their_times() {
        // Ten frames at nearly the same time, then a pause; the steps are in ticks.
        let index = moov(&[[9, 1], [1, 50_000], [9, 1], [1, 50_000]], &[], &[]);
        let timeline = Timeline::parse(&index, 20).unwrap();
        let times: Vec<_> = timeline.times.iter().map(|ticks| timeline.to_duration(*ticks)).collect();
        let mut burst = Losses::new(timeline);
        assert!(times.into_iter().all(|time| burst.note(time) == 0));
        burst.note_end();
        assert_eq!(burst.shortfall(), None);
        // All come, but later than the index says.
        assert_eq!(losses((0..100).map(|index| index + 30)).0, None);
    }
}
