//! The recordings of a camera session, and the marks that the program itself adds to them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::session::{Plan, Wake};
use crate::blur::Blur;
use crate::detect::DetectionOptions;
use crate::network::NetworkInUse;
use crate::pipeline::{Command, Event, Tap};
use crate::recording::{EndReason, Progress, RecordingEvent, SessionWriter, Subject, Waiting};
use crate::source::{SourceInfo, SourceKind};

/// How long a value must stay unchanged before its change is marked: a dragged slider changes many times.
const SETTLED: Duration = Duration::from_millis(700);

/// Starts and ends recordings, and marks changes that affect their results.
pub(super) struct MarkingWriter {
    writer: Option<SessionWriter>,
    wake: Wake,
    source: Option<SourceInfo>,
    smoothing: Option<Duration>,
    detection: DetectionOptions,
    blur: Option<Blur>,
    /// Changes that a newer one may still replace.
    settling: Vec<Change>,
    /// Events to report besides those of the current writer.
    events: Vec<RecordingEvent>,
}

/// A change that the program marks: of what, when, and the new value.
struct Change {
    of: &'static str,
    at: Instant,
    to: String,
}

impl MarkingWriter {
    pub(super) fn new(plan: &Plan, wake: Wake) -> Self {
        Self {
            writer: None,
            wake,
            source: None,
            smoothing: plan.smoothing,
            detection: plan.detection,
            blur: plan.blur,
            settling: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Starts a recording and returns its tap for the pipeline. If it can't be started, an event says why.
    pub(super) fn start(&mut self, folder: PathBuf, network: Option<NetworkInUse>) -> Option<Arc<dyn Tap>> {
        let source = self.source.clone().filter(|source| source.kind == SourceKind::Camera);
        let (Some(source), Some(network)) = (source, network) else {
            let why = "the camera hasn't shown its first labelled picture yet";
            self.events.push(RecordingEvent::Failed(EndReason::new(why)));
            return None;
        };
        // Wait for a recording that is still ending.
        let before = self.finish();
        self.events.extend(before);
        let subject =
            Subject { source, network, smoothing: self.smoothing, detection: self.detection, blur: self.blur };
        let wake = self.wake.clone();
        match SessionWriter::start(folder, subject, Waiting::default(), move || wake()) {
            Ok(writer) => Some(self.writer.insert(writer).tap()),
            Err(error) => {
                let why = format!("a thread can't be started: {error}; close other programs and try again");
                self.events.push(RecordingEvent::Failed(EndReason::new(why)));
                None
            }
        }
    }

    pub(super) fn end(&mut self) {
        self.settle(Duration::ZERO);
        if let Some(writer) = &self.writer {
            writer.end();
        }
    }

    pub(super) fn finish(&mut self) -> Vec<RecordingEvent> {
        self.settle(Duration::ZERO);
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.writer.take().map(SessionWriter::finish).unwrap_or_default());
        events
    }

    pub(super) fn mark(&self, at: Instant, text: String) {
        if let Some(writer) = &self.writer {
            writer.mark(at, text);
        }
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        self.writer.as_ref().map(SessionWriter::progress)
    }

    pub(super) fn take_events(&mut self) -> Vec<RecordingEvent> {
        self.settle(SETTLED);
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.writer.iter().flat_map(SessionWriter::events));
        if events.iter().any(RecordingEvent::is_end) {
            self.writer = None;
        }
        events
    }

    /// Notes events of the pipeline, and marks those that affect the results.
    pub(super) fn note_events(&mut self, events: &[Event], network: Option<&NetworkInUse>) {
        for event in events {
            if let Some(writer) = &mut self.writer {
                writer.note(event);
            }
            match event {
                Event::Opened(info) => self.source = Some(info.clone()),
                Event::ClassifierReady => {
                    if let Some(network) = network {
                        self.mark(Instant::now(), format!("model: {network}"));
                    }
                }
                _ => {}
            }
        }
    }

