//! Whose turn it is.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::visitor::Place;

/// The visitors with a frame that waits, in turn. Nobody is in it twice, and nobody in it is being worked on, so it is never
/// longer than there are visitors.
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

    /// Puts somebody who has a new frame at the end, unless they wait or are worked on already.
    pub fn push(&self, place: &Arc<Place>) {
        if place.begin_waiting() {
            self.lock().turns.push_back(Arc::clone(place));
            self.wake.notify_one();
        }
    }

    /// Waits for the next one's turn; `None` at the end.
    pub fn next(&self) -> Option<Arc<Place>> {
        let state = self.lock();
        let mut state = self
            .wake
            .wait_while(state, |state| !state.is_closed && state.turns.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        if state.is_closed { None } else { state.turns.pop_front() }
    }

    /// Somebody's frame was worked on; if another one came meanwhile, they are at the end again.
    pub fn done(&self, place: &Arc<Place>) {
        if place.end_waiting() {
            self.push(place);
        }
    }

    /// Wakes everybody for the end.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_all();
    }
}
