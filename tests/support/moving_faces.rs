//! Films of faces that move, turn, leave and are covered, made by warping pictures of them.
//!
//! The pictures are drawn, or show real people.

use opencv::core::{self, CV_8UC1, CV_8UC3, CV_32F, Mat, MatTraitConst as _, Point, Rect, Scalar, Size};
use opencv::{imgcodecs, imgproc};

use mien::detect::{self, DetectionOptions, DetectorKind};
use mien::face::{FaceRect, GrayView};
use mien::source::{FrameSource as _, VideoSource};
use opencv::core::MatTraitConstManual as _;
use tch::Device;

use rand::{Rng as _, SeedableRng as _};

use super::drawn_face::{Look, face_with_look};

pub const WIDTH: i32 = 640;
pub const HEIGHT: i32 = 480;
pub const FPS: u32 = 30;

/// A person: a picture with the face, and how much of each of its pixels belongs to the head.
pub struct Actor {
    picture: Mat,
    head: Mat,
    face: FaceRect,
}

/// Where a face is in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Pose {
    /// Centre of the box, in the pixels of the frame.
    pub center: (f32, f32),
    /// Side of the box.
    pub side: f32,
    /// Clockwise rotation in degrees.
    pub roll: f32,
    /// Whether a hand covers the mouth.
    pub is_covered: bool,
}

impl Pose {
    /// Upright, with a side of 160 pixels.
    pub fn at(x: f32, y: f32) -> Self {
        Self { center: (x, y), side: 160.0, roll: 0.0, is_covered: false }
    }
}

impl Actor {
    /// Two drawn people, whom Haar detects.
    pub fn drawn() -> [Self; 2] {
        [(Look::LIGHT, 14), (Look::BEARDED, 20)].map(|(look, seed)| {
            let face = Rect::new(150, 150, 200, 200);
            let rect = FaceRect { x: 150.0, y: 150.0, width: 200.0, height: 200.0 };
            Self::new(textured(&face_with_look(500, 500, face, look), seed), rect)
        })
    }

    /// Two real people, on pictures that the environment variables `MIEN_TEST_FACE` and `MIEN_TEST_OTHER_FACE` name. Without those, the
    /// person in the demo clip, once as filmed and once mirrored and darkened. `None` without the clip.
    pub fn filmed() -> Option<[Self; 2]> {
        let named = ["MIEN_TEST_FACE", "MIEN_TEST_OTHER_FACE"].map(|variable| std::env::var(variable).ok());
        if let [Some(first), Some(second)] = named {
            return Some([first, second].map(|path| Self::found_in(imgcodecs::imread_def(&path).unwrap())));
        }
        let first = VideoSource::open(&mien::demo::clip()?).unwrap().read().unwrap()?.image;
        let (mut mirrored, mut second) = (Mat::default(), Mat::default());
        core::flip(&*first, &mut mirrored, 1).unwrap();
        mirrored.convert_to(&mut second, CV_8UC3, 0.6, 0.0).unwrap();
        Some([Self::found_in(Mat::clone(&first)), Self::found_in(second)])
    }

    fn found_in(picture: Mat) -> Self {
        assert!(!picture.empty(), "no picture");
        let mut gray = Mat::default();
        imgproc::cvt_color_def(&picture, &mut gray, imgproc::COLOR_BGR2GRAY).unwrap();
        let view = GrayView::new(gray.data_bytes().unwrap(), gray.cols() as usize, gray.rows() as usize).unwrap();
        let network = DetectionOptions { detector: DetectorKind::Faces, ..DetectionOptions::default() };
        let faces = detect::make(&network, Device::Cpu).unwrap().detect(view).unwrap();
        let face = faces.iter().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area())).expect("a face");
        Self::new(picture, face.rect)
    }

    fn new(picture: Mat, face: FaceRect) -> Self {
        let mut hard =
            Mat::new_rows_cols_with_default(picture.rows(), picture.cols(), CV_8UC1, Scalar::all(0.0)).unwrap();
        let (x, y) = face.center();
        let at = Point::new(x as i32, (y - 0.02 * face.height) as i32);
        let axes = Size::new((0.50 * face.width) as i32, (0.66 * face.height) as i32);
        let white = Scalar::all(255.0);
        imgproc::ellipse(&mut hard, at, axes, 0.0, 0.0, 360.0, white, imgproc::FILLED, imgproc::LINE_AA, 0).unwrap();
        let mut head = Mat::default();
        imgproc::gaussian_blur_def(&hard, &mut head, Size::new(0, 0), f64::from(face.width) / 40.0).unwrap();
        Self { picture, head, face }
    }

    /// Puts the person into a frame.
    pub fn enter(&self, frame: &mut Mat, pose: Pose) {
        let (x, y) = self.face.center();
        let scale = f64::from(pose.side / self.face.width);
        let center = opencv::core::Point2f::new(x, y);
        // OpenCV counts anticlockwise.
        let mut warp = imgproc::get_rotation_matrix_2d(center, f64::from(-pose.roll), scale).unwrap();
        *core::MatTrait::at_2d_mut::<f64>(&mut warp, 0, 2).unwrap() += f64::from(pose.center.0 - x);
        *core::MatTrait::at_2d_mut::<f64>(&mut warp, 1, 2).unwrap() += f64::from(pose.center.1 - y);
        let warped = |picture: &Mat| {
            let mut target = Mat::default();
            let linear = imgproc::INTER_LINEAR;
            let outside = Scalar::all(0.0);
            imgproc::warp_affine(
                picture,
                &mut target,
                &warp,
                frame.size().unwrap(),
                linear,
                core::BORDER_CONSTANT,
                outside,
            )
            .unwrap();
            target
        };
        let (picture, head) = (warped(&self.picture), warped(&self.head));
        blend(frame, &picture, &head);
        if pose.is_covered {
            let hand = |share_x: f32, share_y: f32| {
                Point::new((pose.center.0 + share_x * pose.side) as i32, (pose.center.1 + share_y * pose.side) as i32)
            };
            let skin = Scalar::all(150.0);
            for (at, axes) in [(hand(0.1, 0.42), (0.42, 0.17)), (hand(0.42, 0.62), (0.25, 0.28))] {
                let axes = Size::new((axes.0 * pose.side) as i32, (axes.1 * pose.side) as i32);
                imgproc::ellipse(frame, at, axes, -15.0, 0.0, 360.0, skin, imgproc::FILLED, imgproc::LINE_AA, 0)
                    .unwrap();
            }
        }
    }
}

