//! Records the server's own camera, if the operator asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mien_serve::SourceObserver;

use crate::commands::headless::{HeadlessWriter, SavedSession};
use crate::console::tell;
use crate::pipeline::{Event, Live};

/// Records while the server runs, and tells the operator what goes wrong.
pub(super) struct SourceRecording {
    /// `None` once it has ended on its own.
    writer: Option<HeadlessWriter>,
    /// Tells visitors whether the source is recorded.
    is_recorded: Arc<AtomicBool>,
}

impl SourceRecording {
    pub fn new(writer: HeadlessWriter, is_recorded: Arc<AtomicBool>) -> Self {
        Self { writer: Some(writer), is_recorded }
    }
}

impl SourceObserver for SourceRecording {
    fn round(&mut self, events: &[Event], live: &Live) {
        let Some(writer) = &mut self.writer else { return };
        let noted = events.iter().try_for_each(|event| writer.note(event, live));
        let ended = noted.and_then(|()| writer.tell());
        if matches!(ended, Ok(None)) {
            return;
        }
        tell_trouble(ended);
        live.set_tap(None);
        self.writer = None;
        self.is_recorded.store(false, Ordering::Relaxed);
    }

    fn end(self: Box<Self>) {
        if let Some(writer) = self.writer {
            tell_trouble(writer.finish());
        }
    }
}

fn tell_trouble(ended: anyhow::Result<Option<SavedSession>>) {
    if let Some(words) = trouble(ended) {
        tell(&words);
    }
}

/// What to tell the operator about a recording that has ended; `None` if it is complete.
pub(super) fn lacking(saved: &SavedSession) -> Option<String> {
    let SavedSession { folder, counts, reason } = saved;
    let folder = folder.display();
    match (reason, counts.lost()) {
        (Some(reason), lost) => {
            let lost = lost.map_or_else(String::new, |lost| format!("; {lost} could not be recorded"));
            Some(format!("warning: the recording in {folder} has ended: {reason}{lost}"))
        }
        (None, None) => None,
        (None, Some(lost)) => Some(format!("warning: the recording in {folder} lacks {lost}: the disk is too slow")),
    }
}

/// As [`lacking`], for a recording that may have failed.
fn trouble(ended: anyhow::Result<Option<SavedSession>>) -> Option<String> {
    match ended {
        Ok(saved) => lacking(&saved?),
        Err(error) => Some(format!("error: the camera isn't recorded: {error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Counts, EndReason};

    #[test]
    fn a_recording_that_is_not_whole_is_told_and_one_that_is_whole_is_not() {
        let ended = |frames_lost, reason: Option<&str>| {
            let counts = Counts { frames: 9, frames_lost, marks_lost: frames_lost / 3, faces: 9, ..Counts::default() };
            trouble(Ok(Some(SavedSession { folder: "talk".into(), counts, reason: reason.map(EndReason::new) })))
        };
        assert_eq!(ended(0, None), None);
        assert_eq!(trouble(Ok(None)), None);
        let full = ended(3, Some("the disk is full")).unwrap();
        assert_eq!(
            full,
            "warning: the recording in talk has ended: the disk is full; 3 frames and 1 mark could not be recorded"
        );
        let cut = ended(0, Some("the disk is full")).unwrap();
        assert_eq!(cut, "warning: the recording in talk has ended: the disk is full");
        let slow = ended(3, None).unwrap();
        assert_eq!(slow, "warning: the recording in talk lacks 3 frames and 1 mark: the disk is too slow");
        let failed = trouble(Err(anyhow::anyhow!("no folder"))).unwrap();
        assert_eq!(failed, "error: the camera isn't recorded: no folder");
    }
}
