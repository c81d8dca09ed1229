//! Cuts films into parts, so that several machines can share one.

use crate::batch::Part;
use crate::digits::TIME_DIGITS;
use crate::source::SourceInfo;

/// How to cut long films into parts.
#[derive(Clone, Copy, Debug)]
pub struct Split {
    /// Longest part, in seconds.
    pub longest: f64,
    /// How much of the film before each part is analysed, too, in seconds.
    pub overlap: f64,
}

/// Cuts a film into equal parts. Returns none if it is short enough or doesn't declare its length.
pub(super) fn parts(info: &SourceInfo, split: Split) -> Vec<Part> {
    let Some(frames) = info.frames().filter(|_| info.fps > 0.0) else { return Vec::new() };
    let of = (frames as f64 / info.fps / split.longest).ceil() as u32;
    if of < 2 {
        return Vec::new();
    }
    // Between two frames, if the rate is constant.
    let cut =
        |number: u32| between_times(((f64::from(number) / f64::from(of) * frames as f64).round() - 0.5) / info.fps);
    let part = |number: u32| Part {
        number: number + 1,
        of,
        from_s: if number == 0 { 0.0 } else { cut(number) },
        to_s: (number + 1 < of).then(|| cut(number + 1)),
        overlap_s: split.overlap,
    };
    (0..of).map(part).collect()
}

/// Moves a time to the middle between two values that tables can hold. The previous part ends by the frames' exact times, and the next
/// part's rows begin by the rounded ones: at such a time, rounding moves no frame across the cut, whatever the rate is.
fn between_times(seconds: f64) -> f64 {
    let steps = 10_f64.powi(TIME_DIGITS as i32);
    ((seconds * steps).floor() + 0.5) / steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits::rounded;
    use crate::source::SourceKind;

    #[test]
    fn a_film_is_cut_into_equal_parts_between_frames() {
        let kind = SourceKind::File { duration: None, frames: Some(2500) };
        let info = SourceInfo { name: "a".into(), kind, width: 1, height: 1, fps: 25.0, fourcc: String::new() };
        let split = |longest| parts(&info, Split { longest, overlap: 15.0 });
        assert_eq!(split(100.0), []);
        let cut = split(40.0);
        let times: Vec<_> = cut.iter().map(|part| (part.number, part.of, part.from_s, part.to_s)).collect();
        let (first, second) = (cut[1].from_s, cut[2].from_s);
        assert_eq!(times, [(1, 3, 0.0, Some(first)), (2, 3, first, Some(second)), (3, 3, second, None)]);
        // 833 and 1667 frames.
        for (cut, middle) in [(first, 832.5 / 25.0), (second, 1666.5 / 25.0)] {
            assert!((cut - middle).abs() < 1e-4, "{cut}");
            // A frame is on the same side by its exact time and by the rounded one.
            let shifts = [-1e-3, -6e-5, -1e-9, 1e-9, 6e-5, 1e-3];
            assert!(shifts.iter().all(|shift| (rounded(cut + shift, TIME_DIGITS) >= cut) == (*shift > 0.0)), "{cut}");
        }
    }
}
