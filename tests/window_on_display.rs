//! The real program in a real window, on a virtual display: what a user would see is looked at pixel by pixel.

#![cfg(all(feature = "gui", target_os = "linux"))]

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use opencv::core::{CV_8UC3, Mat, MatTrait as _, MatTraitConst as _, Rect, Scalar, Size};
use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};

/// The size in which the window first opens: it fills the display.
const WIDTH: usize = 1200;
const HEIGHT: usize = 800;

/// Left and right half of the video, as red, green, blue.
const LEFT: [u8; 3] = [200, 60, 40];
const RIGHT: [u8; 3] = [30, 90, 190];

/// How far a colour may be off after the codec and the graphics card's scaling.
const TOLERANCE: u8 = 24;

/// A machine that builds something else meanwhile may need long for the first picture; usually it is there at once.
const PATIENCE: Duration = Duration::from_secs(120);

/// A virtual display that ends with the test.
struct Display {
    server: Child,
    name: String,
    framebuffer: PathBuf,
}

impl Display {
    /// `None` without Xvfb.
    fn start(folder: &Path) -> Option<Self> {
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{WIDTH}x{HEIGHT}x24"), "-fbdir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut server = match server {
            Ok(server) => server,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("Xvfb can't be started: {error}"),
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let name = format!(":{}", number.trim());
        Some(Self { server, name, framebuffer: folder.join("Xvfb_screen0") })
    }

    /// What is on the display now.
    fn look(&self) -> Screen {
        Screen::from_xwd(&std::fs::read(&self.framebuffer).unwrap())
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The pixels of the display.
struct Screen {
    bytes: Vec<u8>,
    bytes_per_line: usize,
}

impl Screen {
    /// Reads X's window dump: a header of 32-bit numbers in big endian, a table of colours, then blue, green, red and
    /// a byte of padding for each pixel.
    fn from_xwd(dump: &[u8]) -> Self {
        let number = |index: usize| u32::from_be_bytes(dump[index * 4..][..4].try_into().unwrap()) as usize;
        let (header_size, bits_per_pixel, bytes_per_line, colours) = (number(0), number(11), number(12), number(19));
        assert_eq!((number(4), number(5), bits_per_pixel), (WIDTH, HEIGHT, 32));
        Self { bytes: dump[header_size + colours * 12..].to_vec(), bytes_per_line }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let pixel = &self.bytes[y * self.bytes_per_line + x * 4..];
        [pixel[2], pixel[1], pixel[0]]
    }

    /// Columns and rows with a colour, as (left, right, top, bottom).
    fn extent_of(&self, color: [u8; 3]) -> Option<(usize, usize, usize, usize)> {
        let close = |pixel: [u8; 3]| pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= TOLERANCE);
        let all = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        all.filter(|(x, y)| close(self.at(*x, *y))).fold(None, |extent, (x, y)| {
            let (left, right, top, bottom) = extent.unwrap_or((x, x, y, y));
            Some((left.min(x), right.max(x), top.min(y), bottom.max(y)))
        })
    }

    /// Share of pixels in a strip that differ clearly from its most frequent colour: its letters.
    fn inked(&self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> f64 {
        let pixels: Vec<_> =
            rows.flat_map(|y| columns.clone().map(move |x| (x, y))).map(|(x, y)| self.at(x, y)).collect();
        let mut counts = std::collections::HashMap::new();
        for pixel in &pixels {
            *counts.entry(*pixel).or_insert(0) += 1;
        }
        let background = *counts.iter().max_by_key(|(_, count)| **count).unwrap().0;
        let differs = |pixel: &&[u8; 3]| pixel.iter().zip(background).any(|(a, b)| a.abs_diff(b) > 60);
        pixels.iter().filter(differs).count() as f64 / pixels.len() as f64
    }
}

/// A video of two seconds, its left half red and its right half blue.
fn write_video(path: &Path) {
    let size = Size::new(320, 240);
    let fourcc = VideoWriter::fourcc('M', 'J', 'P', 'G').unwrap();
    let mut writer = VideoWriter::new(path.to_str().unwrap(), fourcc, 25.0, size, true).unwrap();
    assert!(writer.is_opened().unwrap());
    let scalar = |[r, g, b]: [u8; 3]| Scalar::new(b.into(), g.into(), r.into(), 0.0);
    let mut picture = Mat::new_rows_cols_with_default(size.height, size.width, CV_8UC3, scalar(LEFT)).unwrap();
    let right = Rect::new(size.width / 2, 0, size.width / 2, size.height);
    picture.roi_mut(right).unwrap().set_scalar(scalar(RIGHT)).unwrap();
    assert_eq!(picture.size().unwrap(), size);
    for _ in 0..50 {
        writer.write(&picture).unwrap();
    }
    writer.release().unwrap();
}

#[test]
fn a_video_plays_in_a_real_window_with_bars_and_words_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(display) = Display::start(folder.path()) else {
        eprintln!("skipped: there is no Xvfb on this machine; `make test` installs it");
        return;
    };
    let video = folder.path().join("halves.avi");
    write_video(&video);
    let mut program = Program(
        Command::new(env!("CARGO_BIN_EXE_mien"))
            .args(["replay", "--loop", "--no-mirror"])
            .arg(&video)
            .env("DISPLAY", &display.name)
            .env_remove("WAYLAND_DISPLAY")
            // Settings of the user who runs the test are left alone, and don't change what it sees.
            .env("XDG_DATA_HOME", folder.path())
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .spawn()
            .unwrap(),
    );

    let started = Instant::now();
    let (screen, left, right) = loop {
        assert_eq!(program.0.try_wait().unwrap(), None, "the window closed by itself");
        assert!(started.elapsed() < PATIENCE, "the video did not appear");
        let screen = display.look();
        if let (Some(left), Some(right)) = (screen.extent_of(LEFT), screen.extent_of(RIGHT)) {
            break (screen, left, right);
        }
        std::thread::sleep(Duration::from_millis(100));
    };

    // Side by side, equally large, 4:3 together, and large enough to be the main thing in the window.
    assert!(left.1 < right.0 + 3, "left half {left:?}, right half {right:?}");
    let (width, height) = (right.1 - left.0, left.3 - left.2);
    let shape = width as f64 / height as f64;
    assert!((shape - 4.0 / 3.0).abs() < 0.05, "the picture has lost its shape: {width}×{height}");
    assert!(height > 250, "the picture is only {width}×{height}");

    // The bar above and the line below hold words: some ink, and far from all of it.
    for (place, rows) in [("top bar", 8..34), ("status bar", HEIGHT - 28..HEIGHT - 6)] {
        let ink = screen.inked(rows, 8..500);
        assert!((0.01..0.5).contains(&ink), "{place}: {ink:.3} of it is inked");
    }
}
