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
    /// Who may come in.
    pub gate: Gate,
    /// What looks at pictures.
    pub engine: Engine,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The server's own source, if it has one.
    pub broadcast: Option<Arc<Broadcast>>,
    /// What the page and programs are told of the server.
    pub about: About,
    /// What the model tells apart.
    pub classes: Classes,
    /// Every model that is part of the program.
    pub models: Vec<ModelReport>,
    /// Time constant of the smoothing unless a visitor asks for another.
    pub smoothing: Option<Duration>,
    /// The places for sessions.
    pub sessions: Arc<Semaphore>,
    /// Pictures that are posted and worked on.
    pub analyses: Semaphore,
    /// Turns true when the server shuts down.
    pub closing: watch::Receiver<bool>,
}

impl App {
    /// A place among the sessions; it is free again when what is given is dropped. `None`: the server is full.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.sessions).try_acquire_owned().ok()
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        MAX_SESSIONS - self.sessions.available_permits()
    }

    /// For waiting until the server shuts down.
    pub fn closing(&self) -> Closing {
        Closing(self.closing.clone())
    }
}

/// Resolves when the server shuts down.
pub struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Waits until the server shuts down.
    pub async fn wait(&mut self) {
        // The sender gone means the same.
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
    /// Where it runs.
    pub device: String,
    /// How often it assumes that each class is shown.
    pub prior: String,
    /// What it tells apart, in the order of the fields.
    pub classes: Vec<ClassReport>,
    /// The server's own source: the name of its camera, video or recording; null if there is none.
    #[schema(required)]
    pub source: Option<String>,
    /// Whether the server's camera is being recorded.
    pub is_source_recorded: bool,
    /// Whether what visitors' cameras send is being recorded. Pictures that are posted never are.
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
    /// Whether it is the one that answers here.
    pub is_in_use: bool,
}
