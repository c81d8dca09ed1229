//! The inference thread: loads the network and labels what the capture thread found.

use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::worker::{Message, Passage, Shared};
use super::{ClassifierFactory, Event, Labeller, PipelineError};

/// What the inference thread can be told.
pub(super) enum InferenceCommand {
    SetSmoothing(Option<Duration>),
    SetClassifier(ClassifierFactory),
}

/// Works until the capture thread or the window's side is gone.
pub(super) fn run(
    make_labeller: impl FnOnce() -> anyhow::Result<Labeller>,
    frames: &Receiver<Message>,
    commands: &Receiver<InferenceCommand>,
    shared: &Shared,
) -> Result<(), PipelineError> {
    let mut labeller = make_labeller().map_err(PipelineError::Load)?;
    shared.set_framing(labeller.framing());
    shared.set_labelling();
    shared.report(Event::ClassifierReady);
    while !shared.is_stopping() {
        select! {
            recv(commands) -> command => match command {
                Ok(command) => obey(command, &mut labeller, shared),
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

fn obey(command: InferenceCommand, labeller: &mut Labeller, shared: &Shared) {
    match command {
        InferenceCommand::SetSmoothing(time_constant) => labeller.set_smoothing(time_constant),
        InferenceCommand::SetClassifier(factory) => match factory() {
            Ok(classifier) => {
                labeller.set_classifier(classifier);
                shared.set_framing(labeller.framing());
                shared.report(Event::ClassifierReady);
            }
            Err(error) => shared.report(Event::ClassifierFailed(format!("{error:#}"))),
        },
    }
}

fn label(passage: Passage, labeller: &mut Labeller, shared: &Shared) -> Result<(), PipelineError> {
    let Passage { detected, ticket } = passage;
    if !shared.is_current(ticket) {
        return Ok(());
    }
    if ticket.landed {
        labeller.reset();
    }
    let media_time = detected.frame.media_time;
    shared.publish(labeller.label(detected)?, ticket);
    if ticket.landed {
        shared.report(Event::Seeked(media_time));
    }
    Ok(())
}
