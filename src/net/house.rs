//! Who comes in: accepts, admits, hands over, and ends it all in good order.
//!
//! One accept loop on tokio owns every socket's task, so a drain can wait for them; requests that are not for
//! `/connect` go to one actix-web thread, bytes already read included.
//! Promises: the loop never ends by itself, whatever `accept` says; what is not yet known is bounded in number and time;
//! a refused peer is told why as long as that costs little.

use super::connection;
use super::handshake::{self, Arrival, MessageBounds};
use super::head::Refused;
use super::http;
use super::io::Prefixed;
use super::limits::{Admission, Admitted, Full};
use super::listener::{Edge, told};
use super::metrics::Why;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

/// Pause when `accept` fails: out of descriptors is no reason to spin, nor to stop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that have not yet said what they want: a node that 20,000 phones come back to has some 4,000 of them for
/// a moment, at 15,000 a second and a third of a second each.
const ARRIVALS_MAX: usize = 8_192;
/// Refused peers that are told why at the same time; above it they are just dropped.
const FAREWELLS_MAX: usize = 256;
/// How long a TLS handshake may take whose only purpose is to tell why not.
const FAREWELL_HANDSHAKE: Duration = Duration::from_secs(1);
/// Unsent bytes that the kernel may hold for one socket; its default let 4 MB of events pile up for a blocked reader.
const NOTSENT_BYTES: u32 = 16 * 1024;
/// When a write to a phone that has vanished fails.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection handed to the HTTP side.
pub(super) type HttpIo = (Prefixed<Admitted>, SocketAddr);

/// The accept loop with all the tasks that it answers for.
pub(super) struct House {
    edge: Arc<Edge>,
    admission: Arc<Admission>,
    to_http: mpsc::Sender<HttpIo>,
    draining: watch::Receiver<bool>,
    /// Sockets whose head is being read. They end with what they have become, so that their memory is freed.
    arrivals: JoinSet<(Arrival, SocketAddr, Admitted)>,
    sockets: JoinSet<()>,
    farewells: JoinSet<()>,
}

impl House {
    pub(super) fn new(
        edge: Arc<Edge>,
        admission: Arc<Admission>,
        to_http: mpsc::Sender<HttpIo>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let (arrivals, sockets, farewells) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        Self { edge, admission, to_http, draining, arrivals, sockets, farewells }
    }

    /// Serves until the node drains.
    pub(super) async fn open(mut self, listener: TcpListener, http: http::HttpThread) {
        let mut draining = self.draining.clone();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((io, peer)) => self.arrive(io, peer),
                    // The peer gave up while it waited in the backlog; the next one may not have.
                    Err(err) if err.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(err) => {
                        tracing::warn!(kind = ?err.kind(), "accept failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(arrived) = self.arrivals.join_next() => self.settle(arrived),
                Some(ended) = self.sockets.join_next() => report(ended),
                Some(ended) = self.farewells.join_next() => report(ended),
                // An error means that `Running` was dropped, which aborts this task in any case.
                () = told(&mut draining) => break,
            }
        }
        drop(listener);
        self.drain(http).await;
    }

    fn arrive(&mut self, io: TcpStream, peer: SocketAddr) {
        if self.arrivals.len() >= ARRIVALS_MAX {
            return self.turn_away(io, Why::Handshakes, Refused::NODE_BUSY);
        }
        match self.admission.admit(peer.ip()) {
            Ok(admitted) => {
                prepare(&io);
                let edge = Arc::clone(&self.edge);
                self.arrivals.spawn(async move { (receive(io, &edge).await, peer, admitted) });
            }
            Err(Full::Node) => self.turn_away(io, Why::NodeFull, Refused::NODE_FULL),
            Err(Full::Address) => self.turn_away(io, Why::AddressFull, Refused::ADDRESS_FULL),
        }
    }

    fn turn_away(&mut self, io: TcpStream, why: Why, refused: Refused) {
        self.edge.metrics.refused(why);
        if self.farewells.len() < FAREWELLS_MAX {
            let tls = self.edge.config.tls.clone();
            self.farewells.spawn(async move {
                if let Ok(io) = handshake::greet(io, tls.as_ref(), FAREWELL_HANDSHAKE).await {
                    handshake::refuse(io, &refused).await;
                }
            });
        }
    }

    fn settle(&mut self, arrived: Result<(Arrival, SocketAddr, Admitted), JoinError>) {
        match arrived {
            Ok((Arrival::Socket(ws, form), _, admitted)) => {
                let (edge, draining) = (Arc::clone(&self.edge), self.draining.clone());
                self.sockets.spawn(async move {
                    connection::run(ws, form, edge, draining).await;
                    drop(admitted);
                });
            }
            Ok((Arrival::Http(bytes, io), peer, admitted)) => {
                // A full queue means that the HTTP thread is behind; the peer waits no longer than it would there.
                let config = &self.edge.config;
                // A body may take as long as its request; its 408 comes before this is over.
                let patience = config.head_deadline + config.request_deadline;
                let stream = Prefixed::new(bytes, io, patience, admitted);
                if self.to_http.try_send((stream, peer)).is_err() {
                    self.edge.metrics.refused(Why::Http);
                }
            }
            Ok((Arrival::Refused(status), ..)) => {
                self.edge.metrics.refused(match status {
                    408 => Why::Late,
                    503 => Why::Memory,
                    _ => Why::Head,
                });
                tracing::debug!(status, "upgrade refused");
            }
            Ok((Arrival::NoTls, ..)) => self.edge.metrics.refused(Why::Tls),
            Ok((Arrival::Gone, ..)) => {}
            Err(err) => report(Err(err)),
        }
    }

    async fn drain(mut self, http: http::HttpThread) {
        let deadline = Instant::now() + self.edge.config.drain_deadline;
        tracing::info!(sockets = self.sockets.len(), "draining");
        self.arrivals.abort_all();
        let ended = timeout_at(deadline, async { while self.sockets.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(sockets = self.sockets.len(), "sockets cut off at the end of the drain");
        }
        // Aborts what is left, by dropping its JoinSets, and closes the queue of the HTTP side.
        drop((self.arrivals, self.sockets, self.farewells, self.to_http));
        http.join(deadline).await;
    }
}

/// Finds out what a connection wants, within the deadlines of each step.
async fn receive(io: TcpStream, edge: &Edge) -> Arrival {
    let deadline = edge.config.head_deadline;
    let gate = || match edge.memory.short(Instant::now()) {
        true => Err(Refused::NO_MEMORY),
        false => Ok(MessageBounds::OURS),
    };
    match handshake::greet(io, edge.config.tls.as_ref(), deadline).await {
        Ok(io) => handshake::receive(io, &edge.rules, deadline, gate).await,
        Err(arrival) => arrival,
    }
}

/// Options that no program should depend on: a system that lacks one works, only less well.
fn prepare(io: &TcpStream) {
    let socket = socket2::SockRef::from(io);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_notsent_lowat(NOTSENT_BYTES);
        let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(err) = ended
        && err.is_panic()
    {
        tracing::error!("a connection's task has panicked");
    }
}
