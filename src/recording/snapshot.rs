//! A picture of what is shown.

use std::io;
use std::path::{Path, PathBuf};

use jiff::ZonedDateTime;
use opencv::core::{Mat, MatTraitConst as _, Vector};
use opencv::imgcodecs;

use crate::classes::Classes;
use crate::export::annotate;
use crate::face::Face;
use crate::whole::{self, Existing};

/// Why a picture can't be saved.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The folder can't be created or written to.
    #[error("the picture can't be written to {}: {reason}; choose another folder in the settings", folder.display())]
    Write {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// OpenCV can't draw or encode.
    #[error("the picture can't be drawn or encoded: {0}")]
    OpenCv(#[from] opencv::Error),
}

/// Two pictures of the same frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// As the camera gave it.
    pub clean: PathBuf,
    /// With the boxes and names.
    pub annotated: PathBuf,
}

/// Writes `picture` (8-bit BGR) as PNG, clean and with its faces, to new files in `folder`, which is created if necessary.
/// The files are named by the current time, followed by `name`.
///
/// # Errors
/// When the folder can't be written to, or the picture can't be drawn on.
pub fn save(
    folder: &Path,
    name: &str,
    picture: &Mat,
    faces: &[Face],
    classes: &Classes,
) -> Result<Snapshot, SnapshotError> {
    let mut drawn = picture.try_clone()?;
    annotate(&mut drawn, faces, classes)?;
    let failed = |reason| SnapshotError::Write { folder: folder.to_owned(), reason };
    std::fs::create_dir_all(folder).map_err(failed)?;
    // Milliseconds give two pictures within a second different names.
    let now = ZonedDateTime::now().strftime("%Y-%m-%d %H-%M-%S.%3f").to_string();
    let stem = super::folder::tidy(&format!("{now} {name}"));
    let clean = write(folder, &format!("{stem}.png"), picture, failed)?;
    let annotated = write(folder, &format!("{stem} faces.png"), &drawn, failed)?;
    Ok(Snapshot { clean, annotated })
}

fn write(
    folder: &Path,
    name: &str,
    picture: &Mat,
    failed: impl Fn(io::Error) -> SnapshotError,
) -> Result<PathBuf, SnapshotError> {
    let mut png = Vector::new();
    imgcodecs::imencode_def(".png", picture, &mut png)?;
    let path = folder.join(name);
    // As a whole or not at all, and never over another picture.
    whole::write(&path, png.as_slice(), Existing::Keep).map_err(failed)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use opencv::core::MatTraitConstManual as _;

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::scene;

    #[test]
    fn the_clean_picture_is_the_frame_and_the_other_has_the_faces() {
        let home = tempfile::tempdir().unwrap();
        let scene = scene(0, Emotion::Happy);
        let folder = home.path().join("new");
        let Snapshot { clean, annotated } =
            save(&folder, "Desk: cam", &scene.frame.image, &scene.faces, &scene.classes).unwrap();
        let read = |path: &Path| imgcodecs::imread_def(path.to_str().unwrap()).unwrap();
        assert_eq!(read(&clean).data_bytes().unwrap(), scene.frame.image.data_bytes().unwrap());
        assert_eq!(read(&annotated).size().unwrap(), scene.frame.image.size().unwrap());
        assert_ne!(read(&annotated).data_bytes().unwrap(), scene.frame.image.data_bytes().unwrap());
        assert!(clean.to_str().unwrap().ends_with("Desk- cam.png"), "{}", clean.display());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let scene = scene(0, Emotion::Happy);
        let error = save(&file, "x", &scene.frame.image, &scene.faces, &scene.classes).unwrap_err().to_string();
        assert!(error.contains("file") && error.contains("another folder"), "{error}");
    }
}
