//! What stands before the nodes, as a load balancer would: one port, and behind it whichever node lives.
//!
//! Promise: a new connection goes to the next node that takes it, in turn; one that is open ends with its node.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at once: the walkers of the largest demo and some consoles; more wait in the listening queue.
const CONNECTIONS_MAX: usize = 6_000;
/// How long a node on this machine may take to accept.
const CONNECT: Duration = Duration::from_millis(500);
/// A pause after an accept that failed: the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// Carries connections until told to stop.
pub(super) async fn run(
    listener: TcpListener,
    nodes: watch::Receiver<Vec<SocketAddr>>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut turn = 0_usize;
    let carry = async {
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let Ok((client, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let mut order = nodes.borrow().clone();
            let first = turn % order.len().max(1);
            order.rotate_left(first);
            turn = turn.wrapping_add(1);
            tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
                // Either side going away is how connections end.
                carry(client, order).await.unwrap_or_default();
                drop(place);
            }));
        }
    };
    stop.run_until_cancelled(carry).await;
}

async fn carry(mut client: TcpStream, nodes: Vec<SocketAddr>) -> io::Result<()> {
    let Some(mut node) = reach(nodes).await else { return Ok(()) };
    client.set_nodelay(true)?;
    node.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut node).await.map(drop)
}

/// The first that accepts.
async fn reach(nodes: Vec<SocketAddr>) -> Option<TcpStream> {
    for node in nodes {
        if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT, TcpStream::connect(node)).await {
            return Some(stream);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A node that says its letter to whoever connects.
    async fn node(letter: u8, tasks: &TaskTracker) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(&[letter]).await.unwrap_or_default();
            }
        });
        addr
    }

    #[tokio::test]
    async fn each_living_node_has_its_turn() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let dead = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
        let nodes = vec![node(b'a', &tasks).await, dead, node(b'b', &tasks).await];
        let (living, seen) = watch::channel(nodes);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        tasks.spawn(run(listener, seen, tasks.clone(), stop.clone()));
        let say = async || {
            let mut stream = TcpStream::connect(addr).await.expect("the front listens");
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.expect("an end");
            heard
        };
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.extend(say().await);
        }
        assert_eq!(heard, b"abb", "the dead one's turn is the next one's");
        living.send_replace(Vec::new());
        assert_eq!(say().await, b"", "nobody is there");
        stop.cancel();
    }
}
