//! Binding, serving and shutting down.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use mien_net::classify::Classifier;
use mien_vision::detect::DetectionOptions;
use mien_vision::pipeline::PipelineError;
use tch::Device;
use tokio::runtime;
use tokio::sync::{Semaphore, watch};

use crate::access::{Connections, Gate, OWN_NAME, Token, in_link, reachable, scheme};
use crate::app::{About, App, ModelReport};
use crate::broadcast::{Annotate, Broadcast, SourceSetup};
use crate::engine::{Engine, EngineError, RecordVisitor, Stages};
use crate::limits::{CLOSE_WITHIN, HEAD_WITHIN, MAX_ANALYSES, MAX_PIXELS, MAX_SESSIONS};
use crate::metrics::Metrics;
use crate::routes;
use crate::tls::{TlsChoice, TlsError};

/// Threads that talk to clients. They only pass on what other threads computed.
const SERVING_THREADS: usize = 2;

/// Most threads that encode pictures for watchers.
const ENCODING_THREADS: usize = 4;

/// How often `stop` is checked.
const TICK: Duration = Duration::from_millis(50);

/// What to serve, and to whom.
pub struct Setup {
    /// Address and port; port 0 takes any that is free.
    pub bind: SocketAddr,
    /// Whether to speak TLS, and with which certificate.
    pub tls: Option<TlsChoice>,
    /// The access token; `None` lets everybody in.
    pub token: Option<Token>,
    /// The server's names, beside its addresses.
    pub names: Vec<String>,
    /// Whether a server that others can reach may go without TLS or token.
    pub is_open_on_purpose: bool,
    /// The network for all visitors.
    pub classifier: Box<dyn Classifier>,
    /// How faces in visitors' pictures are detected.
    pub detection: DetectionOptions,
    /// Where the detector's network runs.
    pub device: Device,
    /// Time constant of the smoothing unless a visitor asks for another.
    pub smoothing: Option<Duration>,
    /// What visitors learn about the server.
    pub about: About,
    /// The models that are part of the program.
    pub models: Vec<ModelReport>,
    /// The server's own source.
    pub source: Option<SourceSetup>,
    /// Draws boxes and labels into the pictures of the source's stream.
    pub annotate: Annotate,
    /// Starts the recording of a visitor. With `None`, nothing that visitors send is stored.
    pub record_visitor: Option<RecordVisitor>,
}

/// Why the server can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could reach it, and nothing would keep them out.
    #[error(
        "{0} can be reached by others, so it needs a token and TLS (--tls self-signed); --i-know-this-is-open does without"
    )]
    TooOpen(SocketAddr),
    /// The address can't be bound.
    #[error("can't listen on {address}: {reason}; choose another with --bind")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The engine can't be started.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The source can't be started.
    #[error("the source can't be started: {0}")]
    Source(#[from] PipelineError),
    /// The system failed.
    #[error("the server can't go on: {0}")]
    Io(#[from] io::Error),
}

/// A server that is bound to its address, but doesn't answer yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
    links: Vec<String>,
    closing: watch::Sender<bool>,
}

impl Server {
    /// Binds the address and starts the engine and the source.
    ///
    /// # Errors
    /// When others could connect unchecked, the address can't be bound, or a part can't be started.
    pub fn bind(setup: Setup) -> Result<Self, ServeError> {
        let Setup { bind, tls, token, names, is_open_on_purpose, source, annotate, .. } = setup;
        let is_guarded = tls.is_some() && token.is_some();
        if !bind.ip().is_loopback() && !is_guarded && !is_open_on_purpose {
            return Err(ServeError::TooOpen(bind));
        }
        let taken = |reason| ServeError::Bind { address: bind, reason };
        let listener = TcpListener::bind(bind).map_err(taken)?;
        let address = listener.local_addr()?;
        let addresses: Vec<IpAddr> = if bind.ip().is_unspecified() {
            reachable().filter(|ip| ip.is_ipv4() || bind.is_ipv6()).collect()
        } else {
            vec![bind.ip()]
        };
        let is_secure = tls.is_some();
        let has_own_certificate = matches!(tls, Some(TlsChoice::Files { .. }));
        let tls = tls.map(|choice| choice.config(&names, &addresses)).transpose()?;
        let hosts = hosts(&names, bind.ip(), &addresses, has_own_certificate);
        let links = links(is_secure, &hosts, address.port(), token.as_ref());

        let metrics = Arc::new(Metrics::default());
        let Setup { classifier, detection, device, record_visitor, .. } = setup;
        let classes = classifier.classes();
        let stages = Stages { classifier, detection, device, limit: MAX_PIXELS, record_visitor };
        let engine = Engine::start(stages, Arc::clone(&metrics))?;
        let broadcast = source.map(|source| Broadcast::start(source, annotate, Arc::clone(&metrics))).transpose()?;
        let gate = Gate::new(token, address, &names, is_secure);
        let (closing, closes) = watch::channel(false);
        let app = App {
            gate,
            engine,
            metrics,
            broadcast: broadcast.map(Arc::new),
            about: setup.about,
            classes,
            models: setup.models,
            smoothing: setup.smoothing,
            sessions: Arc::new(Semaphore::new(MAX_SESSIONS)),
            analyses: Semaphore::new(MAX_ANALYSES),
            closing: closes,
        };
        Ok(Self { app: Arc::new(app), listener, address, tls, links, closing })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The links to its page, with the token. The first one is for this machine's browser.
    pub fn links(&self) -> &[String] {
        &self.links
    }

    /// The link for phones and others in the network, if the server listens there.
    pub fn link_for_others(&self) -> Option<&str> {
        let own = format!("://{OWN_NAME}:");
        let mut links = self.links.iter().filter(|_| !self.address.ip().is_loopback());
        links.find(|link| !link.contains(&own)).map(String::as_str)
    }

    /// Serves until `stop` returns true, then ends all sessions within two seconds.
    ///
    /// # Errors
    /// When the system fails.
    pub fn run(self, stop: impl Fn() -> bool) -> Result<(), ServeError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(SERVING_THREADS)
            .max_blocking_threads(ENCODING_THREADS)
            .thread_name("mien-serve")
            .enable_all()
            .build()?;
        let served = runtime.block_on(serve(Arc::clone(&self.app), self.listener, self.tls, &self.closing, stop));
        runtime.shutdown_timeout(TICK);
        Ok(served?)
    }
}

