//! Lists the cameras, and finds out why one can't be opened.

use std::path::PathBuf;

use super::{CameraDevice, SourceError};

/// An available camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraEntry {
    /// Its number: [`CameraDevice::Index`].
    pub index: u32,
    /// Its device file; empty on systems without such files.
    pub path: PathBuf,
    /// Links to its device file that still name it after its number has changed, the most stable first: on Linux `/dev/v4l/by-id/…`, by
    /// how the camera identifies itself, and `/dev/v4l/by-path/…`, by where it is plugged in. Empty if there are none.
    pub links: Vec<PathBuf>,
    /// Its maker's name for it.
    pub name: String,
}

impl CameraEntry {
    /// How to open and remember it: by a link if it has one, else by its device file, else by its number.
    pub fn device(&self) -> CameraDevice {
        let path = self.links.first().unwrap_or(&self.path);
        if path.as_os_str().is_empty() { CameraDevice::Index(self.index) } else { CameraDevice::Path(path.clone()) }
    }

    /// How to open and remember it if the user asked for `asked`: by that, if it is one of its links, else as [`Self::device`] says. With
    /// two identical cameras, another of its links may name the other camera when both are plugged in.
    pub fn device_by(&self, asked: CameraDevice) -> CameraDevice {
        let is_link = matches!(&asked, CameraDevice::Path(path) if self.links.contains(path));
        if is_link { asked } else { self.device() }
    }

    /// Whether `device` means this camera, by number, device file or link.
    pub fn is(&self, device: &CameraDevice) -> bool {
        match device {
            CameraDevice::Index(index) => *index == self.index,
            CameraDevice::Path(path) => *path == self.path || self.links.contains(path),
            CameraDevice::Network(_) => false,
        }
    }
}

#[cfg(target_os = "linux")]
use self::linux as local;
#[cfg(target_os = "linux")]
pub(super) use self::linux::device_path;
#[cfg(not(target_os = "linux"))]
use self::portable as local;

pub use self::local::list_cameras;
pub(super) use self::local::why_not_opened;

/// The name to show for a camera.
pub(super) fn camera_name(device: &CameraDevice) -> String {
    match device {
        // Its address may end like a device file of this machine.
        CameraDevice::Network(camera) => camera.to_string(),
        device => local::camera_name(device),
    }
}

/// Why a camera opens but sends no picture.
pub(super) fn why_silent(device: &CameraDevice, name: String) -> SourceError {
    match device {
        CameraDevice::Network(_) => SourceError::NetworkCamera(name),
        device => local::why_silent(device, name),
    }
}

/// "0 (Integrated Webcam), 2 (HD Pro)": for an error message.
fn summary(cameras: &[CameraEntry]) -> String {
    let entries: Vec<_> = cameras.iter().map(|camera| format!("{} ({})", camera.index, camera.name)).collect();
    entries.join(", ")
}

