//! The frontal-face Haar cascade of OpenCV (Viola and Jones 2001; cascade by Rainer Lienhart).

use opencv::core::{
    FileStorage, FileStorage_FORMAT_XML, FileStorage_MEMORY, FileStorage_READ, FileStorageTrait as _,
    FileStorageTraitConst as _, Mat, MatTraitConst, Rect, Size, Vector,
};
use opencv::imgproc;
use opencv::objdetect::{CascadeClassifier, CascadeClassifierTrait as _};

use super::options::CASCADE_WINDOW;
use super::{DetectionOptions, failed};
use mien_core::detection::{DetectError, Detection, FaceDetector, nearest, one_a_face};
use mien_core::face::{FaceRect, GrayView};

/// `haarcascade_frontalface_default.xml` of the OpenCV that Mien was built with.
const CASCADE: &str = include_str!(env!("MIEN_CASCADE"));

/// Side of the searched region around a known face, in sides of its box. A face may move by 0.3 of its size from one
/// frame to the next, several times what a person does at 24 frames a second.
const REGION_SIDES: f32 = 1.6;

/// Side in pixels to which a known face is resampled before it is searched, and the smallest and largest size that it
/// may have now as a share of that.
///
/// OpenCV moves the window by two pixels if the picture is shrunk by less than 2, else by one: windows of 48 pixels
/// and more (80 × 0.6) are four times as dense as smaller ones. A range across that boundary gives the larger
/// windows more weight, and the box grows from frame to frame: at a side of 56 it became 8 % too large.
const FOLLOWED_SIDE: f32 = 80.0;
const FOLLOWED_SIZES: (f32, f32) = (0.6, 1.3);

/// Growth from one size to the next around a known face: three sizes in the range above.
///
/// Measured on four clips of talking heads, 400 frames each: mean overlap with a full scan of the same frame at full
/// resolution (growth 1.1), movement of the box from frame to frame in box sizes, time relative to the first line.
///
/// | side, sizes, growth  | overlap        | movement | time |
/// |----------------------|----------------|----------|------|
/// | 80, 0.6–1.3, 1.25    | 0.77 to 0.95   | 0.013    | 1    |
/// | 80, 0.6–1.3, 1.2     | 0.77 to 0.96   | 0.012    | 1.55 |
/// | 72, 0.67–1.4, 1.2    | 0.77 to 0.96   | 0.012    | 1.3  |
/// | 64, 0.65–1.5, 1.25   | 0.74 to 0.94   | 0.014    | 0.85 |
/// | 64, 0.75–1.33, 1.25  | 0.70 to 0.93   | 0.013    | 0.65 |
/// | 40, 0.6–1.2, 1.1     | 0.73 to 0.94   | 0.019    | 0.8  |
/// | 36, 0.65–1.35, 1.15  | 0.74 to 0.93   | 0.019    | 0.65 |
const FOLLOWED_SCALE_FACTOR: f64 = 1.25;

/// Hits that must agree on a known face. A face gives dozens in such a dense search; a false box that once passed a full
/// scan seldom gives as many and is dropped.
const FOLLOWED_MIN_NEIGHBORS: i32 = 6;

/// How a known face is followed.
const FOLLOWED: Around = Around {
    side: FOLLOWED_SIDE,
    sizes: FOLLOWED_SIZES,
    scale_factor: FOLLOWED_SCALE_FACTOR,
    min_neighbors: FOLLOWED_MIN_NEIGHBORS,
};

/// Hits from which a search is certain by itself: in a full scan and around a known face.
///
/// Measured on a quarter of a set of 5,353 pictures of parades, offices, people at webcams and places without people: of
/// 445 boxes on faces, 58 % (full scan) and 67 % (around the box) have as many; of 36 false ones, one in each case.
const CERTAIN_FULL_HITS: f32 = 10.0;
const CERTAIN_FOLLOWED_HITS: f32 = 15.0;

/// The strict search, for boxes of which a full scan isn't certain. It searches the surroundings of the box, resampled to
/// this side, in closely spaced sizes, and requires this many hits. 90 % of the faces above pass, and 11 % of the false boxes.
const STRICT: Around = Around { side: 90.0, sizes: (0.48, 1.6), scale_factor: 1.1, min_neighbors: 15 };

/// How the surroundings of a box are searched.
struct Around {
    /// Side in pixels that the box is resampled to.
    side: f32,
    /// Smallest and largest face as a share of the box.
    sizes: (f32, f32),
    /// Growth from one size to the next.
    scale_factor: f64,
    /// Hits that must agree.
    min_neighbors: i32,
}

