//! Which heads to blur in each picture, which also depends on the pictures before and after it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use opencv::core::{Mat, MatTraitConst as _, MatTraitConstManual as _};
use opencv::imgproc;

use super::Blur;
use super::ellipse::{Ellipse, head};
use super::paint::blur_picture;
use crate::face::{Face, FaceId, GrayView};
use crate::track::CutDetector;

/// A face is also blurred for this long before it is first found: it takes three frames to be confirmed, and somebody who turns to the
/// camera can be recognised a moment before the detector finds the face.
const LEAD: Duration = Duration::from_millis(500);

/// Number of pictures that are always held back, whatever their times: as many as it takes to confirm a face, minus the current one.
const LEAST_WAITING: usize = 2;

/// Limit in bytes for the pictures held back beyond [`LEAST_WAITING`]: half a second of 1920×1080 at 60 frames a second takes 187 MB.
const MOST_BYTES: usize = 256 << 20;

/// A face that is no longer found stays blurred for this long around the place where it was last seen. After that, it has left, has a new
/// id, or is hidden so well that a detector doesn't find it.
const HOLD: Duration = Duration::from_secs(2);

/// Growth of a head's ellipse for each second in which the head's position is unknown, relative to its size.
const GROWTH: f32 = 1.0;

/// Largest factor by which an ellipse grows.
const MOST_GROWN: f32 = 2.0;

/// Blurs the pictures of a video. They come out in order, about half a second later, each with the value that was passed with it.
pub struct Blurrer<T> {
    blur: Blur,
    cuts: CutDetector,
    gray: Mat,
    /// Where each face was last seen, and when.
    seen: BTreeMap<FaceId, Seen>,
    waiting: VecDeque<Waiting<T>>,
}

struct Seen {
    time: Duration,
    heads: Vec<Ellipse>,
}

struct Waiting<T> {
    picture: Arc<Mat>,
    time: Duration,
    faces: Vec<Face>,
    heads: Vec<Ellipse>,
    /// Whether it is the first picture after a cut.
    begins: bool,
    with: T,
}

/// A blurred picture, with the value that was passed with it.
pub type Blurred<T> = (Arc<Mat>, T);

impl<T> Blurrer<T> {
    /// Creates a blurrer for the start of a video.
    pub fn new(blur: Blur) -> Self {
        let (cuts, gray) = (CutDetector::default(), Mat::default());
        Self { blur, cuts, gray, seen: BTreeMap::new(), waiting: VecDeque::new() }
    }

    /// Takes the next picture (8-bit BGR) with all faces found in it, and returns the pictures that later ones can no longer affect.
    ///
    /// # Errors
    /// When OpenCV fails.
    pub fn push(
        &mut self,
        picture: Arc<Mat>,
        faces: &[Face],
        time: Duration,
        with: T,
    ) -> opencv::Result<Vec<Blurred<T>>> {
        let begins = self.is_cut(&picture)?;
        if begins {
            self.seen.clear();
        }
        let last = self.waiting.back().map(|waiting| waiting.time);
        let mut heads: Vec<Ellipse> = faces.iter().flat_map(head).collect();
        for face in faces {
            let was_there = self.seen.get(&face.id).is_some_and(|seen| Some(seen.time) == last);
            if !was_there && !begins {
                self.blur_before(face, time);
            }
            self.seen.insert(face.id, Seen { time, heads: head(face).collect() });
        }
        self.seen.retain(|_, seen| time.checked_sub(seen.time).is_some_and(|age| age <= HOLD));
        let lost = self.seen.values().filter(|seen| seen.time != time);
        heads.extend(lost.flat_map(|seen| grown(&seen.heads, time - seen.time)));
        self.waiting.push_back(Waiting { picture, time, faces: faces.to_vec(), heads, begins, with });
        let mut ready = Vec::new();
        while self.is_first_ready(time) {
            ready.extend(self.take_first()?);
        }
        Ok(ready)
    }

    /// Returns the pictures that are still held back.
    ///
    /// # Errors
    /// When OpenCV fails.
    pub fn finish(mut self) -> opencv::Result<Vec<Blurred<T>>> {
        let mut rest = Vec::new();
        while let Some(blurred) = self.take_first()? {
            rest.push(blurred);
        }
        Ok(rest)
    }

    /// Blurs the place of a newly found face in the waiting pictures, back to the last cut.
    fn blur_before(&mut self, face: &Face, time: Duration) {
        let heads: Vec<Ellipse> = head(face).collect();
        for waiting in self.waiting.iter_mut().rev() {
            waiting.heads.extend(grown(&heads, time.saturating_sub(waiting.time)));
            if waiting.begins {
                break;
            }
        }
    }

    fn is_first_ready(&self, now: Duration) -> bool {
        let Some(first) = self.waiting.front() else { return false };
        let bytes = first.picture.total() * first.picture.elem_size().unwrap_or(1) * self.waiting.len();
        self.waiting.len() > LEAST_WAITING && (now.saturating_sub(first.time) > LEAD || bytes > MOST_BYTES)
    }

    fn take_first(&mut self) -> opencv::Result<Option<Blurred<T>>> {
        let Some(Waiting { mut picture, faces, heads, with, .. }) = self.waiting.pop_front() else { return Ok(None) };
        if !heads.is_empty() || self.blur == Blur::Background {
            let mut blurred = picture.try_clone()?;
            blur_picture(self.blur, &mut blurred, &heads, &faces)?;
            picture = Arc::new(blurred);
        }
        Ok(Some((picture, with)))
    }

    fn is_cut(&mut self, picture: &Mat) -> opencv::Result<bool> {
        imgproc::cvt_color_def(picture, &mut self.gray, imgproc::COLOR_BGR2GRAY)?;
        let (width, height) = (self.gray.cols() as usize, self.gray.rows() as usize);
        Ok(GrayView::new(self.gray.data_bytes()?, width, height).is_some_and(|gray| self.cuts.is_cut(gray)))
    }
}

/// The ellipses, grown because the head's position has been unknown for this long.
fn grown(heads: &[Ellipse], unknown_for: Duration) -> impl Iterator<Item = Ellipse> {
    let times = (1.0 + GROWTH * unknown_for.as_secs_f32()).min(MOST_GROWN);
    heads.iter().map(move |head| head.grown(times))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
