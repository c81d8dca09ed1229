//! The capture side of the journey: colour conversion, detection, tracking, cropping.

use std::time::{Duration, Instant};

use opencv::core::{Mat, MatTraitConst as _, MatTraitConstManual as _, Vec4b};
use opencv::imgproc;

use super::StageTimings;
use crate::detect::{DetectionOptions, ScheduledDetector};
use crate::frame::{Frame, RgbaPicture};
use mien_core::crop::{FaceCrop, FaceCropper, Framing};
use mien_core::detection::DetectError;
use mien_core::face::{FaceId, FaceRect, GrayView};
use mien_core::landmarks::Landmarks;
use mien_core::quality::quality;
use mien_core::track::{Appearance, CutDetector, Track, TrackOptions, Tracker};

/// A frame whose faces were found but not labelled yet.
#[derive(Debug)]
pub struct Detected {
    /// The frame itself.
    pub frame: Frame,
    /// The frame for a texture, if it was asked for.
    pub picture: Option<RgbaPicture>,
    /// The faces, in the order of their ids.
    pub faces: Vec<DetectedFace>,
    /// A crop of each face, in the order of `faces`.
    pub crops: Vec<FaceCrop>,
    /// How long the stages up to here took.
    pub timings: StageTimings,
}

/// A face that the network hasn't seen yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectedFace {
    /// The face's id.
    pub id: FaceId,
    /// Where, in the pixels of the frame.
    pub rect: FaceRect,
    /// The detector's score when it last found the face.
    pub score: f32,
    /// Eyes, nose and mouth in the pixels of the frame, if the detector found them on it.
    pub landmarks: Option<Landmarks>,
    /// How usable its picture is, from 0 to 1 (see [`mien_core::quality`]).
    pub quality: f32,
}

