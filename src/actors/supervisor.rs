//! The root of the actors: starts the shards' actors and starts one anew when it fails.
//!
//! A shard without alarms sleeps until its first request: a node over a small journal starts a few actors, not 256.

use crate::actors::mailbox::SupervisorMessage;
use crate::actors::shard::{ShardActor, ShardArguments};
use crate::actors::shards::Shards;
use crate::cluster::shard::Shard;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::error;

/// The first and the longest pause before a failed shard is started anew: each is twice the one before, so that a lasting
/// fault neither spins nor fills the log, and a shard is never given up.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// A shard that ran for so long is well again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// The actor's behaviour.
#[derive(Debug)]
pub struct Supervisor;

/// What it holds.
#[derive(Debug)]
pub struct SupervisorState {
    shards: Arc<Shards>,
    sleeping: BTreeMap<Shard, ShardArguments>,
    running: HashMap<ActorId, ShardArguments>,
    /// The last failure of each shard that has failed here, and the pause after it; as many as there are shards.
    failed: BTreeMap<Shard, (Instant, Duration)>,
}

impl SupervisorState {
    async fn start(
        &mut self,
        myself: &ActorRef<SupervisorMessage>,
        arguments: ShardArguments,
    ) -> Result<(), ActorProcessingErr> {
        let shard = arguments.shard;
        let (actor, _) = Actor::spawn_linked(None, ShardActor, arguments.clone(), myself.get_cell()).await?;
        self.running.insert(actor.get_id(), arguments);
        self.shards.enter(shard, actor);
        Ok(())
    }

    /// Notes a failure; how long to wait before the next start.
    fn pause(&mut self, shard: Shard) -> Duration {
        let now = Instant::now();
        let pause = match self.failed.get(&shard) {
            Some((last, pause)) if now - *last < *pause + WELL_AFTER => PAUSES.1.min(*pause * 2),
            _ => PAUSES.0,
        };
        self.failed.insert(shard, (now, pause));
        pause
    }

    async fn add(
        &mut self,
        myself: &ActorRef<SupervisorMessage>,
        arguments: ShardArguments,
    ) -> Result<(), ActorProcessingErr> {
        if arguments.wakes.is_empty() {
            self.sleeping.insert(arguments.shard, arguments);
            return Ok(());
        }
        self.start(myself, arguments).await
    }

    fn remove(&mut self, shard: Shard) {
        self.sleeping.remove(&shard);
        if let Some(actor) = self.shards.actor(shard) {
            self.running.remove(&actor.get_id());
            self.shards.leave(shard);
            // Its entities end with it, wherever they are; a write under way is the journal's to take or refuse.
            actor.kill();
        }
    }
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    /// Where the shards' actors are entered.
    type Arguments = Arc<Shards>;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMessage>,
        shards: Arc<Shards>,
    ) -> Result<SupervisorState, ActorProcessingErr> {
        shards.supervised_by(myself);
        Ok(SupervisorState { shards, sleeping: BTreeMap::new(), running: HashMap::new(), failed: BTreeMap::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::Start(shard, started) => {
                if let Some(arguments) = state.sleeping.remove(&shard) {
                    state.start(&myself, arguments).await?;
                }
                // Whoever asked may have given up.
                started.send(()).unwrap_or_default();
                Ok(())
            }
            SupervisorMessage::Add(arguments) => state.add(&myself, *arguments).await,
            SupervisorMessage::Remove(shard) => {
                state.remove(shard);
                Ok(())
            }
            SupervisorMessage::Restart(arguments) if arguments.is_stale() => Ok(()),
            SupervisorMessage::Restart(mut arguments) => {
                // Alarms may have moved since the start; the journal knows.
                if let Ok(wakes) = arguments.node.journal.wakes(arguments.shard).await {
                    arguments.wakes = wakes;
                }
                state.start(&myself, *arguments).await
            }
        }
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(cell, err) = event
            && let Some(arguments) = state.running.remove(&cell.get_id())
        {
            let (shard, pause) = (arguments.shard.number(), state.pause(arguments.shard));
            error!(shard, ?pause, %err, "a shard's actor has failed; it is started anew after the pause");
            myself.send_after(pause, || SupervisorMessage::Restart(Box::new(arguments)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_bound_and_begin_anew_after_a_minute_of_health() {
        let mut state = SupervisorState {
            shards: Arc::new(Shards::new(Arc::default())),
            sleeping: BTreeMap::new(),
            running: HashMap::new(),
            failed: BTreeMap::new(),
        };
        let shard = Shard::all().next().expect("there are 256");
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let pause = state.pause(shard);
            tokio::time::advance(pause).await;
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
        tokio::time::advance(WELL_AFTER).await;
        assert_eq!(state.pause(shard), PAUSES.0);
    }
}
