//! The frontal-face Haar cascade of OpenCV (Viola and Jones 2001; cascade by Rainer Lienhart).

use opencv::core::{
    FileStorage, FileStorage_FORMAT_XML, FileStorage_MEMORY, FileStorage_READ, FileStorageTrait as _,
    FileStorageTraitConst as _, Mat, MatTraitConst, Rect, Size, Vector,
};
use opencv::imgproc;
use opencv::objdetect::{CascadeClassifier, CascadeClassifierTrait as _};

use super::{DetectError, Detection, DetectionOptions, FaceDetector, nearest};
use crate::preprocess::{FaceRect, GrayView};

/// `haarcascade_frontalface_default.xml` of the OpenCV that Mien was built with.
const CASCADE: &str = include_str!(env!("MIEN_CASCADE"));

/// Width and height of the window that the cascade was trained on: no face smaller than this is found.
const CASCADE_WINDOW: i32 = 24;

/// Side of the searched region around a known face, in sides of its box.
const REGION_SIDES: f32 = 1.7;

/// Side in pixels that a known face is resampled to before it is searched.
const FOLLOWED_SIDE: f32 = 56.0;

/// Smallest and largest size that a known face may have a frame later, as a share of its size.
const FOLLOWED_SIZES: (f32, f32) = (0.65, 1.5);

/// Finds upright faces that look roughly at the camera.
pub struct HaarDetector {
    cascade: CascadeClassifier,
    options: DetectionOptions,
    // Buffers that are kept from frame to frame.
    resized: Mat,
    equalized: Mat,
}

impl HaarDetector {
    /// Loads the cascade that is part of the program.
    ///
    /// # Errors
    /// When OpenCV can't read it.
    pub fn new(options: &DetectionOptions) -> Result<Self, DetectError> {
        let mut cascade = CascadeClassifier::default()?;
        let flags = FileStorage_READ | FileStorage_MEMORY | FileStorage_FORMAT_XML;
        let mut storage = FileStorage::new(CASCADE, flags, "")?;
        let loaded = cascade.read(&storage.get_first_top_level_node()?)?;
        storage.release()?;
        if !loaded {
            return Err(DetectError::Cascade);
        }
        Ok(Self { cascade, options: *options, resized: Mat::default(), equalized: Mat::default() })
    }

    /// Changes how faces are looked for, from the next picture on.
    pub fn set_options(&mut self, options: &DetectionOptions) {
        self.options = *options;
    }

    /// Searches a part of a picture, resampled by `scale`, for faces from `smallest` to `largest` of its own pixels.
    fn scan(
        &mut self,
        picture: &impl MatTraitConst,
        part: Rect,
        scale: f32,
        (smallest, largest): (f32, Option<f32>),
    ) -> Result<Vec<Detection>, DetectError> {
        let part_view = picture.roi(part)?;
        let size = Size::new(scaled(part.width, scale), scaled(part.height, scale));
        let method = if scale < 1.0 { imgproc::INTER_AREA } else { imgproc::INTER_LINEAR };
        imgproc::resize(&part_view, &mut self.resized, size, 0.0, 0.0, method)?;
        let searched = if self.options.equalize {
            imgproc::equalize_hist(&self.resized, &mut self.equalized)?;
            &self.equalized
        } else {
            &self.resized
        };
        let side = |pixels: f32| (pixels * scale).round() as i32;
        let smallest = side(smallest).max(CASCADE_WINDOW);
        // An empty size is no limit to OpenCV.
        let largest = largest.map_or(0, |largest| side(largest).max(smallest + 1));

        let mut boxes = Vector::<Rect>::new();
        let mut hits = Vector::<i32>::new();
        self.cascade.detect_multi_scale2(
            searched,
            &mut boxes,
            &mut hits,
            self.options.scale_factor,
            i32::try_from(self.options.min_neighbors).unwrap_or(i32::MAX),
            0,
            Size::new(smallest, smallest),
            Size::new(largest, largest),
        )?;
        // The factors that were really used: sizes are whole pixels.
        let (back_x, back_y) = (part.width as f32 / size.width as f32, part.height as f32 / size.height as f32);
        let to_picture = |found: Rect| FaceRect {
            x: part.x as f32 + found.x as f32 * back_x,
            y: part.y as f32 + found.y as f32 * back_y,
            width: found.width as f32 * back_x,
            height: found.height as f32 * back_y,
        };
        Ok(boxes
            .iter()
            .zip(hits.iter())
            .map(|(found, hits)| Detection { rect: to_picture(found), score: hits as f32 })
            .collect())
    }
}

impl FaceDetector for HaarDetector {
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
        let mat = as_mat(picture)?;
        let height = picture.height() as f32;
        let scale = (self.options.working_height as f32 / height).min(1.0);
        let whole = Rect::new(0, 0, mat.cols(), mat.rows());
        self.scan(&mat, whole, scale, (height * self.options.min_face, None))
    }

    fn detect_near(&mut self, picture: GrayView<'_>, expected: FaceRect) -> Result<Option<Detection>, DetectError> {
        let mat = as_mat(picture)?;
        let side = (expected.width + expected.height) / 2.0;
        let Some(region) = enlarged(expected, REGION_SIDES).clipped(picture.width(), picture.height()) else {
            return Ok(None);
        };
        let part = whole_pixels(region, &mat);
        let scale = FOLLOWED_SIDE / side;
        let sizes = (side * FOLLOWED_SIZES.0, Some(side * FOLLOWED_SIZES.1));
        Ok(nearest(self.scan(&mat, part, scale, sizes)?, expected))
    }
}

/// OpenCV's view of a picture, without a copy.
fn as_mat(picture: GrayView<'_>) -> opencv::Result<opencv::boxed_ref::BoxedRef<'_, Mat>> {
    Mat::new_rows_cols_with_data::<u8>(picture.height() as i32, picture.width() as i32, picture.pixels())
}

/// The box `factor` times as large about the same centre.
fn enlarged(rect: FaceRect, factor: f32) -> FaceRect {
    let (x, y) = rect.center();
    let (width, height) = (rect.width * factor, rect.height * factor);
    FaceRect { x: x - width / 2.0, y: y - height / 2.0, width, height }
}

/// The pixels that a box covers, also in part. The box must lie inside the picture.
fn whole_pixels(rect: FaceRect, picture: &impl MatTraitConst) -> Rect {
    let (left, top) = (rect.x.floor() as i32, rect.y.floor() as i32);
    let right = ((rect.x + rect.width).ceil() as i32).min(picture.cols());
    let bottom = ((rect.y + rect.height).ceil() as i32).min(picture.rows());
    Rect::new(left, top, right - left, bottom - top)
}

/// A length in pixels after resampling: at least one.
fn scaled(pixels: i32, scale: f32) -> i32 {
    ((pixels as f32 * scale).round() as i32).max(1)
}
