//! The real program in a real window, on a virtual display: the tests look at the pixels that a user would see.

#![cfg(all(feature = "gui", target_os = "linux"))]

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use opencv::core::{CV_8UC3, Mat, MatTrait as _, MatTraitConst as _, Rect, Scalar, Size};
use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};

use crate::support::emulated_cameras::{Bus, Mode};

/// The size in which the window first opens: it fills the display.
const WIDTH: usize = 1200;
const HEIGHT: usize = 800;

/// Left and right half of the video, as red, green, blue.
const LEFT: [u8; 3] = [200, 60, 40];
const RIGHT: [u8; 3] = [30, 90, 190];

/// How far a colour may be off after the codec and the graphics card's scaling.
const TOLERANCE: u8 = 24;

/// Timeout. The first picture usually appears at once, but may take long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A virtual display that ends with the test.
struct Display {
    server: Child,
    name: String,
    framebuffer: PathBuf,
}

impl Display {
    /// Starts Xvfb; `None` if it isn't installed.
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

/// The outermost columns and rows of something on the screen.
#[derive(Clone, Copy, Debug)]
struct Extent {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
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

    /// The extent of a colour, if it is on the screen.
    fn extent_of(&self, color: [u8; 3]) -> Option<Extent> {
        let close = |pixel: [u8; 3]| pixel.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= TOLERANCE);
        let all = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        all.filter(|(x, y)| close(self.at(*x, *y))).fold(None, |extent, (x, y)| {
            let Extent { left, right, top, bottom } = extent.unwrap_or(Extent { left: x, right: x, top: y, bottom: y });
            Some(Extent { left: left.min(x), right: right.max(x), top: top.min(y), bottom: bottom.max(y) })
        })
    }

