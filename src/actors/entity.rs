//! The one actor for players, teams and regions: it drives an aggregate. It loads on its first message; then it decides
//! and appends what waits, a `run` at a time, and only then lets anyone know.
//!
//! Promise: an answer, a notice and an outgoing message exist only after their entry is in the journal. A panic or a
//! failed append loses nothing that was told; the next message finds the state that the journal has.

use crate::actors::inbox::Inbox;
use crate::actors::mailbox::ShardMessage;
use crate::actors::node::Node;
use crate::actors::parked::Poison;
use crate::cluster::link::SessionKey;
use crate::cluster::router::{Attached, Request, Response, Undelivered};
use crate::cluster::shard::Shard;
use crate::faults::{self, Bug, Point};
use crate::ids::EntityId;
use crate::persist::{RUN_MAX, ReadError};
use crate::quest::aggregate::{Aggregate, State};
use crate::quest::{guidance, view};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::any::Any;
use std::sync::Arc;
use tracing::{debug, error, warn};

mod run;

/// Entries between two snapshots at least: bounds how much a cold start must read.
const SNAPSHOT_EVERY: u64 = 50;
/// What an entry of play has in bytes (docs/operations.md).
const ENTRY_BYTES: u64 = 500;
/// How often a decision is made anew when the stream was not where it was thought to be.
const CONFLICTS_MAX: u32 = 3;

/// The actor's behaviour.
#[derive(Debug)]
pub struct EntityActor;

/// What it needs to start.
#[derive(Debug)]
pub struct EntityArguments {
    /// Which entity.
    pub id: EntityId,
    /// The node's common parts.
    pub node: Arc<Node>,
    /// Its shard, which wakes it.
    pub shard: ActorRef<ShardMessage>,
    /// What is asked of it.
    pub inbox: Arc<Inbox>,
}

/// What it holds.
#[derive(Debug)]
pub struct EntityState {
    id: EntityId,
    node: Arc<Node>,
    shard: ActorRef<ShardMessage>,
    inbox: Arc<Inbox>,
    /// The state; `None` until the first message, and after an append that failed.
    aggregate: Option<Aggregate>,
    /// The position of the last snapshot, and its bytes.
    snapshot: (u64, u64),
    /// Whether a run is being written.
    writing: bool,
    /// Whether the state is of no use after this run.
    spoilt: bool,
    /// Whether the board lacks something of it.
    unshown: bool,
}

/// Word that something has come into an empty inbox.
#[derive(Debug, Clone, Copy)]
pub struct Turn;

impl Actor for EntityActor {
    type Msg = Turn;
    type State = EntityState;
    type Arguments = EntityArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Turn>,
        arguments: EntityArguments,
    ) -> Result<EntityState, ActorProcessingErr> {
        let EntityArguments { id, node, shard, inbox } = arguments;
        let (aggregate, snapshot, writing, spoilt, unshown) = (None, (0, 0), false, false, false);
        Ok(EntityState { id, node, shard, inbox, aggregate, snapshot, writing, spoilt, unshown })
    }

    async fn handle(
        &self,
        myself: ActorRef<Turn>,
        _: Turn,
        state: &mut EntityState,
    ) -> Result<(), ActorProcessingErr> {
        state.inbox.set_at_work(true);
        loop {
            let (deliveries, more) = state.inbox.take(RUN_MAX);
            // Boxed: else an idle actor keeps the room of its largest step, 4 KB, for as long as it is awake.
            Box::pin(state.serve(deliveries)).await?;
            // One that is being let go takes no more messages, and serves what it has at once.
            if !more || myself.cast(Turn).is_ok() {
                state.inbox.set_at_work(false);
                return Ok(());
            }
        }
    }

    async fn post_stop(&self, _: ActorRef<Turn>, state: &mut EntityState) -> Result<(), ActorProcessingErr> {
        // A tail that is short beside the snapshot is read faster than a new snapshot is written.
        state.save_snapshot((state.snapshot_every() / 10).clamp(1, SNAPSHOT_EVERY)).await;
        Ok(())
    }
}

/// An entity has panicked, and that has been reported.
#[derive(Debug, thiserror::Error)]
#[error("an entity has panicked")]
pub struct Panicked;

impl EntityState {
    /// Answers what changes nothing.
    fn respond(&self, request: &Request) -> Result<Response, Undelivered> {
        match request {
            Request::Attach { after, session, since } => self.attach(*after, session.clone(), *since),
            Request::View => self.view(),
            Request::Decide(_) | Request::Drop { .. } => Err(Undelivered::Unavailable),
        }
    }

