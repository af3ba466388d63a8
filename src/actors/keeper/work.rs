//! What the keeper has done beside itself: claims, hand-overs, burials.

use super::{Done, Keeper};
use crate::actors::adopt::Shelf;
use crate::cluster::link::{Note, Ownership};
use crate::cluster::member::NodeId;
use crate::cluster::shard::Shard;
use crate::persist::{Claim, ReadError};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Shards whose estates are read in one question: with some kilobytes each, a fraction of a megabyte.
const TOGETHER: usize = 64;
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
            release(&shelf, &[shard]).await;
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
async fn release(shelf: &Shelf, shards: &[Shard]) {
    while let Err(err) = shelf.node.journal.release(shards.to_vec()).await {
        warn!(%err, shards = shards.len(), "shards could not be released; it is tried again");
        tokio::time::sleep(RELEASE_AGAIN).await;
    }
}

/// Lets others have what this node cannot serve.
async fn give_back(shelf: &Shelf, shards: &[Shard], err: &ReadError) {
    warn!(%err, shards = shards.len(), "shards could not be taken in; they are given back");
    shards.iter().for_each(|shard| shelf.node.courier.give_up(*shard));
    release(shelf, shards).await;
}

/// Serves what was claimed; what cannot be taken in is given back.
async fn take_in(shelf: &Shelf, mut claims: Vec<Claim>) -> Vec<(Shard, u64)> {
    let mut taken = Vec::with_capacity(claims.len());
    while !claims.is_empty() {
        let some: Vec<Claim> = claims.drain(..claims.len().min(TOGETHER)).collect();
        let estates = match shelf.estates(&some).await {
            Ok(estates) => estates,
            Err(err) => {
                let shards: Vec<Shard> = some.iter().map(|claim| claim.shard).collect();
                give_back(shelf, &shards, &err).await;
                continue;
            }
        };
        for (claim, estate) in some.into_iter().zip(estates) {
            if let Err(err) = shelf.adopt(&claim, estate).await {
                give_back(shelf, &[claim.shard], &err).await;
                continue;
            }
            let node = Some(shelf.node.router.me().clone());
            shelf.node.tell_peers(&Note::Owners(vec![Ownership { shard: claim.shard, node, epoch: claim.epoch }]));
            taken.push(claim);
        }
    }
    let held = taken.iter().map(|claim| (claim.shard, claim.epoch)).collect();
    let (showing, stop) = (shelf.clone(), shelf.node.stop.clone());
    let under_way = shelf.node.overview.show();
    shelf.node.tasks.spawn(async move {
        let show = async {
            for claim in &taken {
                showing.show(claim).await;
            }
        };
        stop.run_until_cancelled(show).await;
        drop(under_way);
    });
    held
}
