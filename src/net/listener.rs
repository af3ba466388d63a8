//! The port: accepts, admits, hands over, and ends it all in good order.
//!
//! One accept loop on tokio owns every socket's task, so a drain can wait for them; requests that are not for
//! `/connect` go to one actix-web thread, bytes already read included.
//! Promises: the loop never ends by itself, whatever `accept` says; no task outlives [`Running::drain`]; a refused
//! peer is told why as long as that costs little.

use super::auth::Auth;
use super::connection;
use super::console::ConsoleConfig;
use super::handshake::{self, Arrival, Prefixed};
use super::head::{HeadRules, Refused};
use super::http;
use super::limits::{Admission, Admitted, Full};
use super::metrics::{Counting, Metrics};
use crate::actors::game::Game;
use crate::clock::Clock;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

/// Connections that may wait to be accepted: a node of 20,000 that restarts sees them all within seconds.
const BACKLOG: u32 = 4096;
/// Pause when `accept` fails: out of descriptors is no reason to spin, nor to stop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Refused peers that are told why at the same time; above it they are just dropped.
const FAREWELLS_MAX: usize = 256;
/// HTTP connections on their way to the actix thread.
const HTTP_QUEUE: usize = 256;
/// Unsent bytes that the kernel may hold for one socket; its default let 4 MB of events pile up for a blocked reader.
const NOTSENT_BYTES: u32 = 16 * 1024;
/// When a write to a phone that has vanished fails.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// How the edge is set up.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Our public names, for the Host check; see [`HeadRules`].
    pub hosts: Vec<String>,
    /// Origins of pages that may open sockets besides our own.
    pub origins: Vec<String>,
    /// Connections in all: what two cores and 2 GiB bear easily.
    pub connections_max: usize,
    /// Connections from one address; generous, since a demo and a load test come from one.
    pub connections_per_ip_max: usize,
    /// How long a request head may take in all.
    pub head_deadline: Duration,
    /// How long a socket may take to send its connect command.
    pub connect_deadline: Duration,
    /// Time between pings.
    pub ping: Duration,
    /// A drain closes sockets spread over this time...
    pub drain_spread: Duration,
    /// ...and ends after this one, whoever is left.
    pub drain_deadline: Duration,
    /// The operator's console, if there is one.
    pub console: Option<ConsoleConfig>,
    /// Other parts of the node whose counters `/metrics` shows.
    pub counting: Vec<Arc<dyn Counting>>,
}

impl EdgeConfig {
    /// The defaults, on one address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            hosts: Vec::new(),
            origins: Vec::new(),
            connections_max: 20_000,
            connections_per_ip_max: 2_000,
            head_deadline: Duration::from_secs(10),
            connect_deadline: Duration::from_secs(5),
            ping: Duration::from_secs(25),
            drain_spread: Duration::from_secs(2),
            drain_deadline: Duration::from_secs(5),
            console: None,
            counting: Vec::new(),
        }
    }
}

/// Why the edge did not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error("port {port} is taken: stop the other program, or choose another port with --listen")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The address is not ours, or not allowed.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No thread for HTTP.
    #[error("cannot start the HTTP side: {0}")]
    Http(io::Error),
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) config: EdgeConfig,
    pub(super) rules: HeadRules,
    pub(super) game: Game,
    pub(super) auth: Arc<Auth>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
}

/// An edge at work. Dropping it ends everything at once; prefer [`Running::drain`].
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    drain: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Where it listens; with port 0 configured, the port that was given.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops accepting, tells every session to come back elsewhere, and waits for them, within the deadline.
    pub async fn drain(mut self) {
        self.drain.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Binds the port and serves it.
pub async fn serve(config: EdgeConfig, game: Game, auth: Arc<Auth>, clock: Clock) -> Result<Running, ListenError> {
    let listener = bind(config.listen)?;
    let addr = listener.local_addr().map_err(|source| ListenError::Listen { addr: config.listen, source })?;
    let rules =
        HeadRules { loopback: addr.ip().is_loopback(), hosts: config.hosts.clone(), origins: config.origins.clone() };
    let admission = Admission::new(config.connections_max, config.connections_per_ip_max);
    let metrics = Metrics::new(Arc::clone(&admission), config.counting.clone());
    let edge = Arc::new(Edge { config, rules, game, auth, clock, metrics });
    let (drain, draining) = watch::channel(false);
    let (to_http, from_edge) = mpsc::channel(HTTP_QUEUE);
    let http = http::start(Arc::clone(&edge), from_edge, draining.clone()).map_err(ListenError::Http)?;
    let mut tasks = JoinSet::new();
    let house = House {
        edge,
        admission,
        to_http,
        draining,
        arrivals: JoinSet::new(),
        sockets: JoinSet::new(),
        farewells: JoinSet::new(),
    };
    tasks.spawn(house.open(listener, http));
    tracing::info!(%addr, "listening");
    Ok(Running { addr, drain, tasks })
}

fn bind(addr: SocketAddr) -> Result<TcpListener, ListenError> {
    let listen = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Without it the port of a server that has just ended is barred for a minute.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::PortTaken { port: addr.port() },
        _ => ListenError::Listen { addr, source },
    })
}

/// A connection handed to the HTTP side.
pub(super) type HttpIo = (Prefixed<Admitted>, SocketAddr);

/// The accept loop with all the tasks that it answers for.
struct House {
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
    async fn open(mut self, listener: TcpListener, http: http::HttpThread) {
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
        match self.admission.admit(peer.ip()) {
            Ok(admitted) => {
                prepare(&io);
                let edge = Arc::clone(&self.edge);
                self.arrivals.spawn(async move {
                    let arrival = handshake::receive(io, &edge.rules, edge.config.head_deadline).await;
                    (arrival, peer, admitted)
                });
            }
            Err(full) => {
                self.edge.metrics.refused();
                if self.farewells.len() < FAREWELLS_MAX {
                    let refused = match full {
                        Full::Node => Refused::NODE_FULL,
                        Full::Address => Refused::ADDRESS_FULL,
                    };
                    self.farewells.spawn(async move { handshake::refuse(io, &refused).await });
                }
            }
        }
    }

    fn settle(&mut self, arrived: Result<(Arrival, SocketAddr, Admitted), JoinError>) {
        match arrived {
            Ok((Arrival::Socket(ws), _, admitted)) => {
                let (edge, draining) = (Arc::clone(&self.edge), self.draining.clone());
                self.sockets.spawn(async move {
                    connection::run(ws, edge, draining).await;
                    drop(admitted);
                });
            }
            Ok((Arrival::Http(bytes, io), peer, admitted)) => {
                // A full queue means that the HTTP thread is behind; the peer waits no longer than it would there.
                if self.to_http.try_send((Prefixed::new(bytes, io, admitted), peer)).is_err() {
                    self.edge.metrics.refused();
                }
            }
            Ok((Arrival::Refused(status), ..)) => {
                self.edge.metrics.refused();
                tracing::debug!(status, "upgrade refused");
            }
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

/// Resolves when the node drains, or when nobody can say so any more.
pub(super) async fn told(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn taken_port_is_a_typed_error_with_a_remedy() {
        let first = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let addr = first.local_addr().expect("bound");
        let err = bind(addr).expect_err("taken");
        assert!(matches!(err, ListenError::PortTaken { port } if port == addr.port()));
        assert!(err.to_string().contains("--listen"));
    }

    #[tokio::test]
    async fn address_that_is_not_ours_is_told() {
        let err = bind("192.0.2.1:0".parse().expect("an address")).expect_err("not ours");
        assert!(matches!(err, ListenError::Listen { .. }), "{err}");
    }
}
