//! What the user can ask for. Panels and keys only request it; [`super::App`] carries it out.

use super::record::RecordAsk;
use super::replay::ReplayAsk;
use super::session::{Results, Source};
use super::settings::Settings;
use crate::face::FaceId;
use crate::pipeline::Command;

/// A request from the user.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Open(Source),
    AskForVideo,
    TryAgain,
    TogglePause,
    Stop,
    /// Send a command to the pipeline.
    Send(Command),
    /// Jump forward in a video, or back if negative.
    Jump {
        secs: f64,
    },
    /// Replace the settings.
    Change(Box<Settings>),
    /// Show this face's curves; `None` follows whoever is in the picture.
    Choose(Option<FaceId>),
    /// Turn mirroring on or off.
    ToggleMirror,
    ToggleFullScreen,
    LeaveFullScreen,
    Toggle(Pane),
    /// Hide the panels, or show them again.
    TogglePanels,
    LookForCameras,
    /// The list of cameras is open: look for new ones every now and then.
    PollCameras,
    Dismiss(u64),
    Replay(ReplayAsk),
    /// Show the recording with these results, from the current moment on.
    ShowResults(Results),
    /// Export the recording.
    Export,
    StopExport,
    Record(RecordAsk),
}

/// A part of the window that can be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Help,
    Settings,
    /// The bars beside the picture.
    Faces,
    Timeline,
}

/// The actions requested while the window is drawn.
#[derive(Debug, Default)]
pub(super) struct Asks(Vec<Action>);

impl Asks {
    pub(super) fn push(&mut self, action: Action) {
        self.0.push(action);
    }

    /// Requests a change to the settings.
    pub(super) fn change(&mut self, settings: &Settings, change: impl FnOnce(&mut Settings)) {
        // Apply it to a pending change, so that two changes in one repaint both take effect.
        let pending = self.0.iter_mut().rev().find_map(|action| match action {
            Action::Change(changed) => Some(changed),
            _ => None,
        });
        if let Some(changed) = pending {
            return change(changed);
        }
        let mut changed = settings.clone();
        change(&mut changed);
        self.push(Action::Change(Box::new(changed)));
    }

    pub(super) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_changes_of_the_settings_in_one_picture_are_one() {
        let (mut asks, settings) = (Asks::default(), Settings::default());
        asks.change(&settings, |settings| settings.smoothing_secs = 0.7);
        asks.push(Action::Stop);
        asks.change(&settings, |settings| settings.mirror_videos = true);
        let Some(Action::Change(changed)) = asks.take().into_iter().next() else { panic!("nothing is changed") };
        assert_eq!(*changed, Settings { smoothing_secs: 0.7, mirror_videos: true, ..Settings::default() });
    }
}
