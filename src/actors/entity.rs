//! The one actor for players, teams and regions: it drives an aggregate. It loads on its first message, decides,
//! appends, applies, and only then lets anyone know.
//!
//! Promise: an answer, a notice and an outgoing message exist only after their entry is in the journal. A panic or a
//! failed append loses nothing that was told; the next message finds the state that the journal has.

use crate::actors::mailbox::ShardMessage;
use crate::actors::node::Node;
use crate::actors::parked::Poison;
use crate::cluster::link::{Note, SessionKey};
use crate::cluster::router::{Attached, Request, Response, Undelivered};
use crate::cluster::shard::Shard;
use crate::faults::{self, Bug, Point};
use crate::ids::EntityId;
use crate::persist::{Append, AppendError, Stored};
use crate::quest::aggregate::{Aggregate, Decision, Message, State};
use crate::quest::entry::{Cause, Entry};
use crate::quest::event::{Event, TeamEvent};
use crate::quest::refusal::Refusal;
use crate::quest::{guidance, view};
use futures_util::FutureExt as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{debug, error, warn};

/// Entries between two snapshots: bounds how much a cold start must read.
const SNAPSHOT_EVERY: u64 = 50;
/// How often a decision is made anew when the stream was not where it was thought to be.
const CONFLICTS_MAX: u32 = 3;

/// A request with the place for its answer; the permit is the sender's credit, free again when it is dropped.
#[derive(Debug)]
pub struct Delivery {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Response, Undelivered>>,
    /// The credit.
    pub permit: OwnedSemaphorePermit,
}

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
}

/// What it holds.
#[derive(Debug)]
pub struct EntityState {
    id: EntityId,
    node: Arc<Node>,
    shard: ActorRef<ShardMessage>,
    /// The state; `None` until the first message, and after an append of unknown fate.
    aggregate: Option<Aggregate>,
    /// The position of the last snapshot.
    snapshot: u64,
}

impl Actor for EntityActor {
    type Msg = Delivery;
    type State = EntityState;
    type Arguments = EntityArguments;

    async fn pre_start(
        &self,
        _: ActorRef<Delivery>,
        arguments: EntityArguments,
    ) -> Result<EntityState, ActorProcessingErr> {
        let EntityArguments { id, node, shard } = arguments;
        Ok(EntityState { id, node, shard, aggregate: None, snapshot: 0 })
    }

    async fn handle(
        &self,
        _: ActorRef<Delivery>,
        delivery: Delivery,
        state: &mut EntityState,
    ) -> Result<(), ActorProcessingErr> {
        let Delivery { request, answer, permit } = delivery;
        // Boxed: else an idle actor keeps the room of its largest step, 4 KB, for as long as it is awake. Whatever a
        // panic leaves behind ends with this actor.
        let result = match Box::pin(AssertUnwindSafe(state.respond(&request)).catch_unwind()).await {
            Ok(result) => result,
            Err(panic) => return Err(state.panicked(&request, panic.as_ref()).into()),
        };
        // The asker may have given up; what was decided stands all the same.
        if answer.send(result).is_err() {
            debug!(entity = %state.id, "the asker did not wait for its answer");
        }
        drop(permit);
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Delivery>, state: &mut EntityState) -> Result<(), ActorProcessingErr> {
        state.save_snapshot(1).await;
        Ok(())
    }
}

/// An entity has panicked, and that has been reported.
#[derive(Debug, thiserror::Error)]
#[error("an entity has panicked")]
pub struct Panicked;

impl EntityState {
    async fn respond(&mut self, request: &Request) -> Result<Response, Undelivered> {
        self.load().await?;
        match request {
            Request::Decide(message) => self.decide(message).await.map(Response::Decided),
            Request::Attach { after, session, since } => self.attach(*after, session.clone(), *since),
            Request::View => self.view(),
            Request::Drop { cause, hops } => self.drop_message(cause, *hops).await.map(Response::Dropped),
        }
    }

