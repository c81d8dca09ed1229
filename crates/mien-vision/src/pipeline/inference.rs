//! The inference thread: loads the network and labels what the capture thread found.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::worker::{Message, Passage, Shared};
use super::{ClassifierFactory, Command, Event, Labeller, NetworkChoice, PipelineError, RecordedFaces};

/// Where the labels of faces come from.
pub(super) enum Labels {
    /// From a network: what loads one, and which one to start with.
    Network(ClassifierFactory, NetworkChoice),
    /// From a recording.
    Recorded(Arc<dyn RecordedFaces>),
}

impl Labels {
    fn labeller(&mut self, smoothing: Option<Duration>) -> anyhow::Result<Labeller> {
        Ok(match self {
            Self::Network(load, choice) => Labeller::new(load(choice)?, smoothing),
            Self::Recorded(faces) => Labeller::recorded(Arc::clone(faces)),
        })
    }
}

/// Runs until it is stopped, or the capture thread or the window's side is gone.
pub(super) fn run(
    mut labels: Labels,
    smoothing: Option<Duration>,
    frames: &Receiver<Message>,
    commands: &Receiver<Command>,
    shared: &Shared,
) -> Result<(), PipelineError> {
    let mut labeller = labels.labeller(smoothing).map_err(PipelineError::Load)?;
    shared.set_framing(labeller.framing());
    shared.set_labelling();
    shared.report(Event::ClassifierReady);
    while !shared.is_stopping() {
        select! {
            recv(commands) -> command => match command {
                Ok(command) => obey(command, &mut labels, &mut labeller, shared),
                Err(_) => break,
            },
            recv(frames) -> message => match message {
                Ok(Message::Frame(passage)) => label(*passage, &mut labeller, shared)?,
                Ok(Message::End) => shared.report(Event::EndOfVideo),
                Err(_) => break,
            },
        }
    }
    Ok(())
}

fn obey(command: Command, labels: &mut Labels, labeller: &mut Labeller, shared: &Shared) {
    match command {
        Command::SetSmoothing(time_constant) => labeller.set_smoothing(time_constant),
        Command::SetNetwork(choice) => {
            let Labels::Network(load, _) = labels else { return };
            match load(&choice) {
                Ok(classifier) => {
                    labeller.set_classifier(classifier);
                    shared.set_framing(labeller.framing());
                    shared.set_device(choice.device);
                    shared.report(Event::ClassifierReady);
                }
                Err(error) => shared.report(Event::ClassifierFailed(format!("{error:#}"))),
            }
        }
        // For the capture thread.
        Command::Pause
        | Command::Resume
        | Command::Retry
        | Command::Seek(_)
        | Command::Step(_)
        | Command::AnalyseAgain
        | Command::SetSpeed(_)
        | Command::SetRepeat(_)
        | Command::SetDetection(_) => {}
    }
}

fn label(passage: Passage, labeller: &mut Labeller, shared: &Shared) -> Result<(), PipelineError> {
    let Passage { mut detected, framing, ticket } = passage;
    if !shared.is_current(ticket) {
        return Ok(());
    }
    if ticket.landed {
        labeller.reset();
    }
    if framing != labeller.framing() {
        // Its faces were cut out before the network was loaded.
        detected.crop_again(labeller.framing())?;
    }
    let media_time = detected.frame.media_time;
    shared.publish(labeller.label(detected)?, ticket);
    if ticket.landed {
        shared.report(Event::Seeked(media_time));
    }
    Ok(())
}
