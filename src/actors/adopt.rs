//! How a shard comes to this node and leaves it: the same for a single node, which takes all at its start, and for a
//! cluster, where shards come and go.
//!
//! Promise: messages of earlier owners are taken on before any entity of the shard may speak, so what an entity says now
//! comes after what it said before; and when a shard is let go in order, everything that was asked before is answered
//! and durable.

use crate::actors::mailbox::{ShardMessage, SupervisorMessage};
use crate::actors::node::Node;
use crate::actors::rebuild;
use crate::actors::shard::ShardArguments;
use crate::actors::shards::Shards;
use crate::cluster::link::Ownership;
use crate::cluster::shard::Shard;
use crate::faults::{Bug, planted};
use crate::persist::{Claim, Estate, ReadError};
use ractor::ActorRef;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::{debug, error, warn};

/// How long the entities of a shard may take to finish what they have, before they are ended with it undone.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// Undelivered entries read at once.
const UNDELIVERED_PAGE: u32 = 500;
/// How often, and after which pauses, the projection of a shard is tried: a database that is busy with a dead node's
/// shards is not for long.
const SHOW_TRIES: u32 = 10;
const SHOW_AGAIN: Duration = Duration::from_millis(500);

/// What shards need to come and go; cheap to clone.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// The node's common parts.
    pub node: Arc<Node>,
    /// Where requests are delivered.
    pub shards: Arc<Shards>,
    /// Who starts and ends the shards' actors.
    pub supervisor: ActorRef<SupervisorMessage>,
}

impl Shelf {
    /// What is left to do in shards that the journal has given to this node, or why that cannot be read now.
    pub async fn estates(&self, claims: &[Claim]) -> Result<Vec<Estate>, ReadError> {
        self.node.journal.estates(claims.to_vec()).await
    }

    /// Serves a shard that the journal has given to this node, and does what is left to do there; answers with how many
    /// messages of earlier owners are carried on.
    pub async fn adopt(&self, claim: &Claim, estate: Estate) -> Result<usize, ReadError> {
        let Claim { shard, epoch, .. } = *claim;
        let undelivered = match estate.undelivered {
            _ if planted(Bug::UndeliveredForgotten) => 0,
            Some(left) => {
                left.iter().for_each(|stored| self.node.courier.restore(stored));
                left.len()
            }
            None => self.take_on(claim).await?,
        };
        let wakes = if planted(Bug::WakesForgotten) { Vec::new() } else { estate.wakes };
        // Before the actor starts, since an alarm that is due rings at once.
        self.node.ownership.begin(shard, epoch);
        let arguments = Box::new(ShardArguments { shard, epoch, node: Arc::clone(&self.node), wakes });
        // Nobody waits for the actor here: whoever asks for it asks the supervisor, after this. It ends only with the
        // node, and then nothing is served any more.
        self.supervisor.cast(SupervisorMessage::Add(arguments)).unwrap_or_default();
        let ours = Ownership { shard, node: Some(self.node.router.me().clone()), epoch };
        self.node.router.table().learn([ours]);
        Ok(undelivered)
    }

    /// Hands the messages of earlier owners that were not delivered to the courier, page by page.
    async fn take_on(&self, claim: &Claim) -> Result<usize, ReadError> {
        let (mut after, mut count) = (claim.out_acked, 0);
        while after < claim.head {
            let page = match self.node.journal.undelivered(claim.shard, after, UNDELIVERED_PAGE).await {
                Ok(page) => page,
                // One entry that cannot be read stops its own entity, not the shard.
                Err(ReadError::Corrupt { entity, seq, offset, reason }) if offset > after => {
                    error!(entity, seq, reason, "messages of an entry that cannot be read are not carried on");
                    after = offset;
                    continue;
                }
                Err(err) => return Err(err),
            };
            let Some(last) = page.last() else { break };
            after = last.offset;
            count += page.len();
            page.iter().for_each(|stored| self.node.courier.restore(stored));
        }
        Ok(count)
    }

    /// Shows a shard's entities on the board for people, one shard at a time: players wait for the same connections.
    pub async fn show(&self, claim: &Claim) {
        if claim.head == 0 {
            return;
        }
        for _ in 0..SHOW_TRIES {
            let turn = self.node.showing.lock().await;
            if self.node.ownership.epoch(claim.shard) != claim.epoch {
                return;
            }
            let Err(err) = rebuild::show(&self.node, claim.shard).await else { return };
            drop(turn);
            debug!(%err, shard = claim.shard.number(), "the overview of a shard could not be rebuilt; it is tried again");
            tokio::time::sleep(SHOW_AGAIN).await;
        }
        warn!("the overview of a shard could not be rebuilt; its cards appear when its entities speak");
    }

    /// Lets a shard go in order: nothing new is taken, its entities finish what they have, and its messages are the
    /// next owner's. What is still undone after five seconds is given up; nobody was told of it.
    pub async fn let_go(&self, shard: Shard) {
        let epoch = self.node.ownership.epoch(shard);
        self.node.ownership.end(shard);
        self.drain(shard).await;
        self.forget(shard, epoch);
    }

    /// Lets the entities of a shard finish.
    pub async fn drain(&self, shard: Shard) {
        let Some(actor) = self.shards.actor(shard) else { return };
        let (done, finished) = oneshot::channel();
        let drained = actor.cast(ShardMessage::Drain(done)).is_ok();
        if drained && tokio::time::timeout(DRAIN_DEADLINE, finished).await.is_err() {
            warn!(
                shard = shard.number(),
                "some entities did not finish in time; the journal has what they acknowledged"
            );
        }
    }

    /// Drops a shard that another node has, at once.
    pub fn drop_lost(&self, shard: Shard) {
        let epoch = self.node.ownership.epoch(shard);
        self.node.ownership.end(shard);
        self.forget(shard, epoch);
    }

    fn forget(&self, shard: Shard, epoch: u64) {
        // The supervisor outlives all shards but at the node's own end.
        self.supervisor.cast(SupervisorMessage::Remove(shard)).unwrap_or_default();
        self.node.courier.give_up(shard);
        self.node.audience.clear(shard);
        self.node.parked.forget(shard);
        self.node.overview.forget(shard);
        self.node.meetings.forget(shard);
        self.node.router.table().learn([Ownership { shard, node: None, epoch }]);
    }
}