    /// Reports that a request has made this entity panic.
    fn panicked(&self, request: &Request, panic: &(dyn Any + Send)) -> Panicked {
        let poison = match request {
            Request::Decide(message) => Poison::of(message),
            Request::Attach { .. } => Poison::named("attach"),
            Request::View => Poison::named("view"),
            Request::Drop { cause, hops } => Poison { name: "drop".to_owned(), cause: Some((cause.clone(), *hops)) },
        };
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        self.node.parked.report(&self.id, self.node.clock.now(), poison, text.unwrap_or("no words"));
        Panicked
    }

    /// Notes a message as one that an operator has dropped; `false`: it was taken in before.
    async fn drop_message(&mut self, cause: &Cause, hops: u8) -> Result<bool, Undelivered> {
        let Some(aggregate) = &self.aggregate else { return Err(Undelivered::Unavailable) };
        let Some(entry) = aggregate.drop_message(self.node.clock.now(), cause, hops) else { return Ok(false) };
        match self.commit(entry).await {
            Ok(_) => Ok(true),
            Err(AppendError::Repeated(_)) => Ok(false),
            Err(AppendError::Conflict(_) | AppendError::Lost | AppendError::Unavailable(_)) => {
                Err(Undelivered::Unavailable)
            }
        }
    }

    async fn load(&mut self) -> Result<(), Undelivered> {
        if self.aggregate.is_some() {
            return Ok(());
        }
        let out_of_service = |err| {
            error!(entity = %self.id, %err, "an entity cannot be read and is out of service");
            Undelivered::Unavailable
        };
        let mut loaded = self.node.journal.load(&self.id).await.map_err(out_of_service)?;
        let mut restored = loaded.restore(&self.id);
        if restored.is_none() {
            warn!(entity = %self.id, "a snapshot cannot be read; the entity is made of its entries");
            loaded = self.node.journal.load_entries(&self.id).await.map_err(out_of_service)?;
            restored = loaded.restore(&self.id);
        }
        self.snapshot = loaded.snapshot.map_or(0, |(seq, _)| seq);
        self.aggregate = restored;
        self.aggregate.as_ref().map(|_| ()).ok_or(Undelivered::Unavailable)
    }

    async fn decide(&mut self, message: &Message) -> Result<Option<serde_json::Value>, Undelivered> {
        if self.node.courier.is_full() {
            return Err(Undelivered::Busy);
        }
        let mut repeated = false;
        for _ in 0..CONFLICTS_MAX {
            self.load().await?;
            let Some(aggregate) = &self.aggregate else { return Err(Undelivered::Unavailable) };
            let content = self.node.world.content();
            let now = self.node.clock.now();
            let entry = match aggregate.decide(now, &content.catalog, message) {
                Ok(Decision::Nothing(answer)) => {
                    if matches!(message.command, crate::quest::command::Command::Wake) {
                        self.ask_to_be_woken(aggregate.due(&content.catalog, now));
                    }
                    return Ok(answer);
                }
                Ok(Decision::Append(entry)) => {
                    faults::taste(|| serde_json::to_string(&message.command).unwrap_or_default());
                    *entry
                }
                Err(refusal) => return Err(Undelivered::Refused(refusal)),
            };
            match self.commit(entry).await {
                Ok(answer) => return Ok(answer),
                Err(AppendError::Conflict(reason)) => {
                    error!(entity = %self.id, reason, "the entity's state was stale; it is read anew");
                    self.aggregate = None;
                }
                // Long ago, or the state would have known it: read anew once, in case it was stale.
                Err(AppendError::Repeated(_)) if repeated => break,
                Err(AppendError::Repeated(_)) => {
                    repeated = true;
                    self.aggregate = None;
                }
                Err(AppendError::Lost) => {
                    self.aggregate = None;
                    if faults::planted(Bug::LostIsDone) {
                        return Ok(None);
                    }
                    return Err(Undelivered::Unavailable);
                }
                Err(AppendError::Unavailable(_)) => return Err(Undelivered::Unavailable),
            }
        }
        Err(match &message.cause {
            Some(Cause::Message(_)) if repeated => return Ok(None),
            // Its answer is no longer kept, only that it was done; saying so beats asking for another try for ever.
            Some(Cause::Client { .. }) => Undelivered::Refused(Refusal::command_conflict(
                "this command id was used long ago and its answer is not kept; make a new id for each command",
            )),
            Some(Cause::Message(_)) | None => Undelivered::Unavailable,
        })
    }

