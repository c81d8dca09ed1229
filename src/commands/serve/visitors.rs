//! Records what visitors' cameras send, if the operator asks for it: a folder for each visitor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use mien_serve::RecordVisitor;

use super::recording::lacking;
use crate::commands::headless::{RecordingPlan, SavedSession};
use crate::console::tell;
use crate::frame::Frame;
use crate::pipeline::{Scene, Tap};
use crate::recording::{RecordingEvent, SessionWriter};
use crate::source::{SourceInfo, SourceKind};

/// The recordings of all visitors.
pub(super) struct VisitorRecordings(Arc<Shared>);

struct Shared {
    plan: RecordingPlan,
    /// Threads that complete the recordings of visitors who have left.
    ending: Mutex<Vec<JoinHandle<()>>>,
}

impl VisitorRecordings {
    /// Creates recordings by this plan.
    pub fn new(plan: RecordingPlan) -> Self {
        Self(Arc::new(Shared { plan, ending: Mutex::default() }))
    }

    /// The function that the server calls for a visitor's first picture, or the first one of another size.
    pub fn starter(&self) -> RecordVisitor {
        let shared = Arc::clone(&self.0);
        Box::new(move |number, width, height| {
            let source = SourceInfo {
                name: format!("visitor {number}"),
                kind: SourceKind::Camera,
                width,
                height,
                // Neither is known beforehand.
                fps: 0.0,
                fourcc: String::new(),
            };
            match shared.plan.begin(source) {
                Ok(writer) => {
                    let tap = writer.tap();
                    let recording = VisitorRecording { number, writer: Some(writer), tap, shared: Arc::clone(&shared) };
                    Some(Arc::new(recording))
                }
                Err(error) => {
                    tell(&format!("error: visitor {number} isn't recorded: {error}"));
                    None
                }
            }
        })
    }

    /// Waits until everything is on disk. The server has ended, so no new recording can start.
    pub fn finish(self) {
        let ending = std::mem::take(&mut *self.0.ending());
        for thread in ending {
            // It reports its errors itself.
            thread.join().ok();
        }
    }
}

impl Shared {
    fn ending(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One visitor's recording, which ends when it is dropped.
struct VisitorRecording {
    number: u64,
    writer: Option<SessionWriter>,
    tap: Arc<dyn Tap>,
    shared: Arc<Shared>,
}

impl Tap for VisitorRecording {
    fn captured(&self, frame: &Frame) {
        self.tap.captured(frame);
    }

    fn labelled(&self, scene: &Scene) {
        self.tap.labelled(scene);
        report(self.number, self.writer.iter().flat_map(SessionWriter::events));
    }
}

impl Drop for VisitorRecording {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else { return };
        writer.end();
        let number = self.number;
        // On another thread, because the one that drops this has other visitors to serve.
        let ending = thread::Builder::new().name("mien-recording-end".to_owned());
        let Ok(thread) = ending.spawn(move || report(number, writer.finish())) else { return };
        let mut running = self.shared.ending();
        running.retain(|thread| !thread.is_finished());
        running.push(thread);
    }
}

fn report(number: u64, events: impl IntoIterator<Item = RecordingEvent>) {
    for event in events {
        match event {
            RecordingEvent::Started(folder) => tell(&format!("Recording visitor {number} to {}", folder.display())),
            RecordingEvent::Warning(text) => tell(&text),
            RecordingEvent::Ended { folder, counts, reason } => {
                if let Some(words) = lacking(&SavedSession { folder, counts, reason }) {
                    tell(&words);
                }
            }
            RecordingEvent::Failed(reason) => tell(&format!("error: visitor {number} isn't recorded: {reason}")),
            RecordingEvent::Marked { .. } => {}
        }
    }
}
