//! The thread that makes the pictures of each step, so that the training thread needn't wait for them.

use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::augment::{FacesAugmentation, Pool, make};
use super::data::Scene;
use super::targets::Target;

/// Batches that are made in advance.
const AHEAD: usize = 6;

/// The pictures of a step.
pub struct Batch {
    /// Gray bytes, picture by picture, row by row.
    pub pixels: Vec<u8>,
    /// The faces to find in each.
    pub targets: Vec<Target>,
}

/// The batches to make.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// How to make pictures.
    pub augmentation: FacesAugmentation,
    /// Width and height of each picture.
    pub side: usize,
    /// Pictures per batch.
    pub batch_size: usize,
    /// Number of batches.
    pub batches: usize,
    /// With the epoch, the seed of all randomness.
    pub seed: u64,
    /// Counted from 0.
    pub epoch: usize,
}

/// Starts a thread that makes batches from `scenes`. It ends after the last one, or when the receiver is dropped.
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
        // Each picture has its own generator, so that it doesn't depend on those before it.
        let mut rng = ChaCha8Rng::seed_from_u64(order.seed);
        rng.set_stream(((order.epoch as u64) << 32) + picture as u64);
        let sample = make(pool, &order.augmentation, order.side, &mut rng);
        batch.pixels.extend(sample.pixels);
        batch.targets.push(sample.target);
    }
    batch
}