/// The error for a camera that isn't there.
fn not_there(device: &CameraDevice) -> SourceError {
    let cameras = list_cameras();
    if cameras.is_empty() {
        SourceError::NoCamera
    } else {
        SourceError::NoSuchCamera { asked: device.to_string(), found: summary(&cameras) }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::FileTypeExt as _;
    use std::path::{Path, PathBuf};

    use super::{CameraDevice, CameraEntry, SourceError, not_there};
    use crate::source::links::{add_links, followed};

    const SYSFS: &str = "/sys/class/video4linux";
    const DEVICES: &str = "/dev";

    /// Error numbers of Linux that `io::ErrorKind` has no stable name for.
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;

    /// The cameras of this machine, sorted by number. Nodes that carry no picture, such as the second one of each USB camera,
    /// are left out.
    pub fn list_cameras() -> Vec<CameraEntry> {
        list_in(Path::new(SYSFS), Path::new(DEVICES))
    }

    /// `sysfs` has names and kinds, `devices` what can be opened; a container may have one without the other.
    fn list_in(sysfs: &Path, devices: &Path) -> Vec<CameraEntry> {
        // A folder that can't be read is the same as no cameras.
        let mut cameras: Vec<_> = fs::read_dir(devices)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let index = node_index(&entry.path())?;
                let about = sysfs.join(format!("video{index}"));
                // Index 0 is a device's first node, the one with the picture. Without sysfs, any node may be one.
                let is_capture = fs::read_to_string(about.join("index")).map_or(true, |text| text.trim() == "0");
                let name = read_name(&about).unwrap_or_else(|| format!("Camera {index}"));
                is_capture.then_some(CameraEntry { index, path: entry.path(), links: Vec::new(), name })
            })
            .collect();
        cameras.sort_by_key(|camera| camera.index);
        add_links(&mut cameras, devices);
        cameras
    }

    /// N of `/dev/videoN`.
    fn node_index(path: &Path) -> Option<u32> {
        path.file_name()?.to_str()?.strip_prefix("video")?.parse().ok()
    }

    fn read_name(about: &Path) -> Option<String> {
        let name = fs::read_to_string(about.join("name")).ok()?;
        let name = name.trim();
        // UVC drivers write "Integrated Webcam: Integrated Webcam".
        let name =
            name.split_once(": ").filter(|(first, second)| first.starts_with(second)).map_or(name, |(first, _)| first);
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// The device file of a camera.
    pub fn device_path(device: &CameraDevice) -> PathBuf {
        match device {
            CameraDevice::Index(index) => Path::new(DEVICES).join(format!("video{index}")),
            CameraDevice::Path(path) => path.clone(),
            // Network cameras have no device file and never get here.
            CameraDevice::Network(camera) => PathBuf::from(camera.to_string()),
        }
    }

    /// The device file of a camera, with links such as `/dev/v4l/by-id/…` resolved.
    fn real_path(device: &CameraDevice) -> PathBuf {
        followed(&device_path(device))
    }

    /// The name to show for a camera: its maker's, else its device file.
    pub fn camera_name(device: &CameraDevice) -> String {
        let path = real_path(device);
        node_index(&path)
            .and_then(|index| read_name(&Path::new(SYSFS).join(format!("video{index}"))))
            .unwrap_or_else(|| path.display().to_string())
    }

    /// Asks the system why a camera can't be opened, which OpenCV doesn't say.
    pub fn why_not_opened(device: &CameraDevice) -> SourceError {
        let path = real_path(device);
        let shown = path.display().to_string();
        match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) => match (error.kind(), error.raw_os_error()) {
                (io::ErrorKind::NotFound, _) | (_, Some(ENXIO | ENODEV)) => not_there(device),
                (io::ErrorKind::PermissionDenied, _) => SourceError::CameraDenied(shown),
                (io::ErrorKind::ResourceBusy, _) => SourceError::CameraBusy { device: shown, by: holder(&path) },
                _ => SourceError::NotCamera(shown),
            },
            Ok(file) => {
                let is_device = file.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device());
                let is_listed = list_cameras().iter().any(|camera| camera.path == path);
                if !is_device || !is_listed {
                    return SourceError::NotCamera(shown);
                }
                match holder(&path) {
                    None if !is_taken(&file) => SourceError::CameraNotOpened(shown),
                    by => SourceError::CameraBusy { device: shown, by },
                }
            }
        }
    }

    /// Whether the driver refuses pictures because a process already gets them. Also detects processes of other users, unlike [`holder`].
    fn is_taken(camera: &File) -> bool {
        /// `VIDIOC_REQBUFS` of videodev2.h.
        const REQUEST_BUFFERS: libc::c_ulong = 0xC014_5608;
        // A `v4l2_requestbuffers`: no buffers (0), of type video capture (1), in mapped memory (1), and 8 bytes for answers.
        let mut none: [u32; 5] = [0, 1, 1, 0, 0];
        // SAFETY: the driver reads and writes the 20 bytes whose length is encoded in the request's number.
        let refused = unsafe { libc::ioctl(camera.as_raw_fd(), REQUEST_BUFFERS as _, none.as_mut_ptr()) } < 0;
        refused && io::Error::last_os_error().kind() == io::ErrorKind::ResourceBusy
    }

    /// Why a camera opens but sends nothing: drivers give the pictures to one program only.
    pub fn why_silent(device: &CameraDevice, name: String) -> SourceError {
        let path = real_path(device);
        match holder(&path) {
            Some(by) => SourceError::CameraBusy { device: path.display().to_string(), by: Some(by) },
            None => SourceError::CameraSilent(name),
        }
    }

    /// The name of another process that has the device open, as far as this user may see.
    fn holder(path: &Path) -> Option<String> {
        let own = std::process::id().to_string();
        fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
            let id = process.file_name();
            if !id.to_str()?.bytes().all(|byte| byte.is_ascii_digit()) || id.to_str()? == own {
                return None;
            }
            let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
            files.find(|file| fs::read_link(file.path()).is_ok_and(|target| target == path))?;
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            Some(format!("{} (process {})", name.trim(), id.to_str()?))
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn machine(nodes: &[(&str, Option<(&str, &str)>)]) -> (tempfile::TempDir, Vec<CameraEntry>) {
            let root = tempfile::tempdir().unwrap();
            let (sysfs, devices) = (root.path().join("sys"), root.path().join("dev"));
            fs::create_dir_all(&devices).unwrap();
            for (node, about) in nodes {
                fs::write(devices.join(node), []).unwrap();
                if let Some((index, name)) = about {
                    fs::create_dir_all(sysfs.join(node)).unwrap();
                    fs::write(sysfs.join(node).join("index"), format!("{index}\n")).unwrap();
                    fs::write(sysfs.join(node).join("name"), format!("{name}\n")).unwrap();
                }
            }
            let cameras = list_in(&sysfs, &devices);
            (root, cameras)
        }

        #[test]
        fn nodes_without_a_picture_are_left_out_and_the_rest_is_in_order() {
            let (_root, cameras) = machine(&[
                ("video10", Some(("0", "HD Pro"))),
                ("video2", Some(("0", "Integrated Webcam: Integrated Webcam"))),
                ("video3", Some(("1", "Integrated Webcam: Integrated Webcam"))),
                ("audio0", None),
            ]);
            let found: Vec<_> = cameras.iter().map(|camera| (camera.index, camera.name.as_str())).collect();
            assert_eq!(found, [(2, "Integrated Webcam"), (10, "HD Pro")]);
        }

        #[test]
        fn a_node_that_the_system_has_no_word_about_is_listed_by_its_number() {
            let (_root, cameras) = machine(&[("video7", None)]);
            assert_eq!(cameras.len(), 1);
            assert_eq!(cameras[0].name, "Camera 7");
        }

        #[test]
        fn no_device_folder_is_no_camera() {
            assert!(list_in(Path::new("/nonexistent/sys"), Path::new("/nonexistent/dev")).is_empty());
        }

        #[test]
        fn an_ordinary_file_is_not_a_camera() {
            let file = tempfile::NamedTempFile::new().unwrap();
            let error = why_not_opened(&CameraDevice::Path(file.path().to_owned()));
            assert!(matches!(error, SourceError::NotCamera(_)), "{error}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::path::PathBuf;

    use opencv::videoio::{self, VideoCapture, VideoCaptureTraitConst as _};

    use super::{CameraDevice, CameraEntry, SourceError, not_there};

    /// Numbers to try. Each try opens a camera for a moment, and a camera's light that comes on alarms people.
    const TRIED: std::ops::Range<u32> = 0..4;

    /// The cameras that open, sorted by number: OpenCV can't list them on this system.
    pub fn list_cameras() -> Vec<CameraEntry> {
        TRIED
            .filter(|index| {
                VideoCapture::new(*index as i32, videoio::CAP_ANY)
                    .and_then(|capture| capture.is_opened())
                    .unwrap_or(false)
            })
            .map(|index| CameraEntry {
                index,
                path: PathBuf::new(),
                links: Vec::new(),
                name: format!("Camera {index}"),
            })
            .collect()
    }

    /// The name to show for a camera.
    pub fn camera_name(device: &CameraDevice) -> String {
        format!("Camera {device}")
    }

    /// Why a camera can't be opened, as far as can be told: OpenCV doesn't say.
    pub fn why_not_opened(device: &CameraDevice) -> SourceError {
        match not_there(device) {
            SourceError::NoCamera => SourceError::NoCamera,
            _ => SourceError::CameraNotOpened(device.to_string()),
        }
    }

    /// The error for a camera that sends nothing. Which program uses it is unknown on this system.
    pub fn why_silent(_device: &CameraDevice, name: String) -> SourceError {
        SourceError::CameraSilent(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_in_the_network_is_called_by_its_address_and_not_taken_for_one_of_this_machine() {
        let camera: CameraDevice = "http://admin:hunter2@cam.example/video0".parse().unwrap();
        let name = camera_name(&camera);
        assert_eq!(name, "http://cam.example/video0");
        let silent = why_silent(&camera, name);
        assert!(matches!(&silent, SourceError::NetworkCamera(name) if name == "http://cam.example/video0"), "{silent}");
    }
}