    /// Appends an entry, takes it in, and lets everyone know whom it concerns.
    async fn commit(&mut self, entry: Entry) -> Result<Option<serde_json::Value>, AppendError> {
        // Until the answer comes the state is unknown; a task that is killed here leaves nothing stale behind.
        let Some(mut next) = self.aggregate.take() else { return Ok(None) };
        let content = self.node.world.content();
        next.apply(&entry);
        let wake = next.due(&content.catalog, entry.at);
        let append = Append { entity: self.id.clone(), entry: entry.clone(), wake };
        let begun = self.node.courier.begin(&self.id);
        faults::reach(Point::BeforeAppend);
        if faults::planted(Bug::TellBeforeAppend) {
            self.tell_session(&next, &entry);
        }
        let offset = match self.node.journal.append(append).await {
            Ok(offset) => offset,
            Err(_) if faults::planted(Bug::AcknowledgeBeforeAppend) => 1,
            // It may be in the journal: its letters count as under way.
            Err(AppendError::Lost) => return Err(AppendError::Lost),
            Err(err) => {
                self.node.courier.nothing(begun);
                if faults::planted(Bug::FailedStateKept) {
                    self.aggregate = Some(next);
                }
                return Err(err);
            }
        };
        faults::reach(Point::AfterAppend);
        self.tell_session(&next, &entry);
        let answer = entry.reply.clone();
        let stored = Stored { entity: self.id.clone(), offset, epoch: 0, entry };
        self.node.courier.take(begun, &stored);
        self.node.overview.committed(&next, &stored);
        self.node.counters.entry();
        self.expel_leavers(&next, &stored.entry);
        self.aggregate = Some(next);
        self.ask_to_be_woken(wake);
        self.save_snapshot(SNAPSHOT_EVERY).await;
        Ok(answer)
    }

    /// A player's session hears the notices, and what to watch from now on.
    fn tell_session(&self, next: &Aggregate, entry: &Entry) {
        if let (State::Player(player), EntityId::Player(id)) = (&next.state, &self.id) {
            let content = self.node.world.content();
            let first = player.offset - entry.notices.len() as u64;
            let notices = player.missed(first).unwrap_or_default();
            self.node.tell_player(id, notices, || guidance::of(player, id, next.seq, &content.catalog));
        }
    }

    /// Those who have left a team no longer hear its live channel.
    fn expel_leavers(&self, next: &Aggregate, entry: &Entry) {
        let left = entry.events.iter().any(|event| matches!(event, Event::Team(TeamEvent::MemberLeft { .. })));
        if let (true, State::Team(team), EntityId::Team(id)) = (left, &next.state, &self.id) {
            let members: Vec<_> = team.members.keys().cloned().collect();
            self.node.channels.expel(id, &members);
            self.node.tell_peers(&Note::Members { team: id.clone(), members });
        }
    }

    fn ask_to_be_woken(&self, at: Option<crate::units::Timestamp>) {
        if matches!(self.id, EntityId::Team(_)) {
            let wake = ShardMessage::WakeAt { entity: self.id.clone(), at };
            if self.shard.cast(wake).is_err() {
                debug!(entity = %self.id, "the shard is gone; its next owner reads the alarm from the journal");
            }
        }
    }

    /// Keeps a snapshot when at least `every` entries have come since the last.
    async fn save_snapshot(&mut self, every: u64) {
        let Some(aggregate) = &self.aggregate else { return };
        if aggregate.seq < self.snapshot + every {
            return;
        }
        let Ok(bytes) = serde_json::to_vec(aggregate).map(faults::spoilt) else { return };
        faults::reach(Point::InSnapshot);
        match self.node.journal.save_snapshot(&self.id, aggregate.seq, bytes).await {
            Ok(()) => self.snapshot = aggregate.seq,
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
