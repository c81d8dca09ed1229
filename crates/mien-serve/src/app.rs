//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use mien_core::classes::Classes;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::ToSchema;

use crate::access::Gate;
use crate::broadcast::Broadcast;
use crate::engine::Engine;
use crate::limits::MAX_SESSIONS;
use crate::metrics::Metrics;
use crate::protocol::ClassReport;

/// The running server.
pub struct App {
    /// Decides who may connect.
    pub gate: Gate,
    /// Analyses visitors' pictures.
    pub engine: Engine,
    /// The server's counters.
    pub metrics: Arc<Metrics>,
    /// The server's own source, if it has one.
    pub broadcast: Option<Arc<Broadcast>>,
    /// What the page and other programs learn about the server.
    pub about: About,
    /// The model's classes.
    pub classes: Classes,
    /// Every model that is part of the program.
    pub models: Vec<ModelReport>,
    /// Time constant of the smoothing unless a visitor asks for another.
    pub smoothing: Option<Duration>,
    /// One permit for each session.
    pub sessions: Arc<Semaphore>,
    /// One permit for each posted picture that is being analysed.
    pub analyses: Semaphore,
    /// Turns true when the server shuts down.
    pub closing: watch::Receiver<bool>,
}

impl App {
    /// Takes a permit for a session, which is free again when dropped. `None` if the server is full.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.sessions).try_acquire_owned().ok()
    }

    /// The number of open sessions.
    pub fn session_count(&self) -> usize {
        MAX_SESSIONS - self.sessions.available_permits()
    }

    /// Returns a handle for waiting until the server shuts down.
    pub fn closing(&self) -> Closing {
        Closing(self.closing.clone())
    }
}

/// A handle for waiting until the server shuts down.
pub struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Waits until the server shuts down.
    pub async fn wait(&mut self) {
        // A dropped sender means shutdown, too.
        self.0.wait_for(|closing| *closing).await.ok();
    }
}

/// What the server is and does.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct About {
    /// The version of Mien.
    pub version: String,
    /// The model that names what faces show.
    pub model: String,
    /// The device that the model runs on.
    pub device: String,
    /// The prior: how often each class is assumed to occur.
    pub prior: String,
    /// The model's classes, in the order of a face's fields.
    pub classes: Vec<ClassReport>,
    /// The server's own source: the name of its camera, video or recording; null if there is none.
    #[schema(required)]
    pub source: Option<String>,
    /// Whether the server's camera is being recorded.
    pub is_source_recorded: bool,
    /// Whether the frames of visitors' cameras are being recorded. Posted pictures never are.
    pub are_visitors_recorded: bool,
    /// Time constant of the smoothing in seconds unless a visitor asks for another; 0 is off.
    pub smoothing_s: f64,
}

/// A model that is part of the program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// What it can't do.
    pub limits: String,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Whether this server uses it.
    pub is_in_use: bool,
}
