//! The door before all nodes, as a load balancer is: it asks each node whether it is ready, and takes who comes to one
//! that is. Who is inside stays where it is until that node ends, or sends it away.

use crate::http;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use waystone_kit::port;

/// How often each node is asked.
const LOOK: Duration = Duration::from_millis(200);
/// How long it may take to answer; one that stands still does not.
const ANSWER: Duration = Duration::from_secs(1);

/// The door; it is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Front {
    port: u16,
    doors: Arc<Doors>,
    _work: JoinSet<()>,
}

#[derive(Debug)]
struct Doors {
    nodes: Vec<(u16, AtomicBool)>,
    turn: AtomicUsize,
}

impl Doors {
    /// The first node that is ready, from one on.
    fn pick(&self, from: usize) -> Option<usize> {
        let count = self.nodes.len();
        (0..count).map(|step| (from + step) % count).find(|node| self.nodes[*node].1.load(Ordering::Relaxed))
    }
}

impl Front {
    /// Opens it before nodes that listen on these ports.
    pub(crate) async fn open(ports: impl Iterator<Item = u16>) -> Self {
        let nodes = ports.map(|port| (port, AtomicBool::new(false))).collect();
        let doors = Arc::new(Doors { nodes, turn: AtomicUsize::new(0) });
        let port = port::free().expect("one of a hundred ports is free");
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("it is free");
        let mut work = JoinSet::new();
        for node in 0..doors.nodes.len() {
            work.spawn(look(Arc::clone(&doors), node));
        }
        work.spawn(serve(Arc::clone(&doors), listener));
        Self { port, doors, _work: work }
    }

    /// Where it is.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The first node that is ready, from one on, by its place in the order of names; and where it listens.
    pub(crate) fn pick(&self, from: usize) -> Option<(usize, u16)> {
        self.doors.pick(from).map(|node| (node, self.doors.nodes[node].0))
    }
}

async fn look(doors: Arc<Doors>, node: usize) {
    let (port, ready) = &doors.nodes[node];
    loop {
        let answer = timeout(ANSWER, http::get(*port, "/readyz", None)).await;
        ready.store(matches!(answer, Ok(Ok(reply)) if reply.status == 200), Ordering::Relaxed);
        tokio::time::sleep(LOOK).await;
    }
}

async fn serve(doors: Arc<Doors>, listener: TcpListener) {
    let mut inside = JoinSet::new();
    loop {
        tokio::select! {
            Ok((mut guest, _)) = listener.accept() => {
                let doors = Arc::clone(&doors);
                inside.spawn(async move {
                    let Some(node) = doors.pick(doors.turn.fetch_add(1, Ordering::Relaxed)) else { return };
                    if let Ok(mut host) = TcpStream::connect(("127.0.0.1", doors.nodes[node].0)).await {
                        // How it ends is for the two to know.
                        let _ = copy_bidirectional(&mut guest, &mut host).await;
                    }
                });
            }
            Some(_) = inside.join_next() => {}
        }
    }
}
