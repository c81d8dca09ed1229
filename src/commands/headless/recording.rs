//! Recording a camera that is watched without a window.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use crate::blur::Blur;
use crate::console;
use crate::detect::DetectionOptions;
use crate::exit::TryAgain;
use crate::network::NetworkInUse;
use crate::pipeline::{Event, Live};
use crate::recording::{Counts, DISK_FULL, RecordingEvent, SessionWriter, Subject};
use crate::source::SourceInfo;
use crate::stages::StageChoices;

/// Where recordings go, and what all of them are made with, whichever camera they are of.
#[derive(Clone)]
pub struct RecordingPlan {
    parent: PathBuf,
    network: NetworkInUse,
    smoothing: Option<Duration>,
    detection: DetectionOptions,
    blur: Option<Blur>,
}

impl RecordingPlan {
    /// Recordings in new folders in `parent`.
    pub fn new(parent: PathBuf, network: NetworkInUse, choices: &StageChoices, blur: Option<Blur>) -> Self {
        let StageChoices { smoothing, detection, .. } = *choices;
        Self { parent, network, smoothing, detection, blur }
    }

    /// Begins one of this camera.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn begin(&self, source: SourceInfo) -> io::Result<SessionWriter> {
        let Self { parent, network, smoothing, detection, blur } = self.clone();
        SessionWriter::start(parent, Subject { source, network, smoothing, detection, blur }, || ())
    }
}

/// A recording from the first picture of a camera on.
pub struct HeadlessWriter {
    plan: RecordingPlan,
    writer: Option<SessionWriter>,
    camera_lost: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct SavedSession {
    pub folder: PathBuf,
    #[serde(flatten)]
    pub counts: Counts,
    /// Why it ended early, or isn't whole.
    pub reason: Option<String>,
}

impl HeadlessWriter {
    pub fn new(plan: RecordingPlan) -> Self {
        Self { plan, writer: None, camera_lost: false }
    }

    /// Begins when the camera is open, and marks when it goes and comes back.
    pub fn note(&mut self, event: &Event, live: &Live) -> anyhow::Result<()> {
        match (event, &self.writer) {
            (Event::Opened(source), None) => {
                let writer = self.plan.begin(source.clone()).context("can't record")?;
                live.set_tap(Some(writer.tap()));
                self.writer = Some(writer);
            }
            (Event::Opened(_), Some(writer)) if self.camera_lost => {
                self.camera_lost = false;
                writer.mark(Instant::now(), "camera: back".to_owned());
            }
            (Event::CameraLost { .. }, Some(writer)) if !self.camera_lost => {
                self.camera_lost = true;
                writer.mark(Instant::now(), "camera: lost".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the user what happens. `ended` is set when it has ended by itself.
    pub fn tell(&self, ended: &mut Option<SavedSession>) -> anyhow::Result<()> {
        tell(self.writer.iter().flat_map(SessionWriter::events).collect(), ended)
    }

    /// Ends it and waits until it is on the disk.
    pub fn finish(self, ended: &mut Option<SavedSession>) -> anyhow::Result<()> {
        tell(self.writer.map(SessionWriter::finish).unwrap_or_default(), ended)
    }
}

fn tell(events: Vec<RecordingEvent>, ended: &mut Option<SavedSession>) -> anyhow::Result<()> {
    for event in events {
        match event {
            RecordingEvent::Started(folder) => console::tell(&format!("Recording to {}", folder.display())),
            RecordingEvent::Warning(text) => console::tell(&text),
            RecordingEvent::Ended { folder, counts, reason } => *ended = Some(SavedSession { folder, counts, reason }),
            RecordingEvent::Failed(reason) => return Err(failure(&reason, reason.clone())),
            RecordingEvent::Marked { .. } => {}
        }
    }
    Ok(())
}

/// The error in these words of a recording that ended, or could not begin, for this reason. A full disk may have room later.
pub(super) fn failure(reason: &str, words: String) -> anyhow::Error {
    if reason.starts_with(DISK_FULL) { TryAgain(words).into() } else { anyhow!(words) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{TRY_AGAIN, code};

    #[test]
    fn a_recording_that_a_full_disk_ends_may_be_tried_again_and_others_may_not() {
        let ended = |reason: &str| {
            let ended = RecordingEvent::Ended {
                folder: "talk".into(),
                counts: Counts::default(),
                reason: Some(reason.to_owned()),
            };
            let mut saved = None;
            tell(vec![ended], &mut saved).unwrap();
            let reason = saved.and_then(|saved| saved.reason).unwrap();
            failure(&reason, format!("the recording has ended: {reason}"))
        };
        let begun = |reason: &str| tell(vec![RecordingEvent::Failed(reason.to_owned())], &mut None).unwrap_err();
        let no_room = format!("{DISK_FULL}: can't write to session.json");
        for error in [ended(DISK_FULL), ended(&no_room), begun(&no_room)] {
            assert_eq!(code(&error), TRY_AGAIN, "{error}");
        }
        assert_eq!(begun(&no_room).to_string(), no_room);
        let other = "the camera now sends 640×480 instead of 320×240; start another recording";
        assert_eq!((code(&ended(other)), code(&begun(other))), (1, 1));
    }
}