async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    closing: &watch::Sender<bool>,
    stop: impl Fn() -> bool,
) -> io::Result<()> {
    let service = routes::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener)?.first_request_timeout(HEAD_WITHIN).handle(handle.clone());
    server.http_builder().http1().header_read_timeout(HEAD_WITHIN);
    let serving = async move {
        match tls {
            Some(config) => {
                let acceptor =
                    RustlsAcceptor::new(config).handshake_timeout(HEAD_WITHIN).acceptor(Connections::default());
                server.acceptor(acceptor).serve(service).await
            }
            None => server.acceptor(Connections::default()).serve(service).await,
        }
    };
    let mut serving = tokio::spawn(serving);
    while !stop() {
        tokio::select! {
            ended = &mut serving => return ended.map_err(io::Error::other)?,
            () = tokio::time::sleep(TICK) => {}
        }
    }
    closing.send_replace(true);
    handle.graceful_shutdown(Some(CLOSE_WITHIN));
    let deadline = Instant::now() + CLOSE_WITHIN;
    while app.session_count() > 0 && Instant::now() < deadline {
        tokio::time::sleep(TICK).await;
    }
    // Let close frames that were just written be sent.
    tokio::time::timeout(CLOSE_WITHIN, serving).await.ok();
    Ok(())
}

/// The server's hosts in links. With the user's own certificate, names come first, because it is issued for them. Otherwise addresses do,
/// because a name may be a proxy's.
fn hosts(names: &[String], bound: IpAddr, addresses: &[IpAddr], has_own_certificate: bool) -> Vec<String> {
    let own = bound.is_unspecified().then(|| OWN_NAME.to_owned());
    let addresses = own.into_iter().chain(addresses.iter().copied().map(in_link));
    let names = names.iter().cloned();
    if has_own_certificate { names.chain(addresses).collect() } else { addresses.chain(names).collect() }
}

fn links(is_secure: bool, hosts: &[String], port: u16, token: Option<&Token>) -> Vec<String> {
    let scheme = scheme(is_secure);
    let token = token.map_or_else(String::new, |token| format!("#token={}", token.word()));
    let at = |host: &String| if has_port(host) { host.clone() } else { format!("{host}:{port}") };
    hosts.iter().map(|host| format!("{scheme}://{}/{token}", at(host))).collect()
}

/// Whether a name has a port of its own, which is a proxy's.
fn has_port(host: &str) -> bool {
    // Not in an IPv6 address in brackets.
    host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_port_keeps_it_in_links() {
        let hosts = ["cam.example", "cam.example:8443", "[::1]"].map(str::to_owned);
        let expected = ["https://cam.example:7878/", "https://cam.example:8443/", "https://[::1]:7878/"];
        assert_eq!(links(true, &hosts, 7878, None), expected);
    }

    #[test]
    fn names_come_first_where_the_certificate_is_for_them() {
        let names = ["cam.example".to_owned()];
        let address: [IpAddr; 1] = ["192.0.2.7".parse().unwrap()];
        let every: IpAddr = "0.0.0.0".parse().unwrap();
        assert_eq!(hosts(&names, every, &address, true), ["cam.example", "localhost", "192.0.2.7"]);
        assert_eq!(hosts(&names, every, &address, false), ["localhost", "192.0.2.7", "cam.example"]);
        assert_eq!(hosts(&[], address[0], &address, true), ["192.0.2.7"]);
        let links = links(true, &hosts(&names, address[0], &address, true), 7878, None);
        assert_eq!(links, ["https://cam.example:7878/", "https://192.0.2.7:7878/"]);
    }
}