    /// Share of the pixels in a strip that differ clearly from its most frequent colour: its text.
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

/// A picture, its left half red and its right half blue.
fn halves_of(width: i32, height: i32) -> Mat {
    let size = Size::new(width, height);
    let scalar = |[r, g, b]: [u8; 3]| Scalar::new(b.into(), g.into(), r.into(), 0.0);
    let mut picture = Mat::new_rows_cols_with_default(size.height, size.width, CV_8UC3, scalar(LEFT)).unwrap();
    let right = Rect::new(size.width / 2, 0, size.width / 2, size.height);
    picture.roi_mut(right).unwrap().set_scalar(scalar(RIGHT)).unwrap();
    picture
}

/// A video of two seconds that shows [`halves_of`].
fn write_video(path: &Path) {
    let picture = halves_of(320, 240);
    let fourcc = VideoWriter::fourcc('M', 'J', 'P', 'G').unwrap();
    let mut writer = VideoWriter::new(path.to_str().unwrap(), fourcc, 25.0, picture.size().unwrap(), true).unwrap();
    assert!(writer.is_opened().unwrap());
    for _ in 0..50 {
        writer.write(&picture).unwrap();
    }
    writer.release().unwrap();
}

/// A display in a folder, or `None` with a message.
fn display_in(folder: &Path) -> Option<Display> {
    let display = Display::start(folder);
    if display.is_none() {
        eprintln!("skipped: there is no Xvfb on this machine; `make test` installs it");
    }
    display
}

/// Starts the program on a display. The settings of the user who runs the test are left alone.
fn start(mut command: Command, display: &Display, folder: &Path) -> Program {
    let command = command
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .env("XDG_DATA_HOME", folder)
        .env("LIBGL_ALWAYS_SOFTWARE", "1");
    Program(command.spawn().unwrap())
}

/// Looks at the display until `seen` finds something.
fn until<T>(program: &mut Program, display: &Display, what: &str, seen: impl Fn(&Screen) -> Option<T>) -> (Screen, T) {
    let started = Instant::now();
    loop {
        assert_eq!(program.0.try_wait().unwrap(), None, "the window closed by itself");
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        let screen = display.look();
        if let Some(seen) = seen(&screen) {
            return (screen, seen);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn both_halves(screen: &Screen) -> Option<(Extent, Extent)> {
    Some((screen.extent_of(LEFT)?, screen.extent_of(RIGHT)?))
}

#[test]
fn a_video_plays_in_a_real_window_with_bars_and_words_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(display) = display_in(folder.path()) else { return };
    let video = folder.path().join("halves.avi");
    write_video(&video);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mien"));
    command.args(["replay", "--loop"]).arg(&video);
    let mut program = start(command, &display, folder.path());
    let (screen, (left, right)) = until(&mut program, &display, "the video appears", both_halves);

    // Side by side, equally large, 4:3 together, and large enough to be the main thing in the window.
    assert!(left.right < right.left + 3, "left half {left:?}, right half {right:?}");
    let (width, height) = (right.right - left.left, left.bottom - left.top);
    let shape = width as f64 / height as f64;
    assert!((shape - 4.0 / 3.0).abs() < 0.05, "the picture has lost its shape: {width}×{height}");
    assert!(height > 250, "the picture is only {width}×{height}");

    // The bars at the top and bottom contain text: some of their pixels are ink, but far from all.
    for (place, rows) in [("top bar", 8..34), ("status bar", HEIGHT - 28..HEIGHT - 6)] {
        let ink = screen.inked(rows, 8..500);
        assert!((0.01..0.5).contains(&ink), "{place}: {ink:.3} of it is inked");
    }
}

#[test]
fn a_camera_is_shown_as_a_mirror_and_leaves_no_frozen_picture_when_it_is_pulled_out() {
    let folder = tempfile::tempdir().unwrap();
    let Some(display) = display_in(folder.path()) else { return };
    let bus = Bus::new();
    bus.plug(0, "Integrated Webcam", &[Mode::jpeg(640, 480, 30, &[halves_of(640, 480)])]);
    let command = bus.command(env!("CARGO_BIN_EXE_mien"));
    let mut program = start(command, &display, folder.path());
    let (_, (left, right)) = until(&mut program, &display, "the camera's picture appears", both_halves);
    assert!(right.right < left.left + 3, "not mirrored: left half {left:?}, right half {right:?}");

    bus.unplug(0);
    let gone = |screen: &Screen| (screen.extent_of(LEFT).is_none() && screen.extent_of(RIGHT).is_none()).then_some(());
    until(&mut program, &display, "the picture of the lost camera is gone", gone);
    bus.plug_in_again(0);
    until(&mut program, &display, "the camera is found again", both_halves);
}

/// Presses keys in the window; `None` without xdotool.
fn press(display: &Display, keys: &[&str]) -> Option<()> {
    let tool = |arguments: &[&str]| Command::new("xdotool").env("DISPLAY", &display.name).args(arguments).output();
    let found = match tool(&["search", "--name", "^Mien$"]) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        found => String::from_utf8(found.unwrap().stdout).unwrap(),
    };
    // There is no window manager that would set the focus.
    let window = found.lines().last().unwrap();
    assert!(tool(&["windowfocus", window]).unwrap().status.success());
    assert!(tool(&[&["key", "--delay", "200"], keys].concat()).unwrap().status.success());
    Some(())
}

fn rows(table: &Path) -> usize {
    std::fs::read_to_string(table).map_or(0, |text| text.lines().count().saturating_sub(1))
}

/// A window with a recording of a camera that was started by key.
struct Recorded {
    program: Program,
    display: Display,
    _bus: Bus,
    recordings: PathBuf,
}

impl Recorded {
    /// Starts a recording and waits for some frames; `None`, with a message, if a tool isn't installed.
    fn begin(folder: &Path) -> Option<Self> {
        let display = display_in(folder)?;
        let bus = Bus::new();
        bus.plug(0, "Integrated Webcam", &[Mode::jpeg(640, 480, 30, &[halves_of(640, 480)])]);
        let mut command = bus.command(env!("CARGO_BIN_EXE_mien"));
        // A user without desktop folders: recordings go below the home folder.
        command.env("HOME", folder).env_remove("XDG_CONFIG_HOME");
        let program = start(command, &display, folder);
        let mut new = Self { program, display, _bus: bus, recordings: folder.join("Mien") };
        until(&mut new.program, &new.display, "the camera's picture appears", both_halves);
        if press(&new.display, &["r"]).is_none() {
            eprintln!("skipped: there is no xdotool on this machine; `make test` installs it");
            return None;
        }
        new.until("some frames are recorded", |recording| (recording.frames() > 10).then_some(()));
        Some(new)
    }

    /// Waits until `seen` finds something in the recording.
    fn until<T>(&mut self, what: &str, seen: impl Fn(&Recording) -> Option<T>) -> T {
        let recordings = &self.recordings;
        let (_, seen) = until(&mut self.program, &self.display, what, |_| seen(&Recording::only_one_in(recordings)?));
        seen
    }
}

/// The folder of a recording.
struct Recording(PathBuf);

impl Recording {
    fn only_one_in(folder: &Path) -> Option<Self> {
        std::fs::read_dir(folder).ok()?.next().map(|entry| Self(entry.unwrap().path()))
    }

    fn frames(&self) -> usize {
        rows(&self.0.join("frames.csv"))
    }

    /// The contents of `session.json`, once they say that the recording has ended.
    fn ended(&self) -> Option<serde_json::Value> {
        let text = std::fs::read(self.0.join("session.json")).ok()?;
        serde_json::from_slice(&text).ok().filter(|metadata: &serde_json::Value| metadata["ended"].is_string())
    }
}

#[test]
fn a_camera_is_recorded_by_keys_with_a_mark_and_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut recorded) = Recorded::begin(folder.path()) else { return };
    press(&recorded.display, &["3", "s", "k", "o", "h", "Return"]);
    recorded.until("marks and pictures are there", |recording| {
        let pictures = std::fs::read_dir(recording.0.join("snapshots")).ok()?.count();
        (rows(&recording.0.join("marks.csv")) == 2 && pictures == 2).then_some(())
    });
    press(&recorded.display, &["r"]);
    let metadata = recorded.until("the recording is complete", Recording::ended);
    let recording = Recording::only_one_in(&recorded.recordings).unwrap();
    assert_eq!(metadata["counts"]["frames"], recording.frames());
    assert_eq!((&metadata["width"], &metadata["device"]), (&640.into(), &"Integrated Webcam".into()));
    let marks = std::fs::read_to_string(recording.0.join("marks.csv")).unwrap();
    assert!(marks.contains(",3\n") && marks.contains(",oh\n"), "{marks}");
    // The window still runs.
    until(&mut recorded.program, &recorded.display, "the camera's picture is still there", both_halves);
}

#[test]
fn ctrl_c_closes_the_window_ends_the_recording_in_order_and_keeps_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut recorded) = Recorded::begin(folder.path()) else { return };
    press(&recorded.display, &["m"]);
    let unmirrored = |screen: &Screen| both_halves(screen).filter(|(left, right)| left.right < right.left + 3);
    until(&mut recorded.program, &recorded.display, "the picture isn't mirrored any more", unmirrored);
    let id = recorded.program.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(recorded.program.0.wait().unwrap().code(), Some(130));
    let recording = Recording::only_one_in(&recorded.recordings).unwrap();
    assert_eq!(recording.ended().unwrap()["counts"]["frames"], recording.frames());
    let settings = std::fs::read_to_string(folder.path().join("mien/settings.json")).unwrap();
    assert!(settings.contains("\"mirror_cameras\": false"), "{settings}");
}
