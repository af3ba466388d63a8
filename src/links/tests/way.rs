//! A way between two nodes that can be held: nothing passes, nothing is lost, nobody is told.

use super::super::memory::Net;
use super::world::{Node, World};
use crate::cluster::member::NodeId;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// From a first node to a second.
pub(super) enum Way {
    Memory(Net, NodeId, NodeId),
    Proxy { addr: SocketAddr, held: watch::Sender<bool>, _tasks: JoinSet<()> },
}

impl Way {
    /// Lays a way, and has the first node dial the second by it.
    pub(super) async fn lay(world: &World, from: &Node, to: &Node) -> Self {
        let way = match world {
            World::Memory(net) => Self::Memory(net.clone(), from.id(), to.id()),
            World::Real => proxy(to.address.parse().expect("an address")).await,
        };
        let (node, (name, address)) = to.row();
        let address = match &way {
            Self::Memory(..) => address,
            Self::Proxy { addr, .. } => addr.to_string(),
        };
        from.links.aim_at(node, name, address);
        from.up(to).await;
        way
    }

    pub(super) fn hold(&self) {
        match self {
            Self::Memory(net, from, to) => net.cut_both(from, to),
            Self::Proxy { held, .. } => _ = held.send_replace(true),
        }
    }

    pub(super) fn release(&self) {
        match self {
            Self::Memory(net, from, to) => net.heal(from, to),
            Self::Proxy { held, .. } => _ = held.send_replace(false),
        }
    }
}

impl super::super::Links {
    fn aim_at(&self, node: NodeId, name: String, address: String) {
        crate::cluster::link::Peers::aim(self, [(node, (name, address))].into());
    }
}

async fn proxy(to: SocketAddr) -> Way {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let held = watch::Sender::new(false);
    let holding = held.subscribe();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut pipes = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(to).await else { continue };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            pipes.spawn(pipe(near_in, far_out, holding.clone()));
            pipes.spawn(pipe(far_in, near_out, holding.clone()));
        }
    });
    Way::Proxy { addr, held, _tasks: tasks }
}

async fn pipe(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut held: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if held.wait_for(|held| !held).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
