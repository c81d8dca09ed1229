//! Memory for pictures that wait for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes of pictures that wait: four seconds of a usual webcam. Hard disks sometimes stall for a second.
pub(super) const MOST_BYTES: usize = 128 << 20;

/// Large pictures need a few places too.
const FEWEST: usize = 8;

/// The memory for pictures that wait for the disk. Recordings that share it take no more memory together than one does alone.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<AtomicUsize>);

/// The memory of one picture, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    bytes: usize,
    waiting: Waiting,
}

impl Waiting {
    /// The place of a picture of this many bytes; `None` if there is none left.
    pub(super) fn place(&self, bytes: usize) -> Option<Place> {
        let taken = self.0.fetch_add(bytes, Ordering::Relaxed);
        let place = Place { bytes, waiting: self.clone() };
        (taken + bytes <= MOST_BYTES.max(FEWEST * bytes)).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_share_it_have_no_more_than_one_alone() {
        let one = Waiting::default();
        let other = one.clone();
        let tenth = MOST_BYTES / 10;
        let mut places: Vec<_> = (0..5).flat_map(|_| [one.place(tenth), other.place(tenth)]).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(one.place(tenth).is_none() && other.place(tenth).is_none());
        places.pop();
        assert!(one.place(tenth).is_some(), "one is free again");
    }

    #[test]
    fn very_large_pictures_have_a_few_places() {
        let waiting = Waiting::default();
        let places: Vec<_> = (0..FEWEST).map(|_| waiting.place(MOST_BYTES)).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(waiting.place(MOST_BYTES).is_none());
    }
}
