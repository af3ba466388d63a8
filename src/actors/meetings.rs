//! Which members of a team are near one another, for the meetings that quests ask for: one memory for each open
//! meeting of each team that lives here.
//!
//! A session gives each fix that has counted, to the node where the team lives (`owner`); when enough members are
//! together a command for their team comes of it, again every few seconds while they are, or until it has arrived: the
//! team counts it once. Positions stay here, in memory, and go with the session, the step or the shard.

use crate::actors::node::Node;
use crate::cluster::router::Undelivered;
use crate::cluster::shard::Shard;
use crate::geo::moving::{MovingFences, MovingRules};
use crate::geo::position::Fix;
use crate::ids::{EntityId, PlayerId, TeamId};
use crate::quest::act::StepRef;
use crate::quest::aggregate::Message;
use crate::quest::command::{Command, TeamCommand};
use crate::quest::evidence::Nearness;
use crate::quest::guidance::Meet;
use crate::units::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod owner;

/// A meeting that goes on is brought again after this: the news that it has counted takes far less.
const AGAIN: Duration = Duration::from_secs(5);
/// A meeting of which nothing was seen for so long is forgotten: its members' node has died without a word. Nobody in
/// it is near anybody by then.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// A team and the natural key of a step in one of its runs.
pub type Key = (TeamId, String);

/// All meetings that could come about. Bounded by live sessions and by the meetings that one is watched for.
#[derive(Debug, Default)]
pub struct Meetings(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    meetings: BTreeMap<Key, Gathering>,
    /// When it was last looked for what is to be forgotten.
    swept: Option<Timestamp>,
}

struct Gathering {
    fences: MovingFences,
    /// When a member was last seen.
    seen: Timestamp,
    /// When it was last brought.
    brought: Option<Timestamp>,
    /// What could not be brought.
    owed: Option<TeamCommand>,
}

impl std::fmt::Debug for Gathering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gathering(..)")
    }
}

fn key(meet: &Meet) -> Key {
    (meet.team.clone(), meet.run.award(&format!("step:{}", meet.step)))
}

impl Meetings {
    /// A fix of a player has counted: gives what is to be brought to which team; nearly always nothing.
    pub fn seen(&self, player: &PlayerId, meets: &[Meet], fix: &Fix, now: Timestamp) -> Vec<(Key, TeamCommand)> {
        if meets.is_empty() {
            return Vec::new();
        }
        // A phone whose clock is ahead is not ahead of the others.
        let plain = Fix::new(*fix.position(), fix.time().min(now));
        let Ok(plain) = plain.with_accuracy(fix.accuracy()) else { return Vec::new() };
        let mut all = self.lock();
        all.sweep(now);
        let accurate = |meet: &&Meet| meet.max_accuracy.is_none_or(|worst| fix.accuracy() <= worst);
        let gathered = meets.iter().filter(accurate).filter_map(|meet| {
            let key = key(meet);
            let gathering = all.meetings.entry(key.clone()).or_insert_with(|| Gathering::of(meet, now));
            gathering.seen = now;
            // Late, repeated and vague fixes bring nothing new; what is owed is brought all the same.
            let _ = gathering.fences.observe(player, None, &plain);
            gathering.due(player, meet, now).map(|command| (key, command))
        });
        gathered.collect()
    }

    /// Brings meetings to their teams, and keeps those that did not arrive.
    pub async fn bring(node: &Node, met: Vec<(Key, TeamCommand)>) {
        for (key, command) in met {
            let message = Message::bare(Command::Team(command.clone()));
            let sent = node.router.send(EntityId::Team(key.0.clone()), message).await;
            // A refusal is an answer: the team has heard it.
            let arrived = matches!(sent, Ok(_) | Err(Undelivered::Refused(_)));
            if let Some(gathering) = node.meetings.lock().meetings.get_mut(&key) {
                gathering.owed = if arrived { None } else { Some(command) };
            }
        }
    }

    /// These meetings no longer concern a player.
    pub fn apart(&self, player: &PlayerId, meets: &[Meet]) {
        let mut all = self.lock();
        for key in meets.iter().map(key) {
            if let Some(gathering) = all.meetings.get_mut(&key) {
                gathering.fences.forget(player);
                if gathering.fences.is_empty() {
                    all.meetings.remove(&key);
                }
            }
        }
    }

    /// A shard has left this node, and its teams' meetings with it.
    pub fn forget(&self, shard: Shard) {
        self.lock().meetings.retain(|(team, _), _| Shard::of(&EntityId::Team(team.clone())) != shard);
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// Forgets, now and then, what nobody comes to any more.
    fn sweep(&mut self, now: Timestamp) {
        if self.swept.is_none_or(|swept| now.since(swept) >= FORGOTTEN) {
            self.swept = Some(now);
            self.meetings.retain(|_, gathering| now.since(gathering.seen) < FORGOTTEN);
        }
    }
}

impl Gathering {
    fn of(meet: &Meet, now: Timestamp) -> Self {
        let stay = Some(meet.stay).filter(|stay| !stay.is_zero());
        let rules = MovingRules { within: meet.within, stay, team_mates: false };
        Self { fences: MovingFences::new(rules), seen: now, brought: None, owed: None }
    }

    /// What is to be brought now, if anything.
    fn due(&mut self, player: &PlayerId, meet: &Meet, now: Timestamp) -> Option<TeamCommand> {
        if self.brought.is_some_and(|brought| now.since(brought) < AGAIN) {
            return None;
        }
        let command = self.owed.take().or_else(|| self.together(player, meet))?;
        self.brought = Some(now);
        Some(command)
    }

    /// Whether enough members are near a player, or near one of those who are near that player.
    fn together(&self, player: &PlayerId, meet: &Meet) -> Option<TeamCommand> {
        let others = self.fences.stayed_with(player).map(|(mate, ..)| mate);
        let center = std::iter::once(player)
            .chain(others)
            .find(|center| self.fences.stayed_with(center).count() + 1 >= usize::from(meet.members))?;
        let near = self.fences.stayed_with(center).map(|(mate, since, why)| {
            let turned = mate < center;
            let (accuracy, times) = (why.accuracy, why.times);
            Nearness {
                player: mate.clone(),
                distance: why.distance,
                accuracy: if turned { (accuracy.1, accuracy.0) } else { accuracy },
                probability: why.probability,
                rule: if meet.stay.is_zero() { why.rule } else { "dwell" }.to_owned(),
                fix_times: if turned { (times.1, times.0) } else { times },
                since,
            }
        });
        let at = StepRef { quest: meet.run.quest.id.clone(), step: meet.step.clone() };
        Some(TeamCommand::Met { run: meet.run.clone(), at, center: center.clone(), near: near.collect() })
    }
}

#[cfg(test)]
mod tests;
