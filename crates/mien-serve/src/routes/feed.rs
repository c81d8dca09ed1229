//! The output of the server's source, for each kind of reader. A slow reader misses scenes and gets the newest.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::broadcast::{self, Broadcast, Shown};
use crate::limits::PING_INTERVAL;
use crate::protocol::{ServerMessage, SourceReport, SourceState};

/// What a reader gets next.
pub(super) enum Piece {
    /// A scene, or how the source is doing, as JSON.
    Words(Utf8Bytes),
    /// A frame.
    Picture(Arc<Shown>),
    /// A sign of life after a silence.
    Beat,
}

/// A kind of reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The page: frames and the source's state. The state is repeated while nothing else comes, because scripts can't see pings.
    Page,
    /// The overlay: as the page, with scenes instead of frames.
    Overlay,
    /// A program: scenes. When the source is lost, the last one is repeated once without its faces.
    Program,
    /// A viewer of the MJPEG stream: frames. The last one is repeated while none comes.
    Viewer,
}

/// The source's output for one reader.
pub(super) struct Feed {
    reader: Reader,
    scenes: watch::Receiver<Option<Arc<Shown>>>,
    states: watch::Receiver<SourceReport>,
    /// For a program: its last scene without the faces, until that has been sent.
    emptied: Option<Utf8Bytes>,
    /// Longest time without a piece. After that, a reader gets the state or the last frame again, or a beat.
    beat: Duration,
    /// When the last piece came.
    came: Instant,
}

impl Feed {
    /// Creates the feed of a new reader.
    pub fn new(broadcast: &Broadcast, reader: Reader) -> Self {
        Self::of(broadcast.scenes(), broadcast.states(), reader, PING_INTERVAL)
    }

    pub(super) fn of(
        mut scenes: watch::Receiver<Option<Arc<Shown>>>,
        mut states: watch::Receiver<SourceReport>,
        reader: Reader,
        beat: Duration,
    ) -> Self {
        let mut emptied = None;
        if matches!(reader, Reader::Program | Reader::Overlay) && !has_picture(&states.borrow()) {
            // Whoever connects after the source was lost doesn't get the last faces.
            emptied = scenes.borrow_and_update().as_ref().map(|shown| shown.emptied.clone());
        }
        // The page gets the state at once.
        states.mark_changed();
        Self { reader, scenes, states, emptied, beat, came: Instant::now() }
    }

    /// Waits for the next piece; `None` when the source has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Piece> {
        let due = self.came + self.beat;
        let piece = tokio::select! {
            piece = self.news() => piece?,
            () = sleep_until(due) => self.again(),
        };
        self.came = Instant::now();
        Some(piece)
    }

    async fn news(&mut self) -> Option<Piece> {
        match self.reader {
            Reader::Page | Reader::Overlay => tokio::select! {
                // The last frame is sent before the state that says it was the last.
                biased;
                shown = broadcast::next(&mut self.scenes) => shown.map(|shown| match self.reader {
                    Reader::Overlay => Piece::Words(shown.json.clone()),
                    _ => Piece::Picture(shown),
                }),
                changed = self.states.changed() => changed.ok().map(|()| self.state()),
            },
            Reader::Program => self.scene().await.map(Piece::Words),
            Reader::Viewer => broadcast::next(&mut self.scenes).await.map(Piece::Picture),
        }
    }

    /// The next scene for a program.
    async fn scene(&mut self) -> Option<Utf8Bytes> {
        loop {
            let is_gone = !has_picture(&self.states.borrow_and_update());
            // Frames that were still being processed come first.
            if is_gone
                && !self.scenes.has_changed().ok()?
                && let Some(emptied) = self.emptied.take()
            {
                return Some(emptied);
            }
            tokio::select! {
                shown = broadcast::next(&mut self.scenes) => {
                    let shown = shown?;
                    self.emptied = Some(shown.emptied.clone());
                    return Some(shown.json.clone());
                }
                changed = self.states.changed() => changed.ok()?,
            }
        }
    }

    /// What is sent when nothing new comes.
    fn again(&self) -> Piece {
        match self.reader {
            Reader::Page | Reader::Overlay => self.state(),
            Reader::Program => Piece::Beat,
            Reader::Viewer => self.scenes.borrow().clone().map_or(Piece::Beat, Piece::Picture),
        }
    }

    fn state(&self) -> Piece {
        Piece::Words(ServerMessage::Source(self.states.borrow().clone()).json().into())
    }
}

