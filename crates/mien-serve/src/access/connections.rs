//! Limits the number of connections. When there are too many, the oldest one that hasn't shown the token is closed, so that somebody who
//! opens a thousand and sends nothing can't keep others out.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::http::Request;
use axum_server::accept::Accept;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower_service::Service;

use crate::limits::{MAX_CONNECTIONS, PING_INTERVAL};

/// Size of the system's send buffer, in bytes: a few pictures. By default it grows to several megabytes, which are seconds of old pictures
/// on a slow wireless network. What doesn't fit waits in the server, where a newer picture replaces it.
const SEND_BUFFER: usize = 256 << 10;

/// The open connections.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    /// In the order in which they were opened.
    connections: BTreeMap<u64, Connection>,
    next: u64,
}

/// A connection, as its requests know it.
#[derive(Clone)]
pub struct Connection(Arc<State>);

struct State {
    is_trusted: AtomicBool,
    end: CancellationToken,
}

impl Connection {
    fn new() -> Self {
        Self(Arc::new(State { is_trusted: AtomicBool::new(false), end: CancellationToken::new() }))
    }

    /// Closes it at once, even if data is in transit.
    pub fn close(&self) {
        self.0.end.cancel();
    }

    /// Marks it as having shown the token, so that it is never closed to make room.
    pub fn trust(&self) {
        self.0.is_trusted.store(true, Ordering::Relaxed);
    }

    fn is_trusted(&self) -> bool {
        self.0.is_trusted.load(Ordering::Relaxed)
    }
}

impl Connections {
    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection. `None` if there is no room and all others have shown the token.
    fn enter(&self) -> Option<(Connection, Place)> {
        let mut open = self.lock();
        if open.connections.len() >= MAX_CONNECTIONS {
            let (number, oldest) = open.connections.iter().find(|(_, connection)| !connection.is_trusted())?;
            let number = *number;
            oldest.close();
            open.connections.remove(&number);
        }
        let number = open.next;
        open.next += 1;
        let connection = Connection::new();
        open.connections.insert(number, connection.clone());
        Some((connection, Place { connections: self.clone(), number }))
    }
}

/// A connection's place, which is freed on drop.
struct Place {
    connections: Connections,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().connections.remove(&self.number);
    }
}

impl<S> Accept<TcpStream, S> for Connections {
    type Stream = Bounded;
    type Service = Known<S>;
    type Future = Ready<io::Result<(Bounded, Known<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Some((connection, place)) = self.enter() else {
            return ready(Err(io::Error::other("too many connections")));
        };
        // Answers are small, and clients wait for them.
        if let Err(error) = stream.set_nodelay(true) {
            return ready(Err(error));
        }
        if let Err(error) = notice_silence(&stream) {
            // Some systems don't support it. Connections that are closed properly are noticed anyway.
            tracing::debug!("a connection isn't asked whether somebody is there: {error}");
        }
        if let Err(error) = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER) {
            // Pictures will be late on a slow network.
            tracing::debug!("a connection keeps the system's send buffer: {error}");
        }
        let end = Box::pin(connection.0.end.clone().cancelled_owned());
        ready(Ok((Bounded { stream, end, _place: place }, Known { service, connection })))
    }
}

/// Enables keepalive, so that the system ends connections whose other side has vanished or takes nothing for long. Programs that read a
/// stream answer no pings, and a pulled cable closes nothing.
fn notice_silence(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PING_INTERVAL).with_interval(PING_INTERVAL))?;
    // Without it, the system retransmits for a quarter of an hour before it gives up.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(crate::limits::PATIENCE))?;
    Ok(())
}

/// A connection that can be closed to make room.
pub struct Bounded {
    stream: TcpStream,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Place,
}

impl Bounded {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A service that adds the [`Connection`] to the extensions of each request.
#[derive(Clone)]
pub struct Known<S> {
    service: S,
    connection: Connection,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Known<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.connection.clone());
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_system_takes_only_a_few_pictures_that_a_slow_reader_has_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (bounded, _known) = Connections::default().accept(stream, ()).await.unwrap();
        // Linux reports twice the requested size, as it adds its own overhead.
        let size = SockRef::from(&bounded.stream).send_buffer_size().unwrap();
        assert!(size <= 2 * SEND_BUFFER, "{size} bytes");
    }

    #[test]
    fn the_oldest_that_is_not_trusted_makes_room() {
        let connections = Connections::default();
        let mut open: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connections.enter().unwrap()).collect();
        open[0].0.trust();
        assert!(connections.enter().is_some());
        assert!(!open[0].0.0.end.is_cancelled() && open[1].0.0.end.is_cancelled());
        open.clear();
        assert!(connections.lock().connections.is_empty());
    }

    #[test]
    fn when_all_are_trusted_nobody_makes_room() {
        let connections = Connections::default();
        let open: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connections.enter().unwrap()).collect();
        open.iter().for_each(|(connection, _)| connection.trust());
        assert!(connections.enter().is_none());
    }
}
