//! The server's own camera, video or recording.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mien_serve::{SourceObserver, SourceSetup};
use tch::Device;

use super::ServeArgs;
use super::recording::SourceRecording;
use crate::commands::headless::{HeadlessWriter, RecordingPlan};
use crate::pipeline::{LiveSettings, Parts, SourceRequest};
use crate::recording::Recording;
use crate::source::CameraRequest;
use crate::stages::{LoadedNetwork, SharedNetwork, StageChoices};

/// Where the server's own frames come from.
pub(super) struct Source {
    pub name: String,
    from: Origin,
    record: Option<HeadlessWriter>,
}

enum Origin {
    Request(SourceRequest),
    Recording(Arc<Recording>),
}

impl Source {
    /// The server's own source, if one is named. A camera is recorded if there is a plan.
    ///
    /// # Errors
    /// When it can't be opened, or a recording's classes aren't the network's. A camera is opened later, and retried then.
    pub fn of(args: &ServeArgs, plan: Option<&RecordingPlan>, network: &LoadedNetwork) -> anyhow::Result<Option<Self>> {
        if let Some(device) = &args.camera {
            let request = CameraRequest { device: device.clone(), ..CameraRequest::default() };
            return Ok(Some(Self {
                name: format!("camera {device}"),
                from: Origin::Request(SourceRequest::Camera(request)),
                record: plan.cloned().map(HeadlessWriter::new),
            }));
        }
        let source = |name, from| Some(Self { name, from, record: None });
        if let Some(path) = &args.video {
            let request = SourceRequest::Video(path.clone());
            // Open it once here, where an unusable file results in an exit code.
            let name = request.open()?.info().name.clone();
            return Ok(source(name, Origin::Request(request)));
        }
        let Some(folder) = &args.recording else { return Ok(None) };
        let recording = Arc::new(Recording::open(folder)?);
        let (recorded, used) = (&recording.metadata.classes, &network.in_use.classes);
        // The page can show only one set of classes.
        anyhow::ensure!(
            recorded == used,
            "the recording uses the classes {recorded}, the model {used}; choose a model with the recording's classes (--model)"
        );
        drop(recording.request().open()?);
        Ok(source(recording.name(), Origin::Recording(recording)))
    }

    /// Sets up its pipeline, with the network that visitors use too.
    pub fn started_with(self, shared: &SharedNetwork, choices: &StageChoices, device: Device) -> SourceSetup {
        let Self { name, from, record } = self;
        let parts = match from {
            Origin::Request(request) => {
                let shared = shared.clone();
                Parts::new(request, device, move |_| Ok(shared.classifier()))
            }
            Origin::Recording(recording) => recording.parts(),
        };
        let settings = LiveSettings {
            smoothing: choices.smoothing,
            detection: choices.detection,
            repeat: true,
            picture: false,
            ..LiveSettings::default()
        };
        let is_recorded = Arc::new(AtomicBool::new(record.is_some()));
        let observer = record.map(|writer| -> Box<dyn SourceObserver> {
            Box::new(SourceRecording::new(writer, Arc::clone(&is_recorded)))
        });
        SourceSetup { name, parts, settings, is_recorded, observer }
    }
}