/// Adds texture, which differs from person to person: on real pictures, no area of skin is uniform.
fn textured(picture: &Mat, seed: u64) -> Mat {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let grains: Vec<u8> = (0..picture.total()).map(|_| random.random()).collect();
    let grains = Mat::new_rows_cols_with_data::<u8>(picture.rows(), picture.cols(), &grains).unwrap();
    let (mut soft, mut texture, mut mixed) = (Mat::default(), Mat::default(), Mat::default());
    imgproc::gaussian_blur_def(&grains, &mut soft, Size::new(0, 0), 8.0).unwrap();
    imgproc::cvt_color_def(&soft, &mut texture, imgproc::COLOR_GRAY2BGR).unwrap();
    // The blur leaves a standard deviation of 3 levels around the middle.
    core::add_weighted(picture, 1.0, &texture, 7.0, -896.0, &mut mixed, CV_8UC3).unwrap();
    mixed
}

fn blend(frame: &mut Mat, picture: &Mat, share: &Mat) {
    let (mut share_of_frame, mut frame_part, mut picture_part, mut mixed) =
        (Mat::default(), Mat::default(), Mat::default(), Mat::default());
    let mut shares = Mat::default();
    imgproc::cvt_color_def(share, &mut shares, imgproc::COLOR_GRAY2BGR).unwrap();
    core::bitwise_not_def(&shares, &mut share_of_frame).unwrap();
    core::multiply(frame, &share_of_frame, &mut frame_part, 1.0 / 255.0, CV_32F).unwrap();
    core::multiply(picture, &shares, &mut picture_part, 1.0 / 255.0, CV_32F).unwrap();
    core::add(&frame_part, &picture_part, &mut mixed, &core::no_array(), CV_8UC3).unwrap();
    *frame = mixed;
}

/// A room with rectangles as furniture, which differ from room to room. `pan` moves them to the left, in pixels.
pub fn room(number: u32, pan: f32) -> Mat {
    let mut picture = Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_8UC3, Scalar::all(105.0)).unwrap();
    // A linear congruential generator: the same furniture each time.
    let mut state = u64::from(number) * 7919 + 17;
    let mut random = |below: i32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i32 % below
    };
    for _ in 0..24 {
        let size = Size::new(60 + random(240), 40 + random(200));
        let at = Point::new(random(2 * WIDTH) - WIDTH / 2 - pan as i32, random(HEIGHT) - 60);
        let level = f64::from(40 + random(150));
        imgproc::rectangle(&mut picture, Rect::from_point_size(at, size), Scalar::all(level), imgproc::FILLED, 8, 0)
            .unwrap();
    }
    let mut soft = Mat::default();
    imgproc::gaussian_blur_def(&picture, &mut soft, Size::new(0, 0), 3.0).unwrap();
    soft
}

/// A frame in the light of a flash: more than twice as bright, overexposed where it was bright.
pub fn flash(frame: &Mat) -> Mat {
    let mut bright = Mat::default();
    frame.convert_to(&mut bright, CV_8UC3, 2.2, 30.0).unwrap();
    bright
}

/// Cloth with a print without faces: dark and light spots of several sizes. Haar's loose search takes some of it for a face, depending on
/// `seed`. `shift` moves the cloth to the right, like a curtain in a draught.
pub fn cloth(seed: u64, shift: f32) -> Mat {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut sum = Mat::new_rows_cols_with_default(HEIGHT, WIDTH, CV_32F, Scalar::all(125.0)).unwrap();
    for (columns, strength) in [(10, 50.0_f32), (24, 40.0), (60, 22.0)] {
        let rows = columns * HEIGHT / WIDTH;
        let spots: Vec<f32> = (0..columns * rows).map(|_| strength * random.random_range(-1.0..1.0)).collect();
        let small = Mat::new_rows_cols_with_data(rows, columns, &spots).unwrap();
        let mut large = Mat::default();
        imgproc::resize(&small, &mut large, Size::new(WIDTH, HEIGHT), 0.0, 0.0, imgproc::INTER_CUBIC).unwrap();
        let before = sum.clone();
        core::add_def(&before, &large, &mut sum).unwrap();
    }
    let (mut gray, mut frame) = (Mat::default(), Mat::default());
    sum.convert_to(&mut gray, CV_8UC1, 1.0, 0.0).unwrap();
    imgproc::cvt_color_def(&gray, &mut frame, imgproc::COLOR_GRAY2BGR).unwrap();
    let warp = Mat::from_slice_2d(&[[1.0_f64, 0.0, f64::from(shift)], [0.0, 1.0, 0.0]]).unwrap();
    let mut moved = Mat::default();
    imgproc::warp_affine(
        &frame,
        &mut moved,
        &warp,
        Size::new(WIDTH, HEIGHT),
        imgproc::INTER_LINEAR,
        core::BORDER_REFLECT_101,
        Scalar::all(0.0),
    )
    .unwrap();
    moved
}
