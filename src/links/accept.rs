//! The listening side: who comes in, and who is turned away before HTTP/2 begins.
//!
//! Promises: strangers never keep a node out. A stranger that is slow or silent holds one of [`STRANGERS`] places, for
//! [`HELLO`] at most, and when all are taken the one that came first goes; certificates are checked side by side. The
//! loop never ends by itself, whatever `accept` says.

use super::grpc::{LinksService, prepare};
use super::guard::Guard;
use super::limits::{CONNECTIONS, HELLO, PING, PING_TIMEOUT, STRANGERS, WINDOW};
use super::service::Service;
use super::tls::Tls;
use futures_util::stream;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

/// Pause when `accept` fails: out of descriptors is no reason to spin, nor to stop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections on their way to tonic, which takes each at once.
const HANDOVER: usize = 16;
/// Streams on one connection: a node opens one.
const STREAMS: u32 = 4;

type Secured = Guard<TlsStream<TcpStream>>;

/// Takes connections until the node drains.
pub(super) async fn accept(listener: TcpListener, tls: Tls, service: Service) {
    let shared = Arc::clone(service.shared());
    let (secured, incoming) = mpsc::channel(HANDOVER);
    shared.tasks.spawn(serve(incoming, service));
    let mut strangers = Strangers { tls, stop: shared.stop.clone(), tasks: JoinSet::new(), order: VecDeque::new() };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(outcome) = strangers.tasks.join_next() => {
                if matches!(outcome, Ok(None) | Err(_)) {
                    shared.counters.turned_away(1);
                }
                continue;
            }
            () = shared.draining.cancelled() => return,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((io, _)), Ok(place)) => strangers.admit(io, place, secured.clone()),
            (Ok(_), Err(_)) => shared.counters.turned_away(1),
            (Err(error), _) => {
                tracing::warn!(%error, "a peer's connection cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Those who have not shown a certificate yet.
struct Strangers {
    tls: Tls,
    stop: CancellationToken,
    tasks: JoinSet<Option<()>>,
    /// Who came first stands in front; some have become known since.
    order: VecDeque<AbortHandle>,
}

impl Strangers {
    fn admit(&mut self, io: TcpStream, place: OwnedSemaphorePermit, secured: mpsc::Sender<Secured>) {
        self.order.retain(|stranger| !stranger.is_finished());
        if self.order.len() >= STRANGERS
            && let Some(first) = self.order.pop_front()
        {
            first.abort();
        }
        prepare(&io);
        let acceptor = self.tls.acceptor.clone();
        let stop = self.stop.clone();
        let handle = self.tasks.spawn(async move {
            let io = timeout(HELLO, acceptor.accept(io)).await.ok()?.ok()?;
            secured.send(Guard::new(io, stop, place)).await.ok()
        });
        self.order.push_back(handle);
    }
}

/// Serves gRPC on connections that have shown a certificate.
async fn serve(mut incoming: mpsc::Receiver<Secured>, service: Service) {
    let draining = service.shared().draining.clone();
    let incoming = stream::poll_fn(move |cx| incoming.poll_recv(cx).map(|io| io.map(Ok::<_, io::Error>)));
    let served = Server::builder()
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(STREAMS)
        .serve_with_incoming_shutdown(LinksService::new(service), incoming, draining.cancelled())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "links are not served any more");
    }
}
