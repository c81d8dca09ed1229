//! A frame and the stamps that travel with it to the end of its journey.

use std::time::{Duration, Instant};

use opencv::core::{Mat, MatTraitConst as _, Vec4b};
use opencv::imgproc;

use crate::preprocess::GrayView;

/// One picture from a source.
#[derive(Debug)]
pub struct Frame {
    /// Counts the frames of a source from 0; in a file, the position of the frame in it.
    pub index: u64,
    /// When the frame is to be shown: time since the start of the file, or since the camera was opened.
    pub media_time: Duration,
    /// When the frame was read. Age is measured from here.
    pub captured_at: Instant,
    /// The picture: 8-bit BGR, never empty.
    pub image: Mat,
}

impl Frame {
    /// Width in pixels.
    pub fn width(&self) -> usize {
        usize::try_from(self.image.cols()).unwrap_or(0)
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        usize::try_from(self.image.rows()).unwrap_or(0)
    }

    /// The frame in gray, written into a buffer that is kept from frame to frame, and a view of it.
    ///
    /// # Errors
    /// When OpenCV can't convert the picture, which means that it isn't 8-bit BGR.
    pub fn write_gray<'a>(&self, buffer: &'a mut Vec<u8>) -> opencv::Result<GrayView<'a>> {
        let (width, height) = (self.width(), self.height());
        buffer.resize(width * height, 0);
        {
            let mut gray = Mat::new_rows_cols_with_data_mut::<u8>(self.image.rows(), self.image.cols(), buffer)?;
            imgproc::cvt_color_def(&self.image, &mut gray, imgproc::COLOR_BGR2GRAY)?;
        }
        GrayView::new(buffer, width, height)
            .ok_or_else(|| opencv::Error::new(opencv::core::StsBadSize, "the frame is empty"))
    }

    /// The frame as the window wants it.
    ///
    /// # Errors
    /// When OpenCV can't convert the picture, which means that it isn't 8-bit BGR.
    pub fn to_rgba(&self) -> opencv::Result<RgbaPicture> {
        let (width, height) = (self.width(), self.height());
        let mut pixels = vec![0_u32; width * height];
        {
            let bytes = bytemuck::cast_slice_mut(&mut pixels);
            let mut rgba = Mat::new_rows_cols_with_bytes_mut::<Vec4b>(self.image.rows(), self.image.cols(), bytes)?;
            imgproc::cvt_color_def(&self.image, &mut rgba, imgproc::COLOR_BGR2RGBA)?;
        }
        Ok(RgbaPicture { width, height, pixels })
    }
}

/// A picture ready for a texture: red, green, blue and alpha (always 255) in one `u32` a pixel, in memory order.
///
/// `u32` gives the alignment that lets the window take the buffer over without copying it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbaPicture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width × height` pixels, row by row.
    pub pixels: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use opencv::core::{CV_8UC3, Scalar};

    use super::*;

    fn frame_of_color(blue: f64, green: f64, red: f64) -> Frame {
        let image = Mat::new_rows_cols_with_default(3, 5, CV_8UC3, Scalar::new(blue, green, red, 0.0)).unwrap();
        Frame { index: 0, media_time: Duration::ZERO, captured_at: Instant::now(), image }
    }

    #[test]
    fn a_picture_for_the_window_has_its_colours_in_the_right_order_and_is_opaque() {
        let picture = frame_of_color(10.0, 20.0, 30.0).to_rgba().unwrap();
        assert_eq!((picture.width, picture.height, picture.pixels.len()), (5, 3, 15));
        let bytes: &[u8] = bytemuck::cast_slice(&picture.pixels);
        assert!(bytes.chunks(4).all(|pixel| pixel == [30, 20, 10, 255]), "{bytes:?}");
    }

    #[test]
    fn gray_is_the_weighted_sum_of_the_colours_and_the_buffer_follows_the_size() {
        let mut buffer = vec![1; 1000];
        let view = frame_of_color(0.0, 255.0, 0.0).write_gray(&mut buffer).unwrap();
        assert_eq!((view.width(), view.height()), (5, 3));
        assert!(buffer.iter().all(|level| *level == 150), "{buffer:?}");
    }
}
