//! The thread that makes the pictures of each step, so that the one that learns needn't wait.

use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::augment::{FacesAugmentation, Pool, make};
use super::data::Scene;
use super::targets::Target;

/// Batches that are made ahead.
const AHEAD: usize = 6;

/// The pictures of a step.
pub struct Batch {
    /// Gray bytes, picture by picture, row by row.
    pub pixels: Vec<u8>,
    /// What is to be found in each.
    pub targets: Vec<Target>,
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// How.
    pub augmentation: FacesAugmentation,
    /// Width and height of each picture.
    pub side: usize,
    /// Pictures a batch.
    pub batch_size: usize,
    /// Batches in all.
    pub batches: usize,
    /// With the epoch, what everything random follows from.
    pub seed: u64,
    /// Counted from 0.
    pub epoch: usize,
}

/// Starts to make batches of `scenes`. The thread ends when the last is made or nobody takes them any more.
///
/// # Errors
/// When no thread can be started.
pub fn start(scenes: Arc<Vec<Scene>>, order: Order) -> std::io::Result<Receiver<Batch>> {
    let (sender, receiver) = bounded(AHEAD);
    std::thread::Builder::new().name("pictures".to_owned()).spawn(move || {
        let pool = Pool::new(&scenes);
        for index in 0..order.batches {
            if sender.send(batch(&pool, &order, index)).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn batch(pool: &Pool<'_>, order: &Order, index: usize) -> Batch {
    let mut batch = Batch { pixels: Vec::new(), targets: Vec::new() };
    for picture in index * order.batch_size..(index + 1) * order.batch_size {
        // Of its own for each picture, so that no picture depends on those before it.
        let mut rng = ChaCha8Rng::seed_from_u64(order.seed);
        rng.set_stream(((order.epoch as u64) << 32) + picture as u64);
        let sample = make(pool, &order.augmentation, order.side, &mut rng);
        batch.pixels.extend(sample.pixels);
        batch.targets.push(sample.target);
    }
    batch
}
