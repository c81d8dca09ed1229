//! How the learning rate changes over a training.

use serde::{Deserialize, Serialize};

use super::recipe::Problems;

/// A schedule and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ScheduleSpec {
    /// Multiply by `factor` when the PublicTest loss hasn't fallen for more than `patience` epochs.
    Plateau {
        /// What the rate is multiplied by, less than 1.
        #[serde(default = "default_factor")]
        factor: f64,
        /// Epochs without progress that are tolerated.
        #[serde(default = "default_patience")]
        patience: usize,
        /// The rate never falls below this.
        #[serde(default = "default_min_learning_rate")]
        min_learning_rate: f64,
    },
    /// Rise linearly over `warmup_epochs`, then fall along a half cosine to zero at the last epoch (Loshchilov & Hutter 2017).
    Cosine {
        /// Length of the rise in epochs; may be a fraction. Less than the recipe's `epochs`.
        #[serde(default)]
        warmup_epochs: f64,
    },
    /// Rise along a half cosine from a 25th of the highest rate over the first `rise` of the training, then fall along another
    /// to almost zero (Smith & Topin 2019, in fast.ai's form).
    #[serde(rename = "one-cycle")]
    OneCycle {
        /// Length of the rise as a share of the training.
        #[serde(default = "default_rise")]
        rise: f64,
    },
    /// Multiply by `factor` every `epochs` epochs.
    Step {
        /// Epochs between two steps.
        #[serde(default = "default_step_epochs")]
        epochs: usize,
        /// What the rate is multiplied by.
        #[serde(default = "default_step_factor")]
        factor: f64,
    },
    /// The same rate throughout.
    Constant,
}

impl Default for ScheduleSpec {
    fn default() -> Self {
        Self::Plateau {
            factor: default_factor(),
            patience: default_patience(),
            min_learning_rate: default_min_learning_rate(),
        }
    }
}

// For `plateau`, the values that most shipped recipes use. `rise` and the factor of `step` are PyTorch's defaults.

fn default_factor() -> f64 {
    0.2
}

fn default_patience() -> usize {
    4
}

fn default_min_learning_rate() -> f64 {
    1e-6
}

fn default_rise() -> f64 {
    0.3
}

fn default_step_epochs() -> usize {
    10
}

fn default_step_factor() -> f64 {
    0.1
}

impl ScheduleSpec {
    /// Adds problems with the settings, for a training of at most `most_epochs`, to `found`.
    pub fn check(&self, most_epochs: usize, found: &mut Problems) {
        match *self {
            Self::Plateau { factor, patience: _, min_learning_rate } => {
                found.check("schedule.factor", (0.0..1.0).contains(&factor), "has to be at least 0 and less than 1");
                let is_rate = min_learning_rate.is_finite() && min_learning_rate >= 0.0;
                found.check("schedule.min_learning_rate", is_rate, "has to be at least 0");
            }
            Self::Step { epochs, factor } => {
                found.check("schedule.factor", (0.0..1.0).contains(&factor), "has to be at least 0 and less than 1");
                found.check("schedule.epochs", epochs > 0, "has to be at least 1");
            }
            Self::OneCycle { rise } => {
                found.check("schedule.rise", (0.0..1.0).contains(&rise), "has to be at least 0 and less than 1");
            }
            Self::Cosine { warmup_epochs } => {
                let is_length = warmup_epochs.is_finite() && warmup_epochs >= 0.0;
                found.check("schedule.warmup_epochs", is_length, "has to be at least 0");
                // Without an epoch, `epochs` is the mistake.
                if is_length && most_epochs > 0 && warmup_epochs >= most_epochs as f64 {
                    found.add(
                        "schedule.warmup_epochs",
                        format!(
                            "is {warmup_epochs}, and has to be less than `epochs`, which is {most_epochs}: the learning rate would \
                             never reach its highest value"
                        ),
                    );
                }
            }
            Self::Constant => {}
        }
    }
}

/// Initial rate of a one-cycle as a share of the highest rate, as in fast.ai and PyTorch.
const ONE_CYCLE_START: f64 = 1.0 / 25.0;
/// Its final rate, likewise.
const ONE_CYCLE_END: f64 = 1e-4 / 25.0;

/// A fall by less than this share of the loss counts as no progress.
const LEAST_PROGRESS: f64 = 1e-3;

/// A schedule and its state, which checkpoints store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    spec: ScheduleSpec,
    highest: f64,
    epochs: f64,
    /// For `plateau`: the current rate, the lowest loss so far, and the number of epochs without progress.
    current: f64,
    lowest_loss: f64,
    idle_epochs: usize,
}

impl Schedule {
    /// Creates a schedule of `epochs` epochs with the recipe's learning rate.
    pub fn new(spec: ScheduleSpec, learning_rate: f64, epochs: usize) -> Self {
        Self {
            spec,
            highest: learning_rate,
            epochs: epochs as f64,
            current: learning_rate,
            // Not infinity, which JSON can't hold.
            lowest_loss: f64::MAX,
            idle_epochs: 0,
        }
    }

