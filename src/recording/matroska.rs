//! Writes Matroska files of JPEG pictures that can be read wherever they end.
//!
//! FFmpeg's writer, behind OpenCV's `VideoWriter`, holds back seconds of video, doesn't report a full disk, and its MJPEG
//! takes three times the processor time for half the quality. This one passes each picture to the system in one write, and
//! returns every failure as an error. Elements and their ids follow RFC 9559. Sizes that aren't known while the file grows
//! are left open, as in a live stream, and filled in at the end.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Times are counted in milliseconds.
const TICK_NANOS: u64 = 1_000_000;

/// Length of a cluster, to which players jump. One second, so that little has to be decoded after a jump.
const CLUSTER_MILLIS: u64 = 1000;

/// An unknown size, as wide as the known one that replaces it.
const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// Number of the only track, as encoded in blocks.
const TRACK: u8 = 0x81;

/// Flag of a block that can be decoded by itself.
const KEY_FRAME: u8 = 0x80;

mod id {
    pub const EBML: u32 = 0x1A45_DFA3;
    pub const EBML_VERSION: u32 = 0x4286;
    pub const EBML_READ_VERSION: u32 = 0x42F7;
    pub const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
    pub const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
    pub const DOC_TYPE: u32 = 0x4282;
    pub const DOC_TYPE_VERSION: u32 = 0x4287;
    pub const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub const VOID: u32 = 0xEC;
    pub const SEGMENT: u32 = 0x1853_8067;
    pub const SEEK_HEAD: u32 = 0x114D_9B74;
    pub const SEEK: u32 = 0x4DBB;
    pub const SEEK_ID: u32 = 0x53AB;
    pub const SEEK_POSITION: u32 = 0x53AC;
    pub const INFO: u32 = 0x1549_A966;
    pub const TIMESTAMP_SCALE: u32 = 0x002A_D7B1;
    pub const DURATION: u32 = 0x4489;
    pub const MUXING_APP: u32 = 0x4D80;
    pub const WRITING_APP: u32 = 0x5741;
    pub const TRACKS: u32 = 0x1654_AE6B;
    pub const TRACK_ENTRY: u32 = 0xAE;
    pub const TRACK_NUMBER: u32 = 0xD7;
    pub const TRACK_UID: u32 = 0x73C5;
    pub const TRACK_TYPE: u32 = 0x83;
    pub const FLAG_LACING: u32 = 0x9C;
    pub const DEFAULT_DURATION: u32 = 0x0023_E383;
    pub const CODEC_ID: u32 = 0x86;
    pub const VIDEO: u32 = 0xE0;
    pub const PIXEL_WIDTH: u32 = 0xB0;
    pub const PIXEL_HEIGHT: u32 = 0xBA;
    pub const CLUSTER: u32 = 0x1F43_B675;
    pub const TIMESTAMP: u32 = 0xE7;
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    pub const CUES: u32 = 0x1C53_BB6B;
    pub const CUE_POINT: u32 = 0xBB;
    pub const CUE_TIME: u32 = 0xB3;
    pub const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub const CUE_TRACK: u32 = 0xF7;
    pub const CUE_CLUSTER_POSITION: u32 = 0xF1;
}

/// A video of JPEG pictures at a constant rate, being written.
pub(super) struct MotionJpeg {
    file: File,
    fps: f64,
    frames: u64,
    /// Where the next byte goes. What lies after it is part of a picture for which the disk had no room.
    end: u64,
    segment: u64,
    seek_head: u64,
    duration: u64,
    cluster: Option<Cluster>,
    cues: Vec<Cue>,
}

struct Cluster {
    begins_at_millis: u64,
    /// Position of its contents.
    contents: u64,
}

struct Cue {
    millis: u64,
    /// Relative to the contents of the segment.
    position: u64,
}