fn has_picture(report: &SourceReport) -> bool {
    report.state == SourceState::Playing
}

#[cfg(test)]
mod tests {
    use mien_core::classes::Classes;
    use mien_core::face::{Face, FaceId, FaceRect};
    use mien_core::probabilities::Probabilities;
    use mien_vision::frame::Frame;
    use mien_vision::pipeline::{Scene, StageTimings};
    use opencv::core::{CV_8UC3, Mat, Scalar};
    use serde_json::Value;

    use super::*;

    /// No test waits this long.
    const NEVER: Duration = Duration::from_secs(3600);

    fn report(state: SourceState) -> SourceReport {
        SourceReport { state, message: String::new() }
    }

    /// A frame of this number with a face.
    fn shown(index: u64) -> Option<Arc<Shown>> {
        let classes = Classes::new(["tired", "awake"].map(str::to_owned).into()).unwrap();
        let even = Probabilities::from_weights(&[1.0, 1.0]).unwrap();
        let rect = FaceRect { x: 1.0, y: 2.0, width: 9.0, height: 9.0 };
        let face = Face { id: FaceId(1), rect, score: 0.9, landmarks: None, quality: None, raw: even, smoothed: even };
        let image = Mat::new_rows_cols_with_default(12, 16, CV_8UC3, Scalar::all(90.0)).unwrap();
        let now = std::time::Instant::now();
        let frame = Frame { index, media_time: Duration::ZERO, captured_at: now, image: image.into() };
        let timings = StageTimings::default();
        let scene = Scene { frame, picture: None, classes, faces: vec![face], timings, labelled_at: now };
        Some(Arc::new(Shown::new("camera 0", scene, |_picture, _faces, _classes| Ok(()))))
    }

    /// The next scene's frame number and number of faces.
    async fn counted(feed: &mut Feed) -> (u64, usize) {
        let Some(Piece::Words(words)) = feed.next().await else { panic!("no scene") };
        let scene: Value = serde_json::from_str(words.as_str()).unwrap();
        (scene["frame"].as_u64().unwrap(), scene["faces"].as_array().unwrap().len())
    }

    #[tokio::test]
    async fn a_program_is_told_once_that_nobody_is_there_when_the_source_has_gone() {
        let (to_scenes, scenes) = watch::channel(None);
        let (to_states, states) = watch::channel(report(SourceState::Playing));
        let mut feed = Feed::of(scenes.clone(), states.clone(), Reader::Program, NEVER);
        to_scenes.send_replace(shown(7));
        assert_eq!(counted(&mut feed).await, (7, 1));
        // A frame that was being processed when the camera was lost is sent unchanged.
        to_states.send_replace(report(SourceState::Lost));
        to_scenes.send_replace(shown(8));
        assert_eq!([counted(&mut feed).await, counted(&mut feed).await], [(8, 1), (8, 0)]);
        // A failed retry sends nothing; the camera's return does.
        to_states.send_replace(report(SourceState::Opening));
        to_states.send_replace(report(SourceState::Playing));
        to_scenes.send_replace(shown(0));
        assert_eq!(counted(&mut feed).await, (0, 1));

        // A program that connects while the source is lost doesn't get the last faces.
        to_states.send_replace(report(SourceState::Failed));
        let mut late = Feed::of(scenes, states, Reader::Program, NEVER);
        assert_eq!(counted(&mut late).await, (0, 0));
        drop(to_scenes);
        assert!(late.next().await.is_none());
    }

    #[tokio::test]
    async fn where_nothing_comes_each_reader_gets_a_sign_of_life() {
        let (_scenes, scenes) = watch::channel(shown(3));
        let (_states, states) = watch::channel(report(SourceState::Lost));
        let feed = |reader| Feed::of(scenes.clone(), states.clone(), reader, Duration::ZERO);
        for reader in [Reader::Page, Reader::Overlay] {
            let mut page = feed(reader);
            for _ in 0..3 {
                let Some(Piece::Words(words)) = page.next().await else { panic!("no words") };
                assert!(words.as_str().contains(r#""state":"lost""#), "{words:?}");
            }
        }
        assert!(matches!(feed(Reader::Program).again(), Piece::Beat));
        assert!(matches!(feed(Reader::Viewer).next().await, Some(Piece::Picture(_))));
    }
}