/// Why a frame can't be converted or searched.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// OpenCV can't convert the picture.
    #[error("a frame's colours can't be converted: {0}")]
    Convert(#[from] opencv::Error),
    /// The detector failed.
    #[error(transparent)]
    Detect(#[from] DetectError),
}

/// Smallest share of a face's box inside the picture at which the face's appearance can be measured.
const LEAST_INSIDE: f32 = 0.9;

/// Converts a frame, finds and tracks its faces and cuts them out. Owned by the capture thread.
pub struct Analyzer {
    /// `None` if the faces are known from a recording.
    search: Option<Search>,
    picture: bool,
}

/// What finds faces.
struct Search {
    detector: ScheduledDetector,
    /// Time between frames; zero while it is unknown.
    spacing: Duration,
    cuts: CutDetector,
    tracker: Tracker,
    cropper: FaceCropper,
    framing: Framing,
    gray: Mat,
}

impl Analyzer {
    /// Creates an analyzer without any faces. `picture` requests [`Detected::picture`].
    pub fn new(detector: ScheduledDetector, tracking: TrackOptions, picture: bool) -> Self {
        let (tracker, cropper) = (Tracker::new(tracking), FaceCropper::default());
        let (cuts, framing, gray) = (CutDetector::default(), Framing::default(), Mat::default());
        let search = Search { detector, spacing: Duration::ZERO, cuts, tracker, cropper, framing, gray };
        Self { search: Some(search), picture }
    }

    /// Creates an analyzer that doesn't search for faces, for frames whose faces were recorded.
    pub fn without_search(picture: bool) -> Self {
        Self { search: None, picture }
    }

    /// Prepares for a source whose frames are `spacing` apart, and which has `frames` of them if it declares their number. Both affect how
    /// faces are tracked, and the spacing how often the whole picture is searched. The tracks stay.
    pub fn prepare_for(&mut self, spacing: Duration, frames: Option<u64>) {
        if let Some(search) = &mut self.search {
            search.tracker.set_options(TrackOptions::for_source(spacing, frames));
            search.detector.set_spacing(spacing);
            search.spacing = spacing;
        }
    }

    /// Replaces the detector; the tracks stay. Has no effect on an analyzer that doesn't search for faces.
    pub fn set_detector(&mut self, mut detector: ScheduledDetector) {
        if let Some(search) = &mut self.search {
            detector.set_spacing(search.spacing);
            search.detector = detector;
        }
    }

    /// Changes how often the current detector searches the whole picture.
    pub(super) fn schedule(&mut self, options: &DetectionOptions) {
        if let Some(search) = &mut self.search {
            search.detector.schedule(options);
        }
    }

    /// Sets which crops to make from now on: those that the network needs, see [`super::Labeller::framing`].
    pub fn set_framing(&mut self, framing: Framing) {
        if let Some(search) = &mut self.search {
            search.framing = framing;
        }
    }

    /// Forgets all faces and counts them from 1 again: before a picture that is unrelated to the previous one.
    pub fn reset(&mut self) {
        if let Some(search) = &mut self.search {
            search.detector.reset();
            search.cuts.reset();
            search.tracker.reset();
        }
    }

    /// Prepares for a video that a user plays: see [`Tracker::note_places`].
    pub(super) fn expect_jumps(&mut self) {
        if let Some(search) = &mut self.search {
            search.tracker.note_places();
        }
    }

    /// Prepares for a next frame from elsewhere in the video, after a seek or when it starts again. Ids continue: see
    /// [`Tracker::jump`].
    pub(super) fn jump(&mut self) {
        if let Some(search) = &mut self.search {
            search.detector.reset();
            search.cuts.reset();
            search.tracker.jump();
        }
    }

    /// How many earlier frames with a face are needed for the face to be shown.
    pub(super) fn frames_to_confirm(&self) -> u32 {
        self.search.as_ref().map_or(0, |search| search.tracker.options().confirm_after.saturating_sub(1))
    }

    /// Takes a frame through the stages of this side. The caller fills in [`StageTimings::read`].
    ///
    /// # Errors
    /// When the picture can't be converted or the detector fails.
    pub fn analyze(&mut self, frame: Frame) -> Result<Detected, AnalyzeError> {
        let mut timings = StageTimings::default();

        let start = Instant::now();
        let picture = if self.picture { Some(to_rgba(&frame.image)?) } else { None };
        timings.convert = start.elapsed();
        let mut detected = Detected { frame, picture, faces: Vec::new(), crops: Vec::new(), timings };
        if let Some(search) = &mut self.search {
            search.run(&mut detected)?;
        }
        Ok(detected)
    }
}

impl Search {
    fn run(&mut self, detected: &mut Detected) -> Result<(), AnalyzeError> {
        let Detected { frame, faces, crops, timings, .. } = detected;
        let start = Instant::now();
        let gray = to_gray(&frame.image, &mut self.gray)?;
        timings.convert += start.elapsed();

        let Some(gray) = gray else { return Ok(()) };
        let start = Instant::now();
        if self.cuts.is_cut(gray) {
            self.tracker.cut();
            self.detector.reset();
        }
        let expected = self.tracker.expected(frame.media_time);
        let detections = self.detector.detect(gray, &expected, frame.media_time)?;
        // The thresholds for appearances were measured on box crops. Half a face at the edge resembles nobody.
        let look = |rect: FaceRect| {
            let inside = rect.clipped(gray.width(), gray.height())?;
            let is_whole = inside.area() >= LEAST_INSIDE * rect.area();
            let crop = if is_whole { self.cropper.crop(gray, rect, None, Framing::Box) } else { None };
            crop.as_ref().map(Appearance::of)
        };
        let tracks = self.tracker.update(&detections, frame.media_time, look);
        timings.detect = start.elapsed();

        let start = Instant::now();
        faces.extend(tracks.iter().map(|track| {
            let Track { id, rect, score, landmarks, .. } = *track;
            DetectedFace { id, rect, score, landmarks, quality: 0.0 }
        }));
        *crops = cut_out(gray, faces, &mut self.cropper, self.framing);
        timings.crop = start.elapsed();
        Ok(())
    }
}

impl Detected {
    /// Cuts the faces out again with another framing, for a network that was loaded after they were found.
    pub(super) fn crop_again(&mut self, framing: Framing) -> Result<(), AnalyzeError> {
        let start = Instant::now();
        let mut buffer = Mat::default();
        let Some(gray) = to_gray(&self.frame.image, &mut buffer)? else { return Ok(()) };
        self.crops = cut_out(gray, &mut self.faces, &mut FaceCropper::default(), framing);
        self.timings.crop += start.elapsed();
        Ok(())
    }
}

/// Cuts out the faces and rates them. Removes those that left the picture, which have no crop.
fn cut_out(
    gray: GrayView<'_>,
    faces: &mut Vec<DetectedFace>,
    cropper: &mut FaceCropper,
    framing: Framing,
) -> Vec<FaceCrop> {
    let mut crops = Vec::with_capacity(faces.len());
    faces.retain_mut(|face| {
        let crop = cropper.crop(gray, face.rect, face.landmarks.as_ref(), framing);
        face.quality = crop.as_ref().map_or(0.0, |crop| quality(crop, face.rect, face.landmarks.as_ref()));
        let is_inside = crop.is_some();
        crops.extend(crop);
        is_inside
    });
    crops
}

/// Converts a picture to gray in `buffer`; `None` if it is empty.
fn to_gray<'a>(bgr: &Mat, buffer: &'a mut Mat) -> opencv::Result<Option<GrayView<'a>>> {
    imgproc::cvt_color_def(bgr, buffer, imgproc::COLOR_BGR2GRAY)?;
    let (width, height) = (buffer.cols() as usize, buffer.rows() as usize);
    Ok(GrayView::new(buffer.data_bytes()?, width, height))
}

