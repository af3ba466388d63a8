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
use tracing::error;

/// A pause before a failed shard is started anew, so that a lasting fault does not spin.
const RESTART_AFTER: Duration = Duration::from_millis(200);

/// The actor's behaviour.
#[derive(Debug)]
pub struct Supervisor;

/// What it holds.
#[derive(Debug)]
pub struct SupervisorState {
    shards: Arc<Shards>,
    sleeping: BTreeMap<Shard, ShardArguments>,
    running: HashMap<ActorId, ShardArguments>,
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
        Ok(SupervisorState { shards, sleeping: BTreeMap::new(), running: HashMap::new() })
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
            error!(shard = arguments.shard.number(), %err, "a shard's actor has failed; it is started anew");
            myself.send_after(RESTART_AFTER, || SupervisorMessage::Restart(Box::new(arguments)));
        }
        Ok(())
    }
}
