//! A member of a cluster tells the others what it knows of boards and positions, and reads what they know, once a
//! second, through the Redis that they have in common.
//!
//! Promises: no actor and no request waits for it. A round is bounded: calls by `persist/commons.rs`, work by the
//! numbers below; what does not fit has its turn in the next. What a round could not do is done by a later one, for
//! each tells what holds, not what has changed. A Redis that is gone or slow costs freshness and nothing else.

use crate::actors::cards::{Happening, PlayerDot};
use crate::actors::channels::Channels;
use crate::actors::elsewhere::Elsewhere;
use crate::actors::node::Node;
use crate::actors::overview::OverviewBoard;
use crate::actors::positions::Positions;
use crate::actors::world::World;
use crate::cluster::member::NodeId;
use crate::ids::{QuestId, TeamId};
use crate::persist::Members;
use crate::persist::commons::{BATCH, Commons, TeamPut, Trouble};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How often; as often as live channels speak.
const EVERY: Duration = Duration::from_secs(1);
/// Teams of a board that are read: as many as are shown.
const ROWS: usize = super::channels::BOARD_ROWS;
/// Changed teams that are told in a round: a rebuild of 100,000 on one node takes six rounds.
const TEAMS_MAX: usize = 20_000;
/// Unchanged teams that are told again in a round. A late command, a Redis that evicts, an old owner that was stopped
/// and goes on: whatever spoils a row, it is right again when its turn comes, for 30,000 teams in a minute.
const AGAIN: usize = BATCH;
/// Teams whose positions are read in a round; a node has a few thousand players who look at the map at the same time.
const MATES_MAX: usize = 10_000;
/// Positions that stand still are told again so often, well before they end by themselves.
const POSITIONS_AGAIN: Duration = Duration::from_secs(5);
/// Happenings that are told in a round; what is more is lost to readers outside.
const HAPPENINGS_MAX: usize = BATCH;

/// The exchange of one node.
pub struct Exchange {
    commons: Commons,
    members: Arc<dyn Members>,
    world: World,
    overview: Arc<OverviewBoard>,
    positions: Arc<Positions>,
    channels: Arc<Channels>,
    elsewhere: Arc<Elsewhere>,
    happenings: Receiver<Arc<Happening>>,
    /// What the others were told last of positions, and when.
    told: HashMap<TeamId, (Vec<PlayerDot>, Instant)>,
    /// The team that was told again last.
    again: Option<TeamId>,
    /// The team whose positions were read last.
    read: Option<TeamId>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("commons", &self.commons).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Of a node that joins.
    pub fn new(commons: Commons, members: Arc<dyn Members>, node: &Node, elsewhere: Arc<Elsewhere>) -> Self {
        elsewhere.counted_by(commons.tally());
        node.overview.lock().tell_all();
        Self {
            commons,
            members,
            world: node.world.clone(),
            overview: Arc::clone(&node.overview),
            positions: Arc::clone(&node.positions),
            channels: Arc::clone(&node.channels),
            elsewhere,
            happenings: node.overview.watch(),
            told: HashMap::new(),
            again: None,
            read: None,
        }
    }

