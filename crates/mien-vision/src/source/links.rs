//! The links that udev maintains on Linux, which still name a camera after its number has changed.

use std::fs;
use std::path::{Path, PathBuf};

use super::CameraEntry;

/// Folders below that of the devices. Links in the first are named by maker, model and serial number, if there is one; those in the
/// second by the port.
const BY_ID: &str = "v4l/by-id";
const BY_PATH: &str = "v4l/by-path";

/// A link and its target.
struct Link {
    path: PathBuf,
    file: PathBuf,
}

/// Adds to each camera the links to its node in the folder `devices`, the most stable first.
pub(super) fn add_links(cameras: &mut [CameraEntry], devices: &Path) {
    let [by_id, by_path] = [BY_ID, BY_PATH].map(|folder| links_in(&devices.join(folder)));
    // Every USB camera identifies itself. One without a link by its identity has the same identity as another camera, and it is chance
    // which of them has the link: only their ports distinguish them.
    let is_usb = |link: &PathBuf| link.to_string_lossy().contains("-usb");
    let has_lost = |camera: &CameraEntry| to(camera, &by_id).is_empty() && to(camera, &by_path).iter().any(is_usb);
    let are_alike = cameras.iter().any(has_lost);
    for camera in cameras {
        let (ids, paths) = (to(camera, &by_id), to(camera, &by_path));
        camera.links = if are_alike { [paths, ids].concat() } else { [ids, paths].concat() };
    }
}

/// The target of a path; the path itself if it can't be resolved.
pub(super) fn followed(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The links in a folder, sorted by name; none if there is no folder.
fn links_in(folder: &Path) -> Vec<Link> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| {
        let path = entry.path();
        Some(Link { file: fs::canonicalize(&path).ok()?, path })
    });
    let mut links: Vec<_> = links.collect();
    links.sort_by(|a, b| a.path.cmp(&b.path));
    links
}

/// The links that lead to a camera.
fn to(camera: &CameraEntry, links: &[Link]) -> Vec<PathBuf> {
    let node = followed(&camera.path);
    links.iter().filter(|link| link.file == node).map(|link| link.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::source::CameraDevice;

    /// A folder of devices with cameras of these numbers, and links: each a folder, a name and the number of a node.
    fn machine(cameras: &[u32], links: &[(&str, &str, u32)]) -> (tempfile::TempDir, Vec<CameraEntry>) {
        let devices = tempfile::tempdir().unwrap();
        let node = |index: u32| format!("video{index}");
        for (folder, name, index) in links {
            let folder = devices.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            symlink(Path::new("../..").join(node(*index)), folder.join(name)).unwrap();
        }
        let camera = |index: u32| {
            let path = devices.path().join(node(index));
            fs::write(&path, []).unwrap();
            CameraEntry { index, path, links: Vec::new(), name: format!("Camera {index}") }
        };
        let mut cameras: Vec<_> = cameras.iter().map(|index| camera(*index)).collect();
        add_links(&mut cameras, devices.path());
        (devices, cameras)
    }

    /// The names of each camera's links, without their folders.
    fn names(cameras: &[CameraEntry]) -> Vec<Vec<&str>> {
        let mut names = Vec::new();
        for camera in cameras {
            names.push(camera.links.iter().map(|link| link.file_name().unwrap().to_str().unwrap()).collect());
        }
        names
    }

    #[test]
    fn a_camera_is_opened_by_its_steadiest_link_and_meant_by_all_of_them() {
        let (id, port) = ("usb-Maker_Webcam_0001-video-index0", "pci-0000:00:14.0-usb-0:5:1.0-video-index0");
        let (devices, cameras) = machine(
            &[0, 2, 4],
            &[
                (BY_ID, id, 0),
                (BY_ID, "usb-Maker_Webcam_0001-video-index1", 1),
                (BY_ID, "usb-Maker_Gone-video-index0", 8),
                (BY_PATH, port, 0),
                (BY_PATH, "pci-0000:03:00.0-video-index0", 2),
            ],
        );
        assert_eq!(names(&cameras), [vec![id, port], vec!["pci-0000:03:00.0-video-index0"], vec![]]);
        let path = |path: &str| CameraDevice::Path(devices.path().join(path));
        let (by_id, by_path) = (path(&format!("{BY_ID}/{id}")), path(&format!("{BY_PATH}/{port}")));
        assert_eq!(cameras[0].device(), by_id);
        assert_eq!(cameras[2].device(), path("video4"));
        for device in [by_id, by_path, path("video0"), CameraDevice::Index(0)] {
            let meant: Vec<u32> = cameras.iter().filter(|camera| camera.is(&device)).map(|it| it.index).collect();
            assert_eq!(meant, [0], "{device}");
        }
    }

    #[test]
    fn cameras_that_call_themselves_the_same_are_told_apart_by_their_ports() {
        let id = "usb-HD_Pro-video-index0";
        let ports = ["pci-0000:00:14.0-usb-0:1:1.0-video-index0", "pci-0000:00:14.0-usb-0:2:1.0-video-index0"];
        let (_devices, cameras) = machine(&[0, 2], &[(BY_ID, id, 2), (BY_PATH, ports[0], 0), (BY_PATH, ports[1], 2)]);
        assert_eq!(names(&cameras), [vec![ports[0]], vec![ports[1], id]]);
    }

    #[test]
    fn without_a_folder_of_links_a_camera_is_opened_by_its_device_file() {
        let (devices, cameras) = machine(&[3], &[]);
        assert_eq!(cameras[0].device(), CameraDevice::Path(devices.path().join("video3")));
    }
}
