//! The channel from the capture thread to the inference thread. It has one place: a camera's newest frame replaces one
//! that wasn't fetched; a file waits until the place is free.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// A channel with one place.
pub(super) fn slot<T>() -> (SlotSender<T>, Receiver<T>) {
    let (sender, receiver) = bounded(1);
    (SlotSender { sender, waiting: receiver.clone() }, receiver)
}

/// The capture thread's end.
pub(super) struct SlotSender<T> {
    sender: Sender<T>,
    /// A second receiver, to take back an item that is late.
    waiting: Receiver<T>,
}

impl<T> SlotSender<T> {
    /// Puts `item` into the place and returns the late item that it replaces, if any. Never waits.
    pub(super) fn replace(&self, item: T) -> Option<T> {
        let mut item = item;
        let mut late = None;
        // This ends: only this thread sends, so the slot can't fill again between `try_recv` and `try_send`.
        loop {
            match self.sender.try_send(item) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return late,
                Err(TrySendError::Full(back)) => {
                    item = back;
                    late = self.waiting.try_recv().ok().or(late);
                }
            }
        }
    }

    /// For waiting until the place is free, together with other channels.
    pub(super) fn sender(&self) -> &Sender<T> {
        &self.sender
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_replaces_what_nobody_fetched() {
        let (sender, receiver) = slot();
        assert_eq!(sender.replace(1), None);
        assert_eq!(sender.replace(2), Some(1));
        assert_eq!(sender.replace(3), Some(2));
        assert_eq!(receiver.try_recv(), Ok(3));
        assert_eq!(sender.replace(4), None);
    }

    #[test]
    fn nothing_is_lost_uncounted_under_a_fast_sender() {
        let (sender, receiver) = slot();
        let fetched = std::thread::spawn(move || receiver.iter().collect::<Vec<u32>>());
        let late: Vec<u32> = (0..10_000).filter_map(|i| sender.replace(i)).collect();
        drop(sender);
        let fetched = fetched.join().unwrap();
        assert_eq!(fetched.len() + late.len(), 10_000);
        assert_eq!(fetched.last(), Some(&9_999));
        assert!(fetched.is_sorted());
    }
}