    /// Notes commands to the pipeline, and marks those that affect the results.
    pub(super) fn note_command(&mut self, command: &Command) {
        match command {
            Command::SetSmoothing(constant) => {
                self.smoothing = *constant;
                let to = constant.map_or_else(|| "off".to_owned(), |it| format!("{:.2} s", it.as_secs_f64()));
                self.change("smoothing", to);
            }
            Command::SetDetection(options) => {
                self.detection = *options;
                self.change("detection", serde_json::to_string(options).unwrap_or_default());
            }
            Command::Pause => self.mark(Instant::now(), "recording: paused".to_owned()),
            Command::Resume => self.mark(Instant::now(), "recording: resumed".to_owned()),
            _ => {}
        }
    }

    fn change(&mut self, of: &'static str, to: String) {
        self.settling.retain(|change| change.of != of);
        self.settling.push(Change { of, at: Instant::now(), to });
    }

    /// Marks the pending changes that are at least `than` old.
    fn settle(&mut self, than: Duration) {
        for Change { of, at, to } in self.settling.extract_if(.., |change| change.at.elapsed() >= than) {
            if let Some(writer) = &self.writer {
                writer.mark(at, format!("{of}: {to}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::session::{CameraMode, Source};
    use crate::pipeline::NetworkChoice;
    use crate::recording::{MARKS, read_marks};
    use crate::source::CameraDevice;

    fn marking_writer() -> MarkingWriter {
        let plan = Plan {
            source: Source::Camera(CameraDevice::Index(0)),
            camera_mode: CameraMode::default(),
            recording: None,
            network: NetworkChoice::default(),
            smoothing: None,
            detection: DetectionOptions::default(),
            blur: None,
            speed: 1.0,
            repeat: false,
        };
        MarkingWriter::new(&plan, Arc::new(|| ()))
    }

    fn network(model: &str) -> NetworkInUse {
        let text = str::to_owned;
        let (sha256, prior, device) = (text("abc"), text("uniform"), text("CPU, 1 thread"));
        NetworkInUse { model: text(model), sha256, prior, device, ..NetworkInUse::default() }
    }

    fn opened() -> Event {
        Event::Opened(SourceInfo {
            name: "Desk cam".to_owned(),
            kind: SourceKind::Camera,
            width: 64,
            height: 48,
            fps: 30.0,
            fourcc: "MJPG".to_owned(),
        })
    }

    #[test]
    fn before_the_camera_is_open_nothing_is_recorded_and_an_event_says_so() {
        let home = tempfile::tempdir().unwrap();
        let mut writer = marking_writer();
        assert!(writer.start(home.path().to_owned(), Some(network("mien"))).is_none());
        let events = writer.take_events();
        assert!(
            matches!(events.as_slice(), [RecordingEvent::Failed(why)] if why.words.contains("first labelled picture"))
        );
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_changes_the_results_is_marked_and_a_dragged_slider_once() {
        let home = tempfile::tempdir().unwrap();
        let mut writer = marking_writer();
        writer.note_events(&[opened()], None);
        // A change before the recording goes into its metadata and isn't marked.
        writer.note_command(&Command::SetSmoothing(Some(Duration::from_millis(100))));
        writer.settle(Duration::ZERO);
        writer.start(home.path().to_owned(), Some(network("mien"))).unwrap();
        for ms in [200, 300, 450] {
            writer.note_command(&Command::SetSmoothing(Some(Duration::from_millis(ms))));
        }
        writer.settle(Duration::ZERO);
        writer.note_events(&[Event::ClassifierReady], Some(&network("other")));
        let lost = || Event::CameraLost { reason: "gone".to_owned(), busy: false, retry_in: Duration::from_secs(1) };
        writer.note_events(&[lost(), Event::Opening, lost(), Event::Opening, opened()], None);
        writer.note_command(&Command::Pause);
        writer.note_command(&Command::SetSmoothing(None));

        let events = writer.finish();
        let Some(RecordingEvent::Ended { folder, reason: None, .. }) = events.last() else { panic!("{events:?}") };
        let marks = read_marks(&folder.join(MARKS)).unwrap();
        let texts: Vec<&str> = marks.iter().map(|mark| mark.text.as_str()).collect();
        let expected = [
            "smoothing: 0.45 s",
            "model: other on CPU, 1 thread, uniform prior",
            "camera: lost",
            "camera: back",
            "recording: paused",
            "smoothing: off",
        ];
        assert_eq!(texts, expected);
        assert!(writer.progress().is_none());
    }
}