    /// Goes round until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let round = async {
                every.tick().await;
                if let Err(trouble) = self.round().await {
                    // What matters of it is told where it begins and ends (`persist/commons/breaker.rs`).
                    debug!(%trouble, "a round with Redis was not finished");
                }
            };
            if stop.run_until_cancelled(round).await.is_none() {
                return;
            }
        }
    }

    async fn round(&mut self) -> Result<(), Trouble> {
        let (boards, teams) = self.channels.listened();
        self.elsewhere.keep(&boards, &teams);
        if self.commons.begin().await? {
            self.overview.lock().tell_all();
            self.told.clear();
        }
        self.tell_positions().await?;
        if self.tell_teams().await? {
            self.commons.put_whole().await?;
        }
        let me = self.commons.me();
        let others: Vec<NodeId> = {
            let views = self.members.views();
            let view = views.borrow();
            view.members.keys().filter(|node| *node != me).cloned().collect()
        };
        self.read_boards(&boards, &others).await?;
        self.read_positions(teams, &others).await?;
        self.tell_happenings().await
    }

    /// Tells where those are who share it, of teams where that has changed or is about to end.
    async fn tell_positions(&mut self) -> Result<(), Trouble> {
        let mut now = self.positions.by_team();
        let gone: Vec<TeamId> = self.told.keys().filter(|team| !now.contains_key(*team)).cloned().collect();
        now.retain(|team, dots| {
            let told = self.told.get(team);
            told.is_none_or(|(before, at)| before != dots || at.elapsed() >= POSITIONS_AGAIN)
        });
        let due: Vec<(TeamId, Option<Vec<PlayerDot>>)> = gone
            .into_iter()
            .map(|team| (team, None))
            .chain(now.into_iter().map(|(team, dots)| (team, Some(dots))))
            .collect();
        for batch in due.chunks(BATCH) {
            let put: Vec<(TeamId, Option<String>)> =
                batch.iter().map(|(team, dots)| (team.clone(), dots.as_ref().and_then(json))).collect();
            self.commons.put_positions(&put).await?;
            for (team, dots) in batch {
                match dots {
                    Some(dots) => self.told.insert(team.clone(), (dots.clone(), Instant::now())),
                    None => self.told.remove(team),
                };
            }
        }
        Ok(())
    }

    /// Tells how teams stand that have changed, and some others again. True: all that live here are told.
    async fn tell_teams(&mut self) -> Result<bool, Trouble> {
        let whole = self.overview.is_whole();
        for _ in 0..TEAMS_MAX / BATCH {
            let batch = self.overview.lock().take_changed(BATCH);
            let last = batch.len() < BATCH;
            self.put(batch).await?;
            if last {
                let again = self.overview.lock().teams_after(self.again.as_ref(), AGAIN);
                // From the first again after the last.
                self.again = again.last().map(|put| put.row.team.clone());
                self.put(again).await?;
                return Ok(whole);
            }
        }
        Ok(false)
    }

    async fn put(&mut self, teams: Vec<TeamPut>) -> Result<(), Trouble> {
        let put = self.commons.put_teams(&teams).await;
        if put.is_err() {
            self.overview.lock().give_back(teams);
        }
        put
    }

    /// Reads the boards that someone listens to. Quests that nobody has published have none.
    async fn read_boards(&mut self, boards: &BTreeSet<QuestId>, others: &[NodeId]) -> Result<(), Trouble> {
        let content = self.world.content();
        let boards: Vec<QuestId> =
            boards.iter().filter(|quest| content.catalog.latest(quest).is_some()).cloned().collect();
        let mut read = Vec::with_capacity(boards.len());
        for batch in boards.chunks(BATCH) {
            read.extend(self.commons.tops(batch, ROWS).await?);
        }
        // Asked last: had Redis been emptied before, they would not be whole now.
        let whole = self.commons.is_whole(others).await?;
        self.elsewhere.read_boards(boards.into_iter().zip(read), whole);
        Ok(())
    }

    /// Reads where mates are, of the teams that someone listens to, in turn.
    async fn read_positions(&mut self, teams: BTreeSet<TeamId>, others: &[NodeId]) -> Result<(), Trouble> {
        let (later, sooner): (Vec<TeamId>, Vec<TeamId>) =
            teams.into_iter().partition(|team| self.read.as_ref().is_some_and(|read| team <= read));
        let turn: Vec<TeamId> = sooner.into_iter().chain(later).take(MATES_MAX).collect();
        for batch in turn.chunks(BATCH) {
            let found = self.commons.positions_of(batch, others).await?;
            let mates = found.into_iter().map(|told| told.iter().flat_map(|dots| dots_of(dots)).collect());
            self.elsewhere.read_mates(batch.iter().cloned().zip(mates));
            self.read = batch.last().cloned();
        }
        Ok(())
    }

    async fn tell_happenings(&mut self) -> Result<(), Trouble> {
        let mut lines = Vec::new();
        while lines.len() < HAPPENINGS_MAX {
            match self.happenings.try_recv() {
                Ok(happening) => lines.extend(serde_json::to_string(&*happening).ok()),
                // Some were lost; the next is the oldest that is left.
                Err(TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        if lines.is_empty() { Ok(()) } else { self.commons.tell(&lines).await }
    }
}

fn json(dots: &Vec<PlayerDot>) -> Option<String> {
    serde_json::to_string(dots).ok()
}

/// What another node has told; nothing, if it is of a version that tells it otherwise.
fn dots_of(told: &str) -> Vec<PlayerDot> {
    serde_json::from_str(told).unwrap_or_default()
}

#[cfg(test)]
mod tests;
