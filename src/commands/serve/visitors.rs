//! What visitors' cameras send, recorded where the operator asks for it: a folder for each visitor.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use mien_serve::RecordVisitor;

use crate::blur::Blur;
use crate::console::tell;
use crate::frame::Frame;
use crate::network::NetworkInUse;
use crate::pipeline::{Scene, Tap};
use crate::recording::{RecordingEvent, SessionWriter, Subject};
use crate::source::{SourceInfo, SourceKind};
use crate::stages::StageChoices;

/// The recordings of all visitors.
pub(super) struct VisitorRecordings(Arc<Shared>);

struct Shared {
    parent: PathBuf,
    /// Without a visitor's name and size.
    subject: Subject,
    /// Those whose visitor has gone, while they are completed.
    ending: Mutex<Vec<JoinHandle<()>>>,
}

impl VisitorRecordings {
    /// Recordings in new folders in `parent`.
    pub fn new(parent: PathBuf, network: NetworkInUse, choices: &StageChoices, blur: Option<Blur>) -> Self {
        let StageChoices { smoothing, detection, .. } = *choices;
        let source = SourceInfo {
            name: String::new(),
            kind: SourceKind::Camera,
            width: 0,
            height: 0,
            fps: 0.0,
            fourcc: String::new(),
        };
        let subject = Subject { source, network, smoothing, detection, blur };
        Self(Arc::new(Shared { parent, subject, ending: Mutex::default() }))
    }

    /// What the server calls when a visitor's first picture has come, or one of another size.
    pub fn starter(&self) -> RecordVisitor {
        let shared = Arc::clone(&self.0);
        Box::new(move |number, width, height| {
            let mut subject = shared.subject.clone();
            subject.source = SourceInfo { name: format!("visitor {number}"), width, height, ..subject.source };
            match SessionWriter::start(shared.parent.clone(), subject, || ()) {
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

    /// Waits until everything is on the disk. The server has ended, so nobody begins another one.
    pub fn finish(self) {
        let ending = std::mem::take(&mut *self.0.ending());
        for thread in ending {
            // It tells of its trouble itself.
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
        // Elsewhere: the thread that drops it has other visitors to serve.
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
            RecordingEvent::Ended { folder, reason: Some(reason), .. } => {
                tell(&format!("warning: the recording in {} has ended: {reason}", folder.display()));
            }
            RecordingEvent::Failed(reason) => tell(&format!("error: visitor {number} isn't recorded: {reason}")),
            RecordingEvent::Ended { .. } | RecordingEvent::Marked { .. } => {}
        }
    }
}
