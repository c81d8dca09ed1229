//! Recording a camera that is watched without a window.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use crate::blur::Blur;
use crate::console;
use crate::detect::DetectionOptions;
use crate::exit::TryAgain;
use crate::network::NetworkInUse;
use crate::pipeline::{Event, Live};
use crate::recording::{Counts, EndReason, RecordingEvent, SessionWriter, Subject, Waiting};
use crate::source::SourceInfo;
use crate::stages::StageChoices;

/// Where recordings go, and the settings that they share, whichever camera they are of.
#[derive(Clone)]
pub struct RecordingPlan {
    parent: PathBuf,
    network: NetworkInUse,
    smoothing: Option<Duration>,
    detection: DetectionOptions,
    blur: Option<Blur>,
    /// Shared by all recordings of the plan: the frames of many visitors that wait for the disk take no more memory than those of one.
    waiting: Waiting,
}

impl RecordingPlan {
    /// Plans recordings in new folders in `parent`.
    pub fn new(parent: PathBuf, network: NetworkInUse, choices: &StageChoices, blur: Option<Blur>) -> Self {
        let StageChoices { smoothing, detection, .. } = *choices;
        Self { parent, network, smoothing, detection, blur, waiting: Waiting::default() }
    }

    /// Starts a recording of this camera.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn begin(&self, source: SourceInfo) -> io::Result<SessionWriter> {
        let Self { parent, network, smoothing, detection, blur, waiting } = self.clone();
        SessionWriter::start(parent, Subject { source, network, smoothing, detection, blur }, waiting, || ())
    }
}

/// A recording that starts when the camera opens.
pub struct HeadlessWriter {
    plan: RecordingPlan,
    writer: Option<SessionWriter>,
}

/// The result of a recording.
#[derive(Debug, Serialize)]
pub struct SavedSession {
    pub folder: PathBuf,
    #[serde(flatten)]
    pub counts: Counts,
    /// Why it ended early, or isn't complete.
    pub reason: Option<EndReason>,
}

impl HeadlessWriter {
    pub fn new(plan: RecordingPlan) -> Self {
        Self { plan, writer: None }
    }

    /// Starts when the camera opens, and marks when it is lost and comes back.
    pub fn note(&mut self, event: &Event, live: &Live) -> anyhow::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.note(event);
        } else if let Event::Opened(source) = event {
            let writer = self.plan.begin(source.clone()).context("can't record")?;
            live.set_tap(Some(writer.tap()));
            self.writer = Some(writer);
        }
        Ok(())
    }

    /// Tells the user about events. Returns the result once the recording has ended on its own.
    pub fn tell(&self) -> anyhow::Result<Option<SavedSession>> {
        tell(self.writer.iter().flat_map(SessionWriter::events))
    }

    /// Ends the recording, waits until it is on disk, and returns the result unless [`Self::tell`] has.
    pub fn finish(self) -> anyhow::Result<Option<SavedSession>> {
        tell(self.writer.map(SessionWriter::finish).unwrap_or_default())
    }
}

fn tell(events: impl IntoIterator<Item = RecordingEvent>) -> anyhow::Result<Option<SavedSession>> {
    let mut ended = None;
    for event in events {
        match event {
            RecordingEvent::Started(folder) => console::tell(&format!("Recording to {}", folder.display())),
            RecordingEvent::Warning(text) => console::tell(&text),
            RecordingEvent::Ended { folder, counts, reason } => ended = Some(SavedSession { folder, counts, reason }),
            RecordingEvent::Failed(reason) => return Err(failure(&reason, reason.words.clone())),
            RecordingEvent::Marked { .. } => {}
        }
    }
    Ok(ended)
}

/// The error, in these words, of a recording that ended or could not start for this reason. A full disk may have room later.
pub(super) fn failure(reason: &EndReason, words: String) -> anyhow::Error {
    if reason.is_disk_full { TryAgain(words).into() } else { anyhow!(words) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{TRY_AGAIN, code};

    #[test]
    fn a_recording_that_a_full_disk_ends_may_be_tried_again_and_others_may_not() {
        let ended = |reason: &EndReason| {
            let reason = Some(reason.clone());
            let ended = RecordingEvent::Ended { folder: "talk".into(), counts: Counts::default(), reason };
            let reason = tell([ended]).unwrap().and_then(|saved| saved.reason).unwrap();
            failure(&reason, format!("the recording has ended: {reason}"))
        };
        let begun = |reason: &EndReason| tell([RecordingEvent::Failed(reason.clone())]).unwrap_err();
        let words = "can't write to session.json: no space left on device";
        let no_room = EndReason { words: words.to_owned(), is_disk_full: true };
        for error in [ended(&no_room), begun(&no_room)] {
            assert_eq!(code(&error), TRY_AGAIN, "{error}");
        }
        assert_eq!(begun(&no_room).to_string(), words);
        let other = EndReason::new("the disk is full of holes");
        assert_eq!((code(&ended(&other)), code(&begun(&other))), (1, 1));
    }

    #[test]
    fn the_reason_is_one_text_in_json() {
        let saved = |reason| {
            let saved = SavedSession { folder: "talk".into(), counts: Counts::default(), reason };
            serde_json::to_value(saved).unwrap()
        };
        let reason = EndReason { words: "the disk is full".to_owned(), is_disk_full: true };
        let expected = serde_json::json!({
            "folder": "talk", "frames": 0, "frames_lost": 0, "labels_lost": 0, "marks_lost": 0, "faces": 0,
            "reason": "the disk is full",
        });
        assert_eq!(saved(Some(reason)), expected);
        assert_eq!(saved(None)["reason"], serde_json::Value::Null);
    }
}
