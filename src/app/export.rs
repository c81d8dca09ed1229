//! An export that runs in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use super::session::Wake;
use super::toasts::Toasts;
use crate::recording::{Export, ExportProblem, Exported};

/// An export on its own thread. If it is dropped unfinished, it leaves no file.
pub(super) struct RunningExport {
    /// Folder of the recording.
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    frames_done: Arc<AtomicU64>,
    frames: u64,
    result: Receiver<Result<Exported, ExportProblem>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningExport {
    /// Starts an export.
    ///
    /// # Errors
    /// When the system can't start another thread.
    pub(super) fn start(export: Export, wake: Wake) -> std::io::Result<Self> {
        let (stop, frames_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (frames, folder) = (export.recording.frames.len() as u64, export.recording.folder().to_owned());
        let (sender, result) = bounded(1);
        let (asked_to_stop, done) = (Arc::clone(&stop), Arc::clone(&frames_done));
        let thread = std::thread::Builder::new().name("mien-export".to_owned()).spawn(move || {
            let mut percent = 0;
            let run = || {
                export.run(&asked_to_stop, |_| {
                    let now = (done.fetch_add(1, Ordering::Relaxed) + 1) * 100 / frames.max(1);
                    if now > percent {
                        percent = now;
                        wake();
                    }
                })
            };
            if let Ok(exported) = catch_unwind(AssertUnwindSafe(run)) {
                // Can't fail: dropping a `RunningExport` joins this thread before it drops the receiver.
                sender.send(exported).ok();
            }
            // Drop it before waking the window: after a panic, the closed channel says that no result will come.
            drop(sender);
            wake();
        })?;
        Ok(Self { folder, stop, frames_done, frames, result, thread: Some(thread) })
    }

    /// Asks it to stop; [`Self::has_ended`] tells when it has.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn percent(&self) -> u64 {
        (self.frames_done.load(Ordering::Relaxed) * 100 / self.frames.max(1)).min(100)
    }

    /// Whether it has ended. If so, shows how.
    pub(super) fn has_ended(&self, toasts: &mut Toasts) -> bool {
        let result = match self.result.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => {
                toasts.error("The export has crashed, which is a bug in Mien");
                return true;
            }
        };
        let folder = self.folder.display();
        match result {
            Ok(Exported { video, table, marks, complaints }) => {
                let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let names = [&video, &table, &marks].map(name).join(", ");
                toasts.news(format!("Exported to {}: {names}", video.parent().unwrap_or(&video).display()));
                complaints.into_iter().for_each(|complaint| toasts.error(format!("Export: {complaint}")));
            }
            Err(ExportProblem::Write(problem)) => toasts.error(format!(
                "{problem}. To export to another folder: mien replay {folder} --headless --output FOLDER"
            )),
            // Not an error: the user cancelled it.
            Err(ExportProblem::Stopped(_)) => toasts.news("The export was cancelled; no files were kept"),
            Err(problem) => toasts.error(problem.to_string()),
        }
        true
    }
}

impl Drop for RunningExport {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches its panics, and `has_ended` reports them.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_crashed_has_ended_and_says_so() {
        let (sender, result) = bounded(1);
        let export = RunningExport {
            folder: "/recording".into(),
            stop: Arc::default(),
            frames_done: Arc::default(),
            frames: 10,
            result,
            thread: None,
        };
        let mut toasts = Toasts::default();
        assert!(!export.has_ended(&mut toasts) && toasts.shown().is_empty());
        drop(sender);
        assert!(export.has_ended(&mut toasts));
        assert!(toasts.shown()[0].is_error && toasts.shown()[0].text.contains("has crashed"));
    }
}