impl MotionJpeg {
    /// Creates the file and writes its header. `fps` must be above 0.
    ///
    /// # Errors
    /// When the file exists already, or the disk is full.
    pub fn create(path: &Path, width: usize, height: usize, fps: f64) -> io::Result<Self> {
        let mut head = master(
            id::EBML,
            &[
                number(id::EBML_VERSION, 1),
                number(id::EBML_READ_VERSION, 1),
                number(id::EBML_MAX_ID_LENGTH, 4),
                number(id::EBML_MAX_SIZE_LENGTH, 8),
                element(id::DOC_TYPE, b"matroska"),
                number(id::DOC_TYPE_VERSION, 4),
                number(id::DOC_TYPE_READ_VERSION, 2),
            ],
        );
        push_id(&mut head, id::SEGMENT);
        head.extend(UNKNOWN_SIZE);
        let segment = head.len() as u64;

        let seek_head = head.len() as u64;
        head.extend(void(seek_head_to(0).len()));
        let program = concat!("Mien ", env!("CARGO_PKG_VERSION")).as_bytes();
        let duration = float(id::DURATION, 0.0);
        let info = [
            number(id::TIMESTAMP_SCALE, TICK_NANOS),
            element(id::MUXING_APP, program),
            element(id::WRITING_APP, program),
            // Last, so that its position is known.
            void(duration.len()),
        ];
        head.extend(master(id::INFO, &info));
        let duration = head.len() as u64 - duration.len() as u64;
        let video =
            master(id::VIDEO, &[number(id::PIXEL_WIDTH, width as u64), number(id::PIXEL_HEIGHT, height as u64)]);
        let track = [
            number(id::TRACK_NUMBER, 1),
            number(id::TRACK_UID, 1),
            number(id::TRACK_TYPE, 1),
            number(id::FLAG_LACING, 0),
            number(id::DEFAULT_DURATION, (1e9 / fps).round() as u64),
            element(id::CODEC_ID, b"V_MJPEG"),
            video,
        ];
        head.extend(master(id::TRACKS, &[master(id::TRACK_ENTRY, &track)]));

        let mut file = File::create_new(path)?;
        file.write_all(&head)?;
        let end = head.len() as u64;
        Ok(Self { file, fps, frames: 0, end, segment, seek_head, duration, cluster: None, cues: Vec::new() })
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// When the disk is full; the earlier pictures stay whole.
    pub fn push(&mut self, jpeg: &[u8]) -> io::Result<()> {
        let millis = self.millis(self.frames);
        let mut bytes = Vec::with_capacity(jpeg.len() + 64);
        let cluster = match &self.cluster {
            Some(cluster) if millis < cluster.begins_at_millis + CLUSTER_MILLIS => None,
            _ => {
                self.close_cluster()?;
                push_id(&mut bytes, id::CLUSTER);
                bytes.extend(UNKNOWN_SIZE);
                let contents = self.end + bytes.len() as u64;
                bytes.extend(number(id::TIMESTAMP, millis));
                Some(Cluster { begins_at_millis: millis, contents })
            }
        };
        let begins_at_millis = cluster.as_ref().or(self.cluster.as_ref()).map_or(0, |it| it.begins_at_millis);
        // Less than a second, so it always fits.
        let offset = i16::try_from(millis - begins_at_millis).unwrap_or(i16::MAX);
        push_id(&mut bytes, id::SIMPLE_BLOCK);
        bytes.extend(size(jpeg.len() + 4));
        bytes.push(TRACK);
        bytes.extend(offset.to_be_bytes());
        bytes.push(KEY_FRAME);
        bytes.extend(jpeg);
        self.append(&bytes)?;
        if let Some(cluster) = cluster {
            let position = self.end - bytes.len() as u64 - self.segment;
            self.cues.push(Cue { millis, position });
            self.cluster = Some(cluster);
        }
        self.frames += 1;
        Ok(())
    }

    /// Pictures in the file.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Fills in what is known only at the end: the length, and where to jump to. Nothing can be added after that.
    ///
    /// # Errors
    /// When the disk is full. The pictures can still be read.
    pub fn complete(&mut self) -> io::Result<()> {
        // Remove part of a picture that didn't fit.
        self.file.set_len(self.end)?;
        self.close_cluster()?;
        let duration = float(id::DURATION, self.frames as f64 / self.fps * 1e3);
        self.overwrite(self.duration, &duration)?;
        let points = self.cues.iter().map(|cue| {
            let position = [number(id::CUE_TRACK, 1), number(id::CUE_CLUSTER_POSITION, cue.position)];
            master(id::CUE_POINT, &[number(id::CUE_TIME, cue.millis), master(id::CUE_TRACK_POSITIONS, &position)])
        });
        let cues = master(id::CUES, &points.collect::<Vec<_>>());
        let at = self.end;
        self.append(&cues)?;
        self.overwrite(self.seek_head, &seek_head_to(at - self.segment))?;
        let length = self.end - self.segment;
        self.overwrite(self.segment - UNKNOWN_SIZE.len() as u64, &long_size(length))
    }

    /// Waits until everything is on the disk, which takes long on a slow one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn millis(&self, frame: u64) -> u64 {
        (frame as f64 / self.fps * 1e3).round() as u64
    }

    fn close_cluster(&mut self) -> io::Result<()> {
        let Some(cluster) = self.cluster.take() else { return Ok(()) };
        let length = self.end - cluster.contents;
        self.overwrite(cluster.contents - UNKNOWN_SIZE.len() as u64, &long_size(length))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)
    }
}

fn push_id(bytes: &mut Vec<u8>, id: u32) {
    let leading = (id.leading_zeros() / 8) as usize;
    bytes.extend(&id.to_be_bytes()[leading..]);
}

/// A size in the fewest bytes: seven bits per byte, after a bit whose position gives the number of bytes.
fn size(length: usize) -> Vec<u8> {
    let length = length as u64;
    let width = (1..8).find(|width| length < (1 << (7 * width)) - 1).unwrap_or(8);
    (length | 1 << (7 * width)).to_be_bytes()[8 - width..].to_vec()
}

/// A size in eight bytes.
fn long_size(length: u64) -> [u8; 8] {
    (length | 1 << 56).to_be_bytes()
}

fn element(id: u32, contents: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(contents.len() + 12);
    push_id(&mut bytes, id);
    bytes.extend(size(contents.len()));
    bytes.extend(contents);
    bytes
}

fn number(id: u32, value: u64) -> Vec<u8> {
    let leading = (value.leading_zeros() / 8).min(7) as usize;
    element(id, &value.to_be_bytes()[leading..])
}

fn float(id: u32, value: f64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

fn master(id: u32, children: &[Vec<u8>]) -> Vec<u8> {
    element(id, &children.concat())
}

/// An element of `bytes` bytes in total that readers skip.
fn void(bytes: usize) -> Vec<u8> {
    element(id::VOID, &vec![0; bytes.saturating_sub(2)])
}

/// Points to the cues. Its size doesn't depend on their position.
fn seek_head_to(position: u64) -> Vec<u8> {
    let entry = [element(id::SEEK_ID, &id::CUES.to_be_bytes()), element(id::SEEK_POSITION, &position.to_be_bytes())];
    master(id::SEEK_HEAD, &[master(id::SEEK, &entry)])
}
