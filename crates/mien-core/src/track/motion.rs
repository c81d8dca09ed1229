//! How one face moves: its speed, and its box without the detector's jitter.

use crate::face::FaceRect;

/// Time over which the speed is averaged, in seconds: long enough for the jitter of boxes to cancel out, short enough
/// to follow a head that changes direction.
const SPEED_AVERAGE_SECS: f32 = 0.1;

/// A face that isn't found is assumed to move on at its speed for this long, in seconds, and then to stand still.
const COAST_SECS: f32 = 0.5;

/// Time constant of the steadied box of a face that doesn't move, in seconds. At 30 frames a second, it leaves a third
/// of a Haar box's jitter of two or three pixels.
const STEADY_SECS: f32 = 0.12;

/// How much a face's speed, in box sizes a second, shortens the time constant: at one size a second to a fifth, so that
/// the box lags by 2 % of its size.
const SPEED_GAIN: f32 = 4.0;

/// Movement of one box. Distances in pixels, times in seconds.
///
/// The steadied box follows the idea of the 1€ filter (Casiez, Roussel and Vogel 2012, “1€ Filter: A Simple
/// Speed-based Low-pass Filter for Noisy Input in Interactive Systems”): exponential smoothing whose time constant gets
/// shorter the faster the face moves, so that a still face doesn't tremble and a fast one isn't left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    measured: FaceRect,
    steady: FaceRect,
    /// Speed of the centre in pixels per second.
    speed: (f32, f32),
    /// Whether at least two boxes were seen, so that the speed is known.
    moving: bool,
}

impl Motion {
    pub(super) fn new(rect: FaceRect) -> Self {
        Self { measured: rect, steady: rect, speed: (0.0, 0.0), moving: false }
    }

    /// The last box, as the detector gave it.
    pub(super) fn measured(&self) -> FaceRect {
        self.measured
    }

    /// Where the detector is expected to find the face, `elapsed` after its last box.
    pub(super) fn predict(&self, elapsed: f32) -> FaceRect {
        self.moved(self.measured, elapsed)
    }

    /// The steadied box, `elapsed` after the last box of the detector.
    pub(super) fn steady(&self, elapsed: f32) -> FaceRect {
        self.moved(self.steady, elapsed)
    }

    /// Takes a new box, `elapsed` after the last one.
    pub(super) fn update(&mut self, rect: FaceRect, elapsed: f32) {
        if elapsed > 0.0 {
            let (from, to) = (self.measured.center(), rect.center());
            let latest = ((to.0 - from.0) / elapsed, (to.1 - from.1) / elapsed);
            let weight = if self.moving { 1.0 - (-elapsed / SPEED_AVERAGE_SECS).exp() } else { 1.0 };
            self.speed.0 += (latest.0 - self.speed.0) * weight;
            self.speed.1 += (latest.1 - self.speed.1) * weight;
            self.moving = true;

            let sizes_a_second = self.speed.0.hypot(self.speed.1) / rect.width.max(1.0);
            let constant = STEADY_SECS / (1.0 + SPEED_GAIN * sizes_a_second);
            let weight = 1.0 - (-elapsed / constant).exp();
            self.steady = FaceRect {
                x: self.steady.x + (rect.x - self.steady.x) * weight,
                y: self.steady.y + (rect.y - self.steady.y) * weight,
                width: self.steady.width + (rect.width - self.steady.width) * weight,
                height: self.steady.height + (rect.height - self.steady.height) * weight,
            };
        }
        self.measured = rect;
    }

    fn moved(&self, rect: FaceRect, elapsed: f32) -> FaceRect {
        let time = elapsed.min(COAST_SECS);
        FaceRect { x: rect.x + self.speed.0 * time, y: rect.y + self.speed.1 * time, ..rect }
    }
}
