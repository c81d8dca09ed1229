//! The JSON lines of a watched camera. A reader that is too slow loses lines, and holds nothing up.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::classes::Classes;
use crate::export::{FaceLines, LinesError};
use crate::interrupt;
use crate::pipeline::Scene;

/// Frames whose lines may wait for the reader: eight seconds of a usual camera, in addition to the 64 KiB that a pipe holds.
const WAITING: usize = 256;

/// At the end, a reader that takes no frame for this long counts as stopped. A slow reader that goes on gets everything that waits. After
/// Ctrl-C, the reader gets only this much time.
const STOPPED_AFTER: Duration = Duration::from_secs(2);

/// JSON lines that are written by a separate thread.
pub(super) struct LineStream {
    lines: FaceLines<Queue>,
    unwritten: Arc<AtomicU64>,
    ended: Receiver<io::Result<()>>,
}

impl LineStream {
    /// Starts writing lines to `out`, for faces with these classes.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(mut out: impl Write + Send + 'static, classes: &Classes) -> io::Result<Self> {
        let (sender, waiting) = bounded(WAITING);
        let (end, ended) = bounded(1);
        let unwritten = Arc::new(AtomicU64::new(0));
        let (written, taken) = (Arc::clone(&unwritten), waiting.clone());
        thread::Builder::new().name("mien-lines".to_owned()).spawn(move || {
            // Nobody receives this if the reader had stopped.
            end.send(write(&mut out, &taken, &written)).ok();
        })?;
        let queue = Queue { sender, waiting, unwritten: Arc::clone(&unwritten) };
        Ok(Self { lines: FaceLines::new(queue, classes), unwritten, ended })
    }

    /// Queues the faces of a frame for writing. Never waits: if the queue is full, the oldest frame is dropped.
    ///
    /// # Errors
    /// When the reader has gone, or lines of an earlier frame could not be written.
    pub fn push(&mut self, source: &str, scene: &Scene) -> Result<(), LinesError> {
        if let Ok(Err(error)) = self.ended.try_recv() {
            return Err(lines_error(error));
        }
        self.lines.push(source, scene)
    }

    /// Waits until everything is written, the reader has stopped, or its time after Ctrl-C is over; returns the number of lines left out.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(self) -> Result<u64, LinesError> {
        let Self { lines, unwritten, ended } = self;
        // The thread ends once it has written what waits.
        drop(lines);
        loop {
            let before = unwritten.load(Ordering::Relaxed);
            match ended.recv_timeout(STOPPED_AFTER) {
                Err(RecvTimeoutError::Timeout)
                    if unwritten.load(Ordering::Relaxed) < before && !interrupt::requested() => {}
                Ok(Err(error)) => return Err(lines_error(error)),
                // A thread that is blocked by its reader ends with the program.
                Ok(Ok(())) | Err(_) => return Ok(unwritten.load(Ordering::Relaxed)),
            }
        }
    }
}

/// The loop of the thread: writes until no more lines come, or one can't be written.
fn write(out: &mut impl Write, waiting: &Receiver<Vec<u8>>, unwritten: &AtomicU64) -> io::Result<()> {
    for lines in waiting {
        out.write_all(&lines)?;
        out.flush()?;
        unwritten.fetch_sub(count(&lines), Ordering::Relaxed);
    }
    Ok(())
}

fn lines_error(error: io::Error) -> LinesError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => LinesError::Closed,
        _ => LinesError::Write(error),
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What [`FaceLines`] writes to. Each write contains the lines of one frame.
struct Queue {
    sender: Sender<Vec<u8>>,
    /// A second receiver, to drop the oldest frame.
    waiting: Receiver<Vec<u8>>,
    /// Number of lines that were queued but not written.
    unwritten: Arc<AtomicU64>,
}

impl Write for Queue {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.unwritten.fetch_add(count(lines), Ordering::Relaxed);
        let mut newest = lines.to_vec();
        while let Err(TrySendError::Full(back)) = self.sender.try_send(newest) {
            newest = back;
            // May be empty, if the thread took one meanwhile; then there is room.
            self.waiting.try_recv().ok();
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};
    use std::time::Instant;

    use crossbeam_channel::unbounded;
    use serde_json::Value;

    use super::*;
    use crate::emotion::Emotion;
    use crate::export::testing::scene;

    /// A reader that takes one write for each message in `go`, and announces each write in `stands`.
    struct Reader {
        stands: Sender<()>,
        go: Receiver<()>,
        read: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.stands.send(()).ok();
            self.go.recv().map_err(|_gone| io::Error::from(io::ErrorKind::BrokenPipe))?;
            self.read.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A stream whose first frame is waiting at the reader, the channel whose messages let the reader take writes, and what it has read.
    fn stream_before_reader() -> (LineStream, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let ((stands, standing), (words, go)) = (unbounded(), unbounded());
        let read = Arc::new(Mutex::new(Vec::new()));
        let reader = Reader { stands, go, read: Arc::clone(&read) };
        let mut stream = LineStream::start(reader, &Classes::emotions()).unwrap();
        stream.push("a camera", &scene(0, Emotion::Happy)).unwrap();
        standing.recv_timeout(Duration::from_secs(20)).unwrap();
        (stream, words, read)
    }

    #[test]
    fn a_reader_who_stands_still_loses_the_oldest_lines_and_gets_the_others_when_it_goes_on() {
        let (mut stream, words, read) = stream_before_reader();
        let last = WAITING as u64 + 9;
        for index in 1..=last {
            stream.push("a camera", &scene(index, Emotion::Happy)).unwrap();
        }
        (0..=WAITING).for_each(|_| words.send(()).unwrap());
        assert_eq!(stream.finish().unwrap(), 9);
        let text = String::from_utf8(read.lock().unwrap().clone()).unwrap();
        let frame = |line: &str| serde_json::from_str::<Value>(line).unwrap()["frame"].as_u64().unwrap();
        let wanted: Vec<u64> = std::iter::once(0).chain(10..=last).collect();
        assert_eq!(text.lines().map(frame).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn a_reader_who_has_stopped_does_not_keep_the_end_waiting() {
        let (mut stream, words, read) = stream_before_reader();
        stream.push("a camera", &scene(1, Emotion::Happy)).unwrap();
        assert_eq!(stream.finish().unwrap(), 2);
        assert!(read.lock().unwrap().is_empty());
        drop(words);
    }

    #[test]
    fn a_reader_who_has_gone_is_told_with_a_later_frame_or_at_the_end() {
        let (stream, words, _) = stream_before_reader();
        drop(words);
        assert!(matches!(stream.finish(), Err(LinesError::Closed)));

        let (mut stream, words, _) = stream_before_reader();
        drop(words);
        let mut empty = scene(1, Emotion::Happy);
        empty.faces.clear();
        let deadline = Instant::now() + Duration::from_secs(20);
        let closed = loop {
            // A frame without a face reports it too.
            match stream.push("a camera", &empty) {
                Ok(()) => assert!(Instant::now() < deadline, "nobody says that the reader has gone"),
                Err(error) => break error,
            }
            thread::sleep(Duration::from_millis(2));
        };
        assert!(matches!(closed, LinesError::Closed));
    }
}
