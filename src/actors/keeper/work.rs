//! What the keeper has done beside itself: claims, hand-overs, burials.

use super::{Done, Keeper};
use crate::actors::adopt::Shelf;
use crate::cluster::link::{Note, Ownership};
use crate::cluster::member::NodeId;
use crate::cluster::shard::Shard;
use crate::persist::Claim;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Shards taken in at once: each reads the journal a few times, and there are four connections for that.
const ADOPTING: usize = 8;
/// A pause before a release that failed is tried again.
const RELEASE_AGAIN: Duration = Duration::from_millis(250);

impl Keeper {
    /// Claims shards and takes them in.
    pub(super) fn claim(&mut self, shards: Vec<Shard>) {
        let free = |shard: &Shard| !self.claiming.contains(shard) && !self.mine.contains_key(shard);
        let asked: Vec<Shard> = shards.into_iter().filter(free).collect();
        if asked.is_empty() {
            return;
        }
        self.claiming.extend(asked.iter().copied());
        let shelf = self.shelf.clone();
        self.work.spawn(async move {
            let held = match shelf.node.journal.claim_free(asked.clone()).await {
                Ok(claims) => take_in(&shelf, claims).await,
                Err(err) => {
                    warn!(%err, "shards that nobody serves could not be claimed; they are claimed again");
                    Vec::new()
                }
            };
            Done::Claimed { asked, held }
        });
    }

    /// Lets a shard go, so that another node can have it.
    pub(super) fn hand_over(&mut self, shard: Shard, to: &NodeId) {
        let Some(holding) = self.mine.get_mut(&shard).filter(|holding| !holding.closing) else { return };
        holding.closing = true;
        let epoch = holding.epoch;
        tracing::debug!(shard = shard.number(), %to, "a shard is handed over");
        let shelf = self.shelf.clone();
        self.work.spawn(async move {
            shelf.let_go(shard).await;
            release(&shelf, shard).await;
            shelf.node.tell_peers(&Note::Owners(vec![Ownership { shard, node: None, epoch }]));
            Done::LetGo(shard)
        });
    }

    /// Says that a node is dead.
    pub(super) fn bury(&mut self, node: NodeId) {
        info!(%node, "a node is gone: its machine answers that nobody listens there");
        let members = Arc::clone(&self.members);
        self.work.spawn(async move {
            if let Err(err) = members.bury(&node).await {
                warn!(%err, "a dead node's lease could not be ended; it runs out by itself");
            }
            members.look();
            Done::Other
        });
    }
}

/// Until a shard is released nobody else may have it, so this is worth trying for as long as it takes; if the database
/// is gone, so is the lease, and others claim it.
async fn release(shelf: &Shelf, shard: Shard) {
    while let Err(err) = shelf.node.journal.release(vec![shard]).await {
        warn!(%err, shard = shard.number(), "a shard could not be released; it is tried again");
        tokio::time::sleep(RELEASE_AGAIN).await;
    }
}

/// Serves what was claimed; what cannot be taken in is given back.
async fn take_in(shelf: &Shelf, claims: Vec<Claim>) -> Vec<(Shard, u64)> {
    let adopted: Vec<Option<Claim>> = futures_util::stream::iter(claims)
        .map(|claim| async move {
            let Claim { shard, epoch, .. } = claim;
            match shelf.adopt(&claim).await {
                Ok(_) => {
                    let node = Some(shelf.node.router.me().clone());
                    shelf.node.tell_peers(&Note::Owners(vec![Ownership { shard, node, epoch }]));
                    Some(claim)
                }
                Err(err) => {
                    warn!(%err, shard = shard.number(), "a shard could not be taken in; it is given back");
                    shelf.node.courier.give_up(shard);
                    release(shelf, shard).await;
                    None
                }
            }
        })
        .buffer_unordered(ADOPTING)
        .collect()
        .await;
    let claims: Vec<Claim> = adopted.into_iter().flatten().collect();
    let held = claims.iter().map(|claim| (claim.shard, claim.epoch)).collect();
    let (showing, stop) = (shelf.clone(), shelf.node.stop.clone());
    let under_way = shelf.node.overview.show();
    shelf.node.tasks.spawn(async move {
        let show = async {
            for claim in &claims {
                showing.show(claim).await;
            }
        };
        stop.run_until_cancelled(show).await;
        drop(under_way);
    });
    held
}
