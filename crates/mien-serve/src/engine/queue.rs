//! The order in which visitors take turns.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::visitor::Place;

/// The visitors with a waiting frame, in order. A visitor is never in it twice, nor while their frame is being processed, so it is never
/// longer than the number of visitors.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    turns: VecDeque<Arc<Place>>,
    is_closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a visitor with a new frame, unless they are already queued or being processed.
    pub fn push(&self, place: &Arc<Place>) {
        if place.begin_waiting() {
            self.lock().turns.push_back(Arc::clone(place));
            self.wake.notify_one();
        }
    }

    /// Waits for the next visitor; `None` when the queue is closed.
    pub fn next(&self) -> Option<Arc<Place>> {
        let state = self.lock();
        let mut state = self
            .wake
            .wait_while(state, |state| !state.is_closed && state.turns.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_closed { None } else { state.turns.pop_front() }
    }

    /// Ends a visitor's turn, and queues them again if another frame arrived meanwhile.
    pub fn done(&self, place: &Arc<Place>) {
        if place.end_waiting() {
            self.push(place);
        }
    }

    /// Closes the queue and wakes all waiting threads.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_all();
    }
}
