//! What an entity may be asked to do. Commands between entities are the links of the chain; session ->
//! region -> player -> team -> players, drawn in ARCHITECTURE.md ("The way of one fix"); see [`HOPS_MAX`].

#![expect(missing_docs, reason = "a variant's sentence speaks of its fields")]

use crate::ids::{PlayerId, QuestId, RegionId, StepId, TeamId};
use crate::quest::act::StepRef;
use crate::quest::definition::Give;
use crate::quest::event::RunRef;
use crate::quest::evidence::{Evidence, Nearness};
use crate::quest::notice::EndReason;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest chain. Session, region, player, team, quest area, team, players are six hops; each further step that opens
/// where a player already stands adds two, so a quest may have a hundred such steps in a row. News cut off here would
/// be lost for ever, so the bound is for faults of the rules, far above what a quest needs.
pub const HOPS_MAX: u8 = 220;

/// A command for one entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// For a player.
    Player(PlayerCommand),
    /// For a team.
    Team(TeamCommand),
    /// For a region.
    Region(RegionCommand),
    /// For whoever asked to be woken at this time.
    Wake,
}

impl Command {
    /// Its name for people, like `team.say`: what it is, and nothing of what it bears.
    pub fn name(&self) -> String {
        fn walk(value: &serde_json::Value, depth: usize, name: &mut String) {
            let (key, inner) = match value {
                serde_json::Value::String(key) => (key, None),
                serde_json::Value::Object(fields) => match fields.iter().next() {
                    Some((key, inner)) => (key, Some(inner)),
                    None => return,
                },
                _ => return,
            };
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(key);
            if let Some(inner) = inner.filter(|_| depth > 1) {
                walk(inner, depth - 1, name);
            }
        }
        let mut name = String::new();
        // A command is stored as its kind around its verb; what is inside the verb is not looked at.
        walk(&serde_json::to_value(self).unwrap_or_default(), 2, &mut name);
        name
    }
}

/// What the fence engine saw of a player at a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sighting {
    /// Came in.
    Entered,
    /// Went out.
    Left,
    /// Has been inside as long as was asked.
    Stayed,
    /// Has walked these quarters of the corridor.
    Walked { quarters: u8 },
}

/// For a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionCommand {
    /// A session has decided a transition.
    Sight { player: PlayerId, what: Sighting, why: Evidence },
    /// A team asks for one of a limited reward, of which there are `of` in all.
    Claim { team: TeamId, run: RunRef, reward: u16, of: u32 },
}

/// For a player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayerCommand {
    /// A region has recorded a sighting.
    Sighted { region: RegionId, what: Sighting, why: Evidence },
    /// The player answers, scans, chooses or sends a photo.
    Try { at: StepRef, with: Attempt },
    /// An operator has judged a photo.
    Review { at: StepRef, approve: bool, reason: Option<String> },
    /// Name and language.
    Profile { name: Option<String>, lang: Option<String> },
    /// Position sharing.
    Share { on: bool },
    /// What the team has to say; in the order of the team's own facts.
    News { team: TeamId, items: Vec<News> },
}

/// What a player tries at a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// An answer.
    Answer(String),
    /// What a code said.
    Scan(String),
    /// An option.
    Choose(String),
    /// Where a photo was put.
    Photo(String),
}

/// For a team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamCommand {
    /// Come to be, with a first member.
    Create { name: String, secret: String, player: PlayerId, player_name: String },
    /// Take a member who knows the secret.
    Join { player: PlayerId, player_name: String, secret: String },
    /// Let a member go.
    Leave { player: PlayerId },
    /// A member says something.
    Say { player: PlayerId, text: String },
    /// A member starts a quest; a solo quest brings its team of one into being.
    /// `finished`: whether that member has finished the quest that this one requires.
    Start { player: PlayerId, quest: QuestId, finished: bool },
    /// A member gives a run up.
    Abandon { player: PlayerId, quest: QuestId },
    /// A member buys a hint.
    Hint { player: PlayerId, at: StepRef, hint: u16 },
    /// A member has done their part of a step.
    Reached { player: PlayerId, at: StepRef, choice: Option<String> },
    /// A member has left the place of a step.
    WentAway { player: PlayerId, at: StepRef },
    /// A session has seen members together: one of them, and who is near.
    Met { run: RunRef, at: StepRef, center: PlayerId, near: Vec<Nearness> },
    /// The quest's area has answered a claim: the number given, or none left.
    Stock { run: RunRef, reward: u16, number: Option<u32> },
}

/// A line of what a team tells its members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// You are a member.
    Joined { name: String, invite: String },
    /// You are no member any more.
    Left,
    /// Someone else came or went.
    Member { player: PlayerId, name: String, present: bool },
    /// A member said something.
    Said { player: PlayerId, text: String },
    /// A run goes on; for one who comes late, with what is done and open.
    Run { run: RunRef, ends_at: Option<Timestamp>, done: Vec<StepId>, open: Vec<(StepId, Timestamp)> },
    /// A step opened.
    Opened { quest: QuestId, step: StepId, opened: Timestamp },
    /// A step closed.
    Closed { quest: QuestId, step: StepId },
    /// Members have done their part; more are needed.
    Progress { quest: QuestId, step: StepId, have: u16, need: u16 },
    /// A step is done.
    Completed { quest: QuestId, step: StepId, by: Vec<PlayerId>, points: i64 },
    /// A hint was bought.
    Hint { quest: QuestId, step: StepId, hint: u16, cost: u32 },
    /// A reward; `number` counts a limited one.
    Reward { quest: QuestId, reward: u16, give: Give, each_player: bool, number: Option<u32> },
    /// A limited reward had run out.
    Gone { quest: QuestId, pool: String, points: i64 },
    /// The run is over.
    Ended { quest: QuestId, reason: Option<EndReason>, points: i64 },
}
