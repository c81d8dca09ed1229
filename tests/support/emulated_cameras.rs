//! Cameras for tests, emulated below OpenCV by `tests/v4l2_fake`: the program runs its real V4L2 code.

use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use opencv::core::{Mat, Vector};
use opencv::imgcodecs;

/// Names the folder that stands for the machine's bus; see `tests/v4l2_fake/fake.h`.
const BUS_VARIABLE: &str = "MIEN_TEST_CAMERAS";

/// A machine's cameras, none at first. They exist for the processes that [`Bus::command`] starts.
pub struct Bus {
    folder: PathBuf,
    /// Removes the folder at the end. `None` in the process that [`Bus::run_test`] starts.
    _owned: Option<tempfile::TempDir>,
}

impl Bus {
    pub fn new() -> Self {
        let owned = tempfile::tempdir().unwrap();
        Self { folder: owned.path().to_owned(), _owned: Some(owned) }
    }

    /// Runs the rest of a test in a process that has this machine's cameras: `body` is called only there.
    ///
    /// The process is this test binary again, told to run this test alone, so `body` must be a closure of the test itself.
    pub fn run_test<F: FnOnce(&Self)>(&self, body: F) {
        if let Some(folder) = env::var_os(BUS_VARIABLE) {
            return body(&Self { folder: folder.into(), _owned: None });
        }
        // "cameras::devices::a_test::{{closure}}", of which the test's name is all but the ends.
        let (_, test) = std::any::type_name::<F>().split_once("::").unwrap();
        let (test, _) = test.rsplit_once("::").unwrap();
        let mut command = self.command(env::current_exe().unwrap());
        let output = command.args([test, "--exact", "--nocapture"]).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "with emulated cameras:\n{out}\n{err}");
    }

    /// A program on the machine with these cameras.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env("LD_PRELOAD", library()).env(BUS_VARIABLE, &self.folder);
        command
    }

    fn camera(&self, index: u32) -> PathBuf {
        self.folder.join(format!("video{index}"))
    }

    fn unplugged(&self, index: u32) -> PathBuf {
        self.folder.join(format!("video{index}.unplugged"))
    }

    /// Plugs in a new camera.
    pub fn plug(&self, index: u32, name: &str, modes: &[Mode]) {
        let folder = self.folder.join("being plugged in");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        fs::write(folder.join("index"), "0\n").unwrap();
        let mut list = String::new();
        for (number, mode) in modes.iter().enumerate() {
            let frames = mode.write_frames(&folder, number);
            list += &format!("{} {} {} {} {frames}\n", mode.fourcc, mode.width, mode.height, mode.fps);
        }
        fs::write(folder.join("modes"), list).unwrap();
        fs::rename(folder, self.camera(index)).unwrap();
    }

    /// Pulls a camera out.
    pub fn unplug(&self, index: u32) {
        fs::rename(self.camera(index), self.unplugged(index)).unwrap();
    }

    /// Pulls a camera out once it has sent this many frames.
    pub fn unplug_after(&self, index: u32, frames: u32) {
        fs::write(self.camera(index).join("unplug_after"), frames.to_string()).unwrap();
    }

    pub fn is_plugged_in(&self, index: u32) -> bool {
        self.camera(index).exists()
    }

    /// Plugs a camera in again that was pulled out, this time for good.
    pub fn plug_in_again(&self, index: u32) {
        let folder = self.unplugged(index);
        fs::remove_file(folder.join("unplug_after")).ok();
        fs::rename(folder, self.camera(index)).unwrap();
    }

    /// Makes a camera open but send nothing.
    pub fn silence(&self, index: u32) {
        File::create(self.camera(index).join("silent")).unwrap();
    }

    /// Uses a camera as another program would: it is busy until the returned file is dropped.
    pub fn occupy(&self, index: u32) -> File {
        let lock = File::create(self.camera(index).join("lock")).unwrap();
        lock.try_lock().unwrap();
        lock
    }

    /// Frames that a camera sent, and those that it lost because the program left it no buffer.
    pub fn counts(&self, index: u32) -> (u64, u64) {
        let text = fs::read_to_string(self.camera(index).join("counts")).unwrap_or_default();
        let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// A mode that a camera offers.
pub struct Mode {
    fourcc: &'static str,
    width: u32,
    height: u32,
    fps: u32,
    frames: Vec<Vec<u8>>,
}

impl Mode {
    /// Uncompressed, a moving pattern without a face.
    pub fn pattern(width: u32, height: u32, fps: u32) -> Self {
        Self { fourcc: "YUYV", width, height, fps, frames: Vec::new() }
    }

    /// JPEG pictures, again and again.
    pub fn jpeg(width: u32, height: u32, fps: u32, pictures: &[Mat]) -> Self {
        let encode = |picture: &Mat| {
            let mut bytes = Vector::new();
            imgcodecs::imencode_def(".jpg", picture, &mut bytes).unwrap();
            bytes.iter().collect()
        };
        Self { fourcc: "MJPG", width, height, fps, frames: pictures.iter().map(encode).collect() }
    }

    /// Writes the frames into a camera's folder and returns their name for the list of modes.
    fn write_frames(&self, folder: &Path, number: usize) -> String {
        if self.frames.is_empty() {
            return "-".into();
        }
        let name = format!("frames{number}");
        let mut file = File::create(folder.join(&name)).unwrap();
        for frame in &self.frames {
            file.write_all(&u32::try_from(frame.len()).unwrap().to_le_bytes()).unwrap();
            file.write_all(frame).unwrap();
        }
        name
    }
}

/// The library to preload, built from its sources once in each test process that uses it.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/v4l2_fake");
        let sources = fs::read_dir(&sources).unwrap().map(|entry| entry.unwrap().path());
        let sources = sources.filter(|path| path.extension().is_some_and(|extension| extension == "c"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join("v4l2_fake.so");
        // Built under another name and moved in one step: other tests may be loading the previous library.
        let fresh = folder.join(format!("v4l2_fake-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-pthread"]);
        let status = compiler.arg("-o").arg(&fresh).args(sources).arg("-ldl").status().unwrap();
        assert!(status.success(), "cc can't build tests/v4l2_fake");
        fs::rename(fresh, &library).unwrap();
        library
    })
}
