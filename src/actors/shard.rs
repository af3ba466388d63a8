//! A shard's actor: the directory of its entities. It starts an entity's actor on demand, lets idle ones go,
//! supervises them, and wakes those that asked for it.
//!
//! Promise: never two live actors for one entity on this node; what waits for one that is just going, or has died, is
//! given to the next. An entity that panics again and again is parked ([`super::parked`]) and harms nobody else.

use crate::actors::entity::{EntityActor, EntityArguments, Panicked, Turn};
use crate::actors::inbox::{Delivery, Inbox};
use crate::actors::mailbox::{Answer, ShardMessage};
use crate::actors::node::Node;
use crate::actors::parked::Poison;
use crate::cluster::router::{Request, Undelivered};
use crate::cluster::shard::Shard;
use crate::faults;
use crate::ids::EntityId;
use crate::quest::aggregate::Message;
use crate::quest::command::Command;
use crate::units::Timestamp;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::warn;

/// How long an entity may be idle before its actor is let go.
const IDLE: Duration = Duration::from_secs(120);
/// How often idle ones are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// After so long an alarm rings again whose entity has not said when it wants to be woken next.
const RING_AGAIN: Duration = Duration::from_secs(30);

/// The actor's behaviour.
#[derive(Debug)]
pub struct ShardActor;

/// What it needs to start.
#[derive(Debug, Clone)]
pub struct ShardArguments {
    /// Which shard.
    pub shard: Shard,
    /// The epoch in which this node has it.
    pub epoch: u64,
    /// The node's common parts.
    pub node: Arc<Node>,
    /// Alarms as the journal has them.
    pub wakes: Vec<(EntityId, Timestamp)>,
}

impl ShardArguments {
    /// Whether the shard has left this node since.
    pub fn is_stale(&self) -> bool {
        self.node.ownership.epoch(self.shard) != self.epoch
    }
}

