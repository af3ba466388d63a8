//! The port: what is configured of it, and its beginning and end. What goes on in between is `house`'s.
//!
//! Promise: no task outlives [`Running::drain`].

use super::auth::{Auth, Identity, TokenError};
use super::budget::{Allowance, Budgets};
use super::console::ConsoleConfig;
use super::head::HeadRules;
use super::house::House;
use super::http;
use super::limits::Admission;
use super::memory::Memory;
use super::metrics::{Counting, Metrics};
use super::quests::Publish;
use super::tls::Tls;
use crate::actors::game::Game;
use crate::clock::Clock;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections that may wait to be accepted: a node of 20,000 that restarts sees them all within seconds.
const BACKLOG: u32 = 4096;
/// HTTP connections on their way to the actix thread.
const HTTP_QUEUE: usize = 256;
/// Time between pings, if nothing else is configured: carriers forget a silent connection after some 30 s at the least.
pub const PING_DEFAULT: Duration = Duration::from_secs(25);
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
    /// How long a TLS handshake may take, and then a request head, in all.
    pub head_deadline: Duration,
    /// How long a request over HTTP may take from its head to its answer, its body included.
    pub request_deadline: Duration,
    /// How long a socket may take to send its connect command.
    pub connect_deadline: Duration,
    /// How long a message may be unfinished.
    pub message_deadline: Duration,
    /// What one player may ask.
    pub allowance: Allowance,
    /// Bytes of memory from which on nobody else is let in.
    pub memory_max: Option<u64>,
    /// TLS, if this port speaks it.
    pub tls: Option<Tls>,
    /// Time between pings.
    pub ping: Duration,
    /// A drain closes sockets spread over this time...
    pub drain_spread: Duration,
    /// ...and ends after this one, whoever is left.
    pub drain_deadline: Duration,
    /// The operator's console, if there is one.
    pub console: Option<ConsoleConfig>,
    /// Who publishes quests that come over HTTP, if anybody does.
    pub publisher: Option<Arc<dyn Publish>>,
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
            // A phone at the edge of a cell, 20 kbit/s, has its largest message sent after 13 s.
            message_deadline: Duration::from_secs(30),
            request_deadline: Duration::from_secs(30),
            connect_deadline: Duration::from_secs(5),
            allowance: Allowance::default(),
            memory_max: None,
            tls: None,
            ping: PING_DEFAULT,
            drain_spread: Duration::from_secs(2),
            drain_deadline: Duration::from_secs(5),
            console: None,
            publisher: None,
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
    pub(super) memory: Memory,
    pub(super) budgets: Budgets,
    /// When it began, by which heartbeats go.
    pub(super) begun: Instant,
}

impl Edge {
    /// Whose token it is, if it is good and not revoked; counts those that are not.
    pub(super) async fn identify(&self, token: &str) -> Result<Identity, TokenError> {
        let found = self.auth.identify(token).await.and_then(|identity| {
            let revoked = self.game.access().revokes(&identity.player, &identity.credential());
            if revoked { Err(TokenError::Revoked) } else { Ok(identity) }
        });
        found.inspect_err(|fault| self.auth.count(*fault))
    }
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
    let of_tls = config.tls.iter().map(|tls| Arc::new(tls.clone()) as Arc<dyn Counting>);
    let metrics = Metrics::new(Arc::clone(&admission), config.counting.iter().cloned().chain(of_tls).collect());
    let (memory, budgets) = (Memory::new(config.memory_max), Budgets::new(config.allowance));
    let tls = config.tls.clone();
    let begun = Instant::now();
    let edge = Arc::new(Edge { config, rules, game, auth, clock, metrics, memory, budgets, begun });
    let (drain, draining) = watch::channel(false);
    let (to_http, from_edge) = mpsc::channel(HTTP_QUEUE);
    let http = http::start(Arc::clone(&edge), from_edge, draining.clone()).map_err(ListenError::Http)?;
    let mut tasks = JoinSet::new();
    if let Some(tls) = &tls {
        tasks.spawn(tls.clone().watch(draining.clone()));
    }
    tasks.spawn(Arc::clone(&edge.auth).keep_fresh(draining.clone()));
    tasks.spawn(Arc::clone(&edge.auth).watch(draining.clone()));
    tasks.spawn(House::new(edge, admission, to_http, draining).open(listener, http));
    tracing::info!(%addr, tls = tls.is_some(), "listening");
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

/// Resolves when the node drains, or when nobody can say so any more.
pub(super) async fn told(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
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