    /// Reports that a request, if it was one, has made this entity panic.
    fn panicked(&self, request: Option<&Request>, panic: &(dyn Any + Send)) -> Panicked {
        let poison = match request {
            Some(Request::Decide(message)) => Poison::of(message),
            Some(Request::Attach { .. }) => Poison::named("attach"),
            Some(Request::View) => Poison::named("view"),
            Some(Request::Drop { cause, hops }) => {
                Poison { name: "drop".to_owned(), cause: Some((cause.clone(), *hops)) }
            }
            None => Poison::named("writing"),
        };
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        self.node.parked.report(&self.id, self.node.clock.now(), poison, text.unwrap_or("no words"));
        Panicked
    }

    async fn load(&mut self) -> Result<(), Undelivered> {
        if self.aggregate.is_some() {
            return Ok(());
        }
        let out_of_service = |err| {
            match &err {
                // The journal says itself that it is away; the next message tries again.
                ReadError::Unavailable(_) => debug!(entity = %self.id, %err, "an entity cannot be read now"),
                ReadError::Corrupt { .. } => {
                    error!(entity = %self.id, %err, "an entity cannot be read and is out of service");
                }
            }
            Undelivered::Unavailable
        };
        let mut loaded = self.node.journal.load(&self.id).await.map_err(out_of_service)?;
        let mut restored = loaded.restore(&self.id);
        if restored.is_none() {
            warn!(entity = %self.id, "a snapshot cannot be read; the entity is made of its entries");
            loaded = self.node.journal.load_entries(&self.id).await.map_err(out_of_service)?;
            restored = loaded.restore(&self.id);
        }
        self.snapshot = loaded.snapshot.map_or((0, 0), |(seq, bytes)| (seq, bytes.len() as u64));
        self.aggregate = restored;
        if let Some(aggregate) = self.aggregate.as_ref().filter(|_| std::mem::take(&mut self.unshown)) {
            self.node.overview.restored(aggregate);
        }
        self.aggregate.as_ref().map(|_| ()).ok_or(Undelivered::Unavailable)
    }

    fn ask_to_be_woken(&self, at: Option<crate::units::Timestamp>) {
        if matches!(self.id, EntityId::Team(_)) {
            let wake = ShardMessage::WakeAt { entity: self.id.clone(), at };
            if self.shard.cast(wake).is_err() {
                debug!(entity = %self.id, "the shard is gone; its next owner reads the alarm from the journal");
            }
        }
    }

    /// After how many entries a snapshot is worth its bytes: those of one must not outweigh the entries that it saves,
    /// or a place with 50,000 visitors would write its three megabytes every 50 entries.
    fn snapshot_every(&self) -> u64 {
        SNAPSHOT_EVERY.max(self.snapshot.1 / ENTRY_BYTES)
    }

    /// Keeps a snapshot when at least `every` entries have come since the last.
    async fn save_snapshot(&mut self, every: u64) {
        let Some(aggregate) = &self.aggregate else { return };
        if aggregate.seq < self.snapshot.0 + every {
            return;
        }
        let Ok(bytes) = serde_json::to_vec(aggregate).map(faults::spoilt) else { return };
        faults::reach(Point::InSnapshot);
        let size = bytes.len() as u64;
        match self.node.journal.save_snapshot(&self.id, aggregate.seq, bytes).await {
            Ok(()) => self.snapshot = (aggregate.seq, size),
            Err(err) => debug!(entity = %self.id, %err, "a snapshot was not kept; it is only a cache"),
        }
    }

    /// The session hears the player's news from now on; what it missed until now is in the answer.
    fn attach(&self, after: Option<u64>, session: SessionKey, since: Option<u64>) -> Result<Response, Undelivered> {
        let (Some(Aggregate { state: State::Player(player), seq, .. }), EntityId::Player(id)) =
            (&self.aggregate, &self.id)
        else {
            return Err(Undelivered::Unavailable);
        };
        let now = u64::try_from(self.node.clock.now().as_millis()).unwrap_or(0);
        let attachment = self.node.audience.attach(id, session, since, now);
        if let Some(over) = attachment.over {
            self.node.tell_replaced(id, over);
        }
        let content = self.node.world.content();
        Ok(Response::Attached(Box::new(Attached {
            since: attachment.since,
            epoch: self.node.ownership.epoch(Shard::of(&self.id)),
            offset: player.offset,
            missed: after.and_then(|after| player.missed(after + u64::from(faults::planted(Bug::ResumeOffByOne)))),
            guidance: guidance::of(player, id, *seq, &content.catalog),
        })))
    }

    fn view(&self) -> Result<Response, Undelivered> {
        let Some(aggregate) = &self.aggregate else { return Err(Undelivered::Unavailable) };
        let content = self.node.world.content();
        Ok(Response::Viewed(match (&aggregate.state, &self.id) {
            (State::Player(player), EntityId::Player(id)) => view::state(player, id, &content.catalog),
            (State::Team(team), EntityId::Team(id)) => view::team(team, id),
            _ => serde_json::Value::Null,
        }))
    }
}

#[cfg(test)]
mod tests;