/// The picture for a texture. OpenCV writes into the buffer that the window takes over; no pixel is copied twice.
fn to_rgba(bgr: &Mat) -> opencv::Result<RgbaPicture> {
    let (width, height) = (bgr.cols(), bgr.rows());
    let mut pixels = vec![0_u32; width as usize * height as usize];
    let bytes = bytemuck::cast_slice_mut(&mut pixels);
    let mut target = Mat::new_rows_cols_with_bytes_mut::<Vec4b>(height, width, bytes)?;
    imgproc::cvt_color_def(bgr, &mut target, imgproc::COLOR_BGR2RGBA)?;
    drop(target);
    Ok(RgbaPicture { width: width as usize, height: height as usize, pixels })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use opencv::core::{CV_8UC3, Scalar, Vec3b};

    use super::*;
    use mien_core::detection::{Detection, FaceDetector};
    use mien_core::landmarks::Landmarks;

    /// One face that leans by about 30°.
    const LEANING: Detection = Detection {
        rect: FaceRect { x: 60.0, y: 60.0, width: 80.0, height: 80.0 },
        score: 9.0,
        is_certain: true,
        landmarks: Some(Landmarks {
            right_eye: [91.5, 84.3],
            left_eye: [117.5, 100.1],
            nose: [94.8, 105.9],
            mouth_right: [78.6, 111.7],
            mouth_left: [99.5, 124.2],
        }),
    };

    /// Counts the searches of the whole picture.
    #[derive(Clone, Default)]
    struct Leaning {
        searches: Arc<AtomicUsize>,
    }

    impl FaceDetector for Leaning {
        fn detect(&mut self, _picture: GrayView<'_>) -> Result<Vec<Detection>, DetectError> {
            self.searches.fetch_add(1, Ordering::Relaxed);
            Ok(vec![LEANING])
        }

        fn refresh(
            &mut self,
            _picture: GrayView<'_>,
            expected: &[FaceRect],
        ) -> Result<Vec<Option<Detection>>, DetectError> {
            Ok(vec![Some(LEANING); expected.len()])
        }
    }

    fn slope() -> Frame {
        let bytes: Vec<u8> = (0..200 * 200).flat_map(|i| [((i % 200) + (i / 200) / 4) as u8; 3]).collect();
        let pixels: Vec<Vec3b> = bytes.chunks_exact(3).map(|p| Vec3b::from([p[0], p[1], p[2]])).collect();
        let image = Mat::new_rows_cols_with_data(200, 200, &pixels).unwrap().try_clone().unwrap();
        Frame { index: 0, media_time: Duration::ZERO, captured_at: Instant::now(), image: image.into() }
    }

    #[test]
    fn the_network_gets_the_crops_that_it_learnt_from() {
        let detector = ScheduledDetector::new(Box::new(Leaning::default()), &DetectionOptions::default());
        let mut analyzer = Analyzer::new(detector, TrackOptions { confirm_after: 1, ..TrackOptions::default() }, false);
        let mut gray = Mat::default();
        imgproc::cvt_color_def(&*slope().image, &mut gray, imgproc::COLOR_BGR2GRAY).unwrap();
        let picture = GrayView::new(gray.data_bytes().unwrap(), 200, 200).unwrap();
        let expected =
            |framing| FaceCropper::default().crop(picture, LEANING.rect, LEANING.landmarks.as_ref(), framing).unwrap();
        assert_ne!(expected(Framing::Box), expected(Framing::Upright));
        for framing in [Framing::Box, Framing::Upright, Framing::Box] {
            analyzer.set_framing(framing);
            analyzer.reset();
            assert_eq!(analyzer.analyze(slope()).unwrap().crops, [expected(framing)], "{framing:?}");
        }
    }

    #[test]
    fn faces_that_are_cut_out_again_are_as_if_cut_out_like_this_from_the_start() {
        let detector = ScheduledDetector::new(Box::new(Leaning::default()), &DetectionOptions::default());
        let mut analyzer = Analyzer::new(detector, TrackOptions { confirm_after: 1, ..TrackOptions::default() }, false);
        let mut found_with = |framing| {
            analyzer.set_framing(framing);
            analyzer.reset();
            analyzer.analyze(slope()).unwrap()
        };
        let mut detected = found_with(Framing::Box);
        for framing in [Framing::Upright, Framing::Box] {
            detected.crop_again(framing).unwrap();
            let expected = found_with(framing);
            assert_eq!((&detected.crops, &detected.faces), (&expected.crops, &expected.faces), "{framing:?}");
        }
    }

    #[test]
    fn where_frames_lie_seconds_apart_each_one_shows_its_face_and_is_searched_by_every_detector() {
        let leaning = Leaning::default();
        let detector = || ScheduledDetector::new(Box::new(leaning.clone()), &DetectionOptions::default());
        let searches_of_six = |analyzer: &mut Analyzer, shown: &[usize]| {
            leaning.searches.store(0, Ordering::Relaxed);
            let frame = |index: u32| Frame { media_time: Duration::from_secs(4) * index, ..slope() };
            let faces: Vec<_> = (0..6).map(|index| analyzer.analyze(frame(index)).unwrap().faces.len()).collect();
            assert_eq!(faces, shown);
            leaning.searches.load(Ordering::Relaxed)
        };
        let mut analyzer = Analyzer::new(detector(), TrackOptions::default(), false);
        assert_eq!(searches_of_six(&mut analyzer, &[0; 6]), 2, "the spacing isn't known: every third frame");
        analyzer.reset();
        analyzer.prepare_for(Duration::from_secs(4), None);
        assert_eq!(searches_of_six(&mut analyzer, &[1; 6]), 6);
        analyzer.reset();
        analyzer.set_detector(detector());
        assert_eq!(searches_of_six(&mut analyzer, &[1; 6]), 6);
    }

    #[test]
    fn the_picture_for_the_window_has_red_green_blue_and_full_alpha_in_memory_order() {
        let mut bgr = Mat::new_rows_cols_with_default(3, 5, CV_8UC3, Scalar::all(0.0)).unwrap();
        *opencv::core::MatTrait::at_2d_mut::<Vec3b>(&mut bgr, 1, 2).unwrap() = Vec3b::from([10, 20, 30]);
        let picture = to_rgba(&bgr).unwrap();
        assert_eq!((picture.width, picture.height, picture.pixels.len()), (5, 3, 15));
        let bytes: &[u8] = bytemuck::cast_slice(&picture.pixels);
        assert_eq!(bytes[(5 + 2) * 4..][..4], [30, 20, 10, 255]);
        assert_eq!(bytes[..4], [0, 0, 0, 255]);
    }
}
