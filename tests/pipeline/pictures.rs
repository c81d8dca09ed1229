//! Still pictures as a source of one frame.

use std::fs;
use std::path::Path;
use std::time::Duration;

use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use mien::pixels::PixelLimit;
use mien::source::{FrameSource as _, ImageSource, SourceError, SourceKind};
use opencv::core::{CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC3, Mat, MatTraitConst as _, Scalar, Vec3b, Vector};
use opencv::imgcodecs;

fn write(path: &Path, kind: i32, value: Scalar) {
    let picture = Mat::new_rows_cols_with_default(20, 30, kind, value).unwrap();
    assert!(imgcodecs::imwrite(path, &picture, &Vector::new()).unwrap());
}

#[test]
fn a_picture_is_a_source_of_one_frame_that_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Grüße.png");
    write(&path, CV_8UC1, Scalar::all(77.0));
    let mut source = ImageSource::open(&path, PixelLimit::default()).unwrap();
    assert_eq!((source.info().name.as_str(), source.info().width, source.info().height), ("Grüße.png", 30, 20));
    assert_eq!(source.info().kind, SourceKind::File { duration: None, frames: Some(1) });
    for _ in 0..2 {
        let frame = source.read().unwrap().unwrap();
        assert_eq!((frame.index, frame.media_time, frame.width(), frame.height()), (0, Duration::ZERO, 30, 20));
        assert!(source.read().unwrap().is_none());
        source.seek(Duration::ZERO).unwrap();
    }
}

#[test]
fn whatever_a_picture_is_made_of_the_frame_is_8_bit_bgr() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [("gray.png", CV_8UC1, 77.0), ("transparent.png", CV_8UC4, 77.0), ("deep.png", CV_16UC3, 77.0 * 257.0)];
    for (name, kind, level) in kinds {
        let path = folder.path().join(name);
        write(&path, kind, Scalar::all(level));
        let frame = ImageSource::open(&path, PixelLimit::default()).unwrap().read().unwrap().unwrap();
        assert_eq!(*frame.image.at_2d::<Vec3b>(10, 10).unwrap(), Vec3b::from_array([77; 3]), "{name}");
    }
}

#[test]
fn a_webp_is_turned_upright_by_its_exif_orientation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("phone.webp");
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut bytes);
    // To be turned clockwise.
    encoder.set_exif_metadata(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec()).unwrap();
    encoder.write_image(&[77; 30 * 20 * 3], 30, 20, ExtendedColorType::Rgb8).unwrap();
    fs::write(&path, bytes).unwrap();
    let source = ImageSource::open(&path, PixelLimit::default()).unwrap();
    assert_eq!((source.info().width, source.info().height), (20, 30));
}

#[test]
fn what_is_no_picture_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    assert!(matches!(ImageSource::open(&path, PixelLimit::default()), Err(SourceError::Missing(_))));
    assert!(matches!(ImageSource::open(folder.path(), PixelLimit::default()), Err(SourceError::Folder(_))));
    fs::write(&path, b"").unwrap();
    assert!(matches!(ImageSource::open(&path, PixelLimit::default()), Err(SourceError::Empty(_))));
    fs::write(&path, b"no picture").unwrap();
    assert!(matches!(ImageSource::open(&path, PixelLimit::default()), Err(SourceError::NotPicture(_))));
    write(&path, CV_8UC1, Scalar::all(1.0));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 4]).unwrap();
    assert!(matches!(ImageSource::open(&path, PixelLimit::default()), Err(SourceError::NotPicture(_))));
}

#[test]
fn a_jpeg_that_was_cut_off_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    write(&path, CV_8UC3, Scalar::all(77.0));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 2]).unwrap();
    assert!(matches!(ImageSource::open(&path, PixelLimit::default()), Err(SourceError::CutPicture(_))));
}

#[test]
fn a_picture_of_too_many_pixels_is_refused_by_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.png");
    write(&path, CV_8UC1, Scalar::all(0.0));
    // Bytes 16 to 23 of a PNG are width and height. Only decoders check their checksum.
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
    fs::write(&path, bytes).unwrap();
    let error = ImageSource::open(&path, PixelLimit::default()).unwrap_err();
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("32767×32767 pixels"), "{error}");
}