    /// The rate at `position`, counted in epochs from 0, fractions included.
    pub fn rate(&self, position: f64) -> f64 {
        match self.spec {
            ScheduleSpec::Plateau { .. } => self.current,
            ScheduleSpec::Cosine { warmup_epochs } if position < warmup_epochs => {
                self.highest * position / warmup_epochs
            }
            ScheduleSpec::Cosine { warmup_epochs } => {
                let share = (position - warmup_epochs) / (self.epochs - warmup_epochs).max(f64::EPSILON);
                self.highest * between(1.0, 0.0, share)
            }
            ScheduleSpec::OneCycle { rise } => {
                let share = position / self.epochs;
                self.highest
                    * if share < rise {
                        between(ONE_CYCLE_START, 1.0, share / rise)
                    } else {
                        between(1.0, ONE_CYCLE_END, (share - rise) / (1.0 - rise).max(f64::EPSILON))
                    }
            }
            ScheduleSpec::Step { epochs, factor } => {
                self.highest * factor.powi((position / epochs as f64).floor() as i32)
            }
            ScheduleSpec::Constant => self.highest,
        }
    }

    /// The rate at the end of an epoch, counted from 0.
    pub fn rate_at_end(&self, epoch: usize) -> f64 {
        match self.spec {
            // The position at its end belongs to the next epoch, whose rate may be lower.
            ScheduleSpec::Step { .. } => self.rate(epoch as f64),
            _ => self.rate((epoch + 1) as f64),
        }
    }

    /// Updates the schedule with the watched loss (for classifiers, that on PublicTest) after an epoch.
    pub fn epoch_ended(&mut self, loss: f64) {
        let ScheduleSpec::Plateau { factor, patience, min_learning_rate } = self.spec else { return };
        if loss < self.lowest_loss * (1.0 - LEAST_PROGRESS) {
            self.lowest_loss = loss;
            self.idle_epochs = 0;
            return;
        }
        self.idle_epochs += 1;
        if self.idle_epochs > patience {
            self.current = (self.current * factor).max(min_learning_rate);
            self.idle_epochs = 0;
        }
    }
}

/// Interpolates from `start` to `end` along a half cosine; `share` is how far along, from 0 to 1.
fn between(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) * 0.5 * (1.0 + (std::f64::consts::PI * share.clamp(0.0, 1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plateau_lowers_the_rate_after_its_patience() {
        let spec = ScheduleSpec::Plateau { factor: 0.1, patience: 1, min_learning_rate: 1e-3 };
        let mut schedule = Schedule::new(spec, 1.0, 100);
        for (loss, rate) in [(2.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.1, 0.1), (0.5, 0.1), (0.5, 0.1), (0.5, 0.01)] {
            schedule.epoch_ended(loss);
            assert!((schedule.rate(0.0) - rate).abs() < 1e-12, "after {loss}: {}", schedule.rate(0.0));
        }
        (0..20).for_each(|_| schedule.epoch_ended(1.0));
        assert_eq!(schedule.rate(0.0), 1e-3);
    }

    #[test]
    fn a_cosine_rises_and_falls_to_zero() {
        let schedule = Schedule::new(ScheduleSpec::Cosine { warmup_epochs: 2.0 }, 1.0, 10);
        assert_eq!(schedule.rate(0.0), 0.0);
        assert_eq!(schedule.rate(1.0), 0.5);
        assert_eq!(schedule.rate(2.0), 1.0);
        assert!((schedule.rate(6.0) - 0.5).abs() < 1e-12);
        assert!(schedule.rate(10.0).abs() < 1e-12);
    }

    #[test]
    fn one_cycle_starts_low_peaks_and_ends_near_zero() {
        let schedule = Schedule::new(ScheduleSpec::OneCycle { rise: 0.3 }, 0.08, 10);
        assert!((schedule.rate(0.0) - 0.08 / 25.0).abs() < 1e-12);
        assert!((schedule.rate(3.0) - 0.08).abs() < 1e-12);
        assert!(schedule.rate(10.0) < 1e-6);
        assert!(schedule.rate(2.0) < 0.08 && schedule.rate(5.0) < 0.08);
    }

    #[test]
    fn steps_fall_after_their_epochs_and_a_constant_never() {
        let schedule = Schedule::new(ScheduleSpec::Step { epochs: 3, factor: 0.1 }, 1.0, 10);
        assert_eq!([0.0, 2.9].map(|p| schedule.rate(p)), [1.0, 1.0]);
        assert!((schedule.rate(3.0) - 0.1).abs() < 1e-12 && (schedule.rate(6.5) - 0.01).abs() < 1e-12);
        assert_eq!(Schedule::new(ScheduleSpec::Constant, 0.3, 4).rate(3.9), 0.3);
    }

    #[test]
    fn an_epoch_ends_with_the_rate_of_its_last_step() {
        let steps = Schedule::new(ScheduleSpec::Step { epochs: 3, factor: 0.1 }, 1.0, 10);
        assert_eq!([0, 1, 2].map(|epoch| steps.rate_at_end(epoch)), [1.0; 3]);
        assert!((steps.rate_at_end(3) - 0.1).abs() < 1e-12);
        let cosine = Schedule::new(ScheduleSpec::Cosine { warmup_epochs: 2.0 }, 1.0, 10);
        assert_eq!(cosine.rate_at_end(0), cosine.rate(1.0));
        assert_eq!(Schedule::new(ScheduleSpec::Constant, 0.3, 4).rate_at_end(3), 0.3);
    }
}