/// How to search a part of a picture.
struct Search {
    /// Factor by which the picture is resized before the search.
    scale: f32,
    /// Smallest face in the picture's pixels.
    smallest: f32,
    /// Largest, if there is a limit.
    largest: Option<f32>,
    /// Growth from one size to the next.
    scale_factor: f64,
    /// Hits that must agree.
    min_neighbors: i32,
}

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
        let cascade = load_cascade().map_err(failed)?.ok_or(DetectError::Cascade)?;
        Ok(Self { cascade, options: *options, resized: Mat::default(), equalized: Mat::default() })
    }

    /// Searches a part of a picture.
    fn scan(&mut self, picture: &impl MatTraitConst, part: Rect, search: &Search) -> opencv::Result<Vec<Detection>> {
        let part_view = picture.roi(part)?;
        let size = Size::new(scaled(part.width, search.scale), scaled(part.height, search.scale));
        // Not INTER_AREA: that costs up to 1.3 ms more and gives the same boxes. The cascade resamples like this, too.
        imgproc::resize(&part_view, &mut self.resized, size, 0.0, 0.0, imgproc::INTER_LINEAR)?;
        let searched = if self.options.equalize {
            imgproc::equalize_hist(&self.resized, &mut self.equalized)?;
            &self.equalized
        } else {
            &self.resized
        };
        let side = |pixels: f32| (pixels * search.scale).round() as i32;
        let smallest = side(search.smallest).max(CASCADE_WINDOW);
        // OpenCV takes an empty size as no limit.
        let largest = search.largest.map_or(0, |largest| side(largest).max(smallest + 1));

        let mut boxes = Vector::<Rect>::new();
        let mut hits = Vector::<i32>::new();
        self.cascade.detect_multi_scale2(
            searched,
            &mut boxes,
            &mut hits,
            search.scale_factor,
            search.min_neighbors,
            0,
            Size::new(smallest, smallest),
            Size::new(largest, largest),
        )?;
        // The actual factors: sizes are whole pixels.
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
            .map(|(found, hits)| Detection {
                rect: to_picture(found),
                score: hits as f32,
                is_certain: false,
                landmarks: None,
            })
            .collect())
    }
}

impl HaarDetector {
    /// Searches the surroundings of a box; finds nothing for an invalid box.
    fn scan_around(
        &mut self,
        picture: &impl MatTraitConst,
        rect: FaceRect,
        around: &Around,
    ) -> opencv::Result<Vec<Detection>> {
        let side = (rect.width + rect.height) / 2.0;
        // Written so that NaN is refused too.
        if !(side >= 1.0 && side.is_finite()) {
            return Ok(Vec::new());
        }
        let (width, height) = (picture.cols() as usize, picture.rows() as usize);
        let Some(region) = enlarged(rect, REGION_SIDES).clipped(width, height) else { return Ok(Vec::new()) };
        let search = Search {
            scale: around.side / side,
            smallest: side * around.sizes.0,
            largest: Some(side * around.sizes.1),
            scale_factor: around.scale_factor,
            min_neighbors: around.min_neighbors,
        };
        self.scan(picture, whole_pixels(region, picture), &search)
    }

    /// Whether the strict search finds a face where a full scan has found one.
    fn is_confirmed(&mut self, picture: &impl MatTraitConst, found: &Detection) -> opencv::Result<bool> {
        let strict = self.scan_around(picture, found.rect, &STRICT)?;
        Ok(nearest(&strict, found.rect).is_some())
    }
}

impl FaceDetector for HaarDetector {
    fn detect(&mut self, picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
        let mat = as_mat(picture).map_err(failed)?;
        let height = picture.height() as f32;
        let search = Search {
            scale: (self.options.scan_height() as f32 / height).min(1.0),
            smallest: height * self.options.smallest_face(),
            largest: None,
            scale_factor: self.options.scale_factor,
            min_neighbors: i32::try_from(self.options.min_neighbors).unwrap_or(i32::MAX),
        };
        let whole = Rect::new(0, 0, mat.cols(), mat.rows());
        let mut faces = one_a_face(self.scan(&mat, whole, &search).map_err(failed)?);
        for face in &mut faces {
            face.is_certain = face.score >= CERTAIN_FULL_HITS || self.is_confirmed(&mat, face).map_err(failed)?;
        }
        Ok(faces)
    }

    fn refresh(&mut self, picture: GrayView<'_>, expected: &[FaceRect]) -> Result<Vec<Option<Detection>>, DetectError> {
        let mat = as_mat(picture).map_err(failed)?;
        let mut near = |place: &FaceRect| -> opencv::Result<Option<Detection>> {
            let found = self.scan_around(&mat, *place, &FOLLOWED)?;
            Ok(nearest(&found, *place)
                .map(|face| Detection { is_certain: face.score >= CERTAIN_FOLLOWED_HITS, ..face }))
        };
        expected.iter().map(&mut near).collect::<opencv::Result<_>>().map_err(failed)
    }
}

/// The cascade that is part of the program, or `None` if it is damaged.
fn load_cascade() -> opencv::Result<Option<CascadeClassifier>> {
    let mut cascade = CascadeClassifier::default()?;
    let flags = FileStorage_READ | FileStorage_MEMORY | FileStorage_FORMAT_XML;
    let mut storage = FileStorage::new(CASCADE, flags, "")?;
    let loaded = cascade.read(&storage.get_first_top_level_node()?)?;
    storage.release()?;
    Ok(loaded.then_some(cascade))
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

/// The pixels that a box covers, wholly or partly. The box must lie inside the picture.
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