/// What it holds.
#[derive(Debug)]
pub struct ShardState {
    shard: Shard,
    node: Arc<Node>,
    slots: BTreeMap<EntityId, Slot>,
    by_actor: HashMap<ActorId, EntityId>,
    wakes: HashMap<EntityId, Timestamp>,
    alarms: BTreeSet<(Timestamp, EntityId)>,
    drained: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Slot {
    actor: ActorRef<Turn>,
    inbox: Arc<Inbox>,
    last_used: Instant,
    /// Whether its actor is being let go.
    going: bool,
}

impl Actor for ShardActor {
    type Msg = ShardMessage;
    type State = ShardState;
    type Arguments = ShardArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<ShardMessage>,
        arguments: ShardArguments,
    ) -> Result<ShardState, ActorProcessingErr> {
        let ShardArguments { shard, node, wakes, .. } = arguments;
        let alarms: BTreeSet<_> = wakes.iter().map(|(entity, at)| (*at, entity.clone())).collect();
        if !alarms.is_empty() {
            myself.cast(ShardMessage::Alarm)?;
        }
        Ok(ShardState {
            shard,
            node,
            slots: BTreeMap::new(),
            by_actor: HashMap::new(),
            wakes: wakes.into_iter().collect(),
            alarms,
            drained: None,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<ShardMessage>,
        message: ShardMessage,
        state: &mut ShardState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ShardMessage::Deliver { to, request, answer, permit } => {
                state.deliver(&myself, to, request, answer).await?;
                drop(permit);
            }
            ShardMessage::WakeAt { entity, at } => state.wake_at(&myself, entity, at),
            ShardMessage::Alarm => state.ring(&myself).await?,
            ShardMessage::Sweep => state.sweep(&myself),
            ShardMessage::Drain(done) => {
                state.drained = Some(done);
                state.slots.values_mut().for_each(Slot::let_go);
                state.report_drained();
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<ShardMessage>,
        event: SupervisionEvent,
        state: &mut ShardState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, ..) => state.gone(&myself, &cell).await?,
            SupervisionEvent::ActorFailed(cell, err) => {
                state.failed(&cell, &err);
                state.gone(&myself, &cell).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Slot {
    fn let_go(&mut self) {
        if !std::mem::replace(&mut self.going, true) {
            // `stop` would overtake requests that are queued; `drain` lets them be answered first.
            if self.actor.get_cell().drain().is_err() {
                warn!("an entity's actor was gone before it was let go");
            }
        }
    }
}

impl Drop for ShardState {
    fn drop(&mut self) {
        // A shard that is lost to another node ends without letting its entities go.
        self.node.counters.entities(-i64::try_from(self.slots.len()).unwrap_or(0));
    }
}

impl ShardState {
    async fn deliver(
        &mut self,
        myself: &ActorRef<ShardMessage>,
        to: EntityId,
        request: Request,
        answer: Answer,
    ) -> Result<(), ActorProcessingErr> {
        if self.drained.is_some() {
            reject(answer, Undelivered::Moved);
            return Ok(());
        }
        faults::taste(|| format!("the shard of {to}"));
        // To drop what it died of, a parked entity must be asked once more.
        if !matches!(request, Request::Drop { .. }) && !self.node.parked.admits(&to) {
            reject(answer, Undelivered::Parked);
            return Ok(());
        }
        if !self.slots.contains_key(&to) {
            if !self.make_room() {
                reject(answer, Undelivered::Busy);
                return Ok(());
            }
            // Boxed: starting an actor is rare, and its room would be part of every shard's for ever.
            Box::pin(self.start(myself, &to)).await?;
        }
        let Some(slot) = self.slots.get_mut(&to) else {
            reject(answer, Undelivered::Unavailable);
            return Ok(());
        };
        slot.last_used = Instant::now();
        match slot.inbox.put(Delivery { request, answer }) {
            // One that is going, or has just died, leaves it to the next actor: word of its end is on the way.
            Ok(first) if first && !slot.going => slot.actor.cast(Turn).unwrap_or_default(),
            Ok(_) => {}
            Err(answer) => reject(answer, Undelivered::Busy),
        }
        Ok(())
    }

    /// Lets the longest idle go where the shard's share is full; `false`: there is no room for one more.
    fn make_room(&mut self) -> bool {
        let share = self.node.awake.share(self.node.ownership.count());
        if self.slots.len() < share.full {
            return true;
        }
        let going = self.slots.values().filter(|slot| slot.going).count();
        if self.slots.len() - going >= share.full {
            let idle = self.slots.iter().filter(|(_, slot)| !slot.going && slot.inbox.is_idle());
            let mut idle: Vec<(Instant, EntityId)> = idle.map(|(id, slot)| (slot.last_used, id.clone())).collect();
            let n = share.batch().min(idle.len());
            if n == 0 {
                return false;
            }
            idle.select_nth_unstable(n - 1);
            for (_, id) in &idle[..n] {
                self.slots.entry(id.clone()).and_modify(Slot::let_go);
            }
        }
        self.slots.len() < share.most
    }

    async fn start(&mut self, myself: &ActorRef<ShardMessage>, id: &EntityId) -> Result<(), ActorProcessingErr> {
        let inbox = Arc::new(Inbox::new(id));
        let (node, shard) = (Arc::clone(&self.node), myself.clone());
        let arguments = EntityArguments { id: id.clone(), node, shard, inbox: Arc::clone(&inbox) };
        // Loading is done at the first message, so this wait is a few microseconds and does not stall the shard.
        let (actor, _) = Actor::spawn_linked(None, EntityActor, arguments, myself.get_cell()).await?;
        if self.slots.is_empty() {
            myself.send_after(SWEEP_EVERY, || ShardMessage::Sweep);
        }
        self.by_actor.insert(actor.get_id(), id.clone());
        self.slots.insert(id.clone(), Slot { actor, inbox, last_used: Instant::now(), going: false });
        self.node.counters.entities(1);
        Ok(())
    }

    /// An entity's actor has ended: whoever waited for it to go gets the next one.
    async fn gone(&mut self, myself: &ActorRef<ShardMessage>, cell: &ActorCell) -> Result<(), ActorProcessingErr> {
        let Some(id) = self.by_actor.remove(&cell.get_id()) else { return Ok(()) };
        let Some(slot) = self.slots.remove(&id) else { return Ok(()) };
        self.node.counters.entities(-1);
        for Delivery { request, answer } in slot.inbox.take(usize::MAX).0 {
            self.deliver(myself, id.clone(), request, answer).await?;
        }
        self.report_drained();
        Ok(())
    }

    /// An entity's actor has failed; what it panicked at while it was asked something, it has reported itself.
    fn failed(&mut self, cell: &ActorCell, err: &ActorProcessingErr) {
        if let Some(id) = self.by_actor.get(&cell.get_id())
            && !err.is::<Panicked>()
        {
            self.node.parked.report(id, self.node.clock.now(), Poison::named("going"), &err.to_string());
        }
    }

    fn report_drained(&mut self) {
        if self.slots.is_empty()
            && let Some(done) = self.drained.take()
        {
            // The drain may have passed its own deadline by now.
            done.send(()).unwrap_or_default();
            let (keep, _) = oneshot::channel();
            self.drained = Some(keep);
        }
    }

    fn sweep(&mut self, myself: &ActorRef<ShardMessage>) {
        for slot in self.slots.values_mut().filter(|slot| slot.last_used.elapsed() >= IDLE) {
            slot.let_go();
        }
        if !self.slots.is_empty() {
            myself.send_after(SWEEP_EVERY, || ShardMessage::Sweep);
        }
    }

    fn wake_at(&mut self, myself: &ActorRef<ShardMessage>, entity: EntityId, at: Option<Timestamp>) {
        if let Some(before) = self.wakes.remove(&entity) {
            self.alarms.remove(&(before, entity.clone()));
        }
        let Some(at) = at else { return };
        let earliest = self.alarms.first().is_none_or(|(first, _)| at < *first);
        self.wakes.insert(entity.clone(), at);
        self.alarms.insert((at, entity));
        if earliest {
            myself.send_after(at.since(self.node.clock.now()), || ShardMessage::Alarm);
        }
    }

    /// Wakes those whose time has come. Nothing waits for the answers: an alarm that fails rings again.
    async fn ring(&mut self, myself: &ActorRef<ShardMessage>) -> Result<(), ActorProcessingErr> {
        let now = self.node.clock.now();
        while let Some((at, entity)) = self.alarms.first().cloned() {
            if at > now {
                myself.send_after(at.since(now), || ShardMessage::Alarm);
                break;
            }
            self.alarms.pop_first();
            // Until the entity says otherwise it is woken again in a while: the journal may be out of reach now.
            let again = now + RING_AGAIN;
            self.wakes.insert(entity.clone(), again);
            self.alarms.insert((again, entity.clone()));
            let (answer, _) = oneshot::channel();
            self.deliver(myself, entity, Request::Decide(Message::bare(Command::Wake)), answer).await?;
        }
        tracing::trace!(shard = self.shard.number(), alarms = self.alarms.len(), "alarms looked at");
        Ok(())
    }
}

fn reject(answer: Answer, why: Undelivered) {
    // An asker that has given up needs no rejection.
    answer.send(Err(why)).unwrap_or_default();
}
