//! A history as it is kept: by player, team and command, with the line of each.

use super::line::{StateSeen, TeamSeen};
use crate::ids::{BadgeId, PlayerId, QuestId, StepId, TeamId, stable_hash};
use crate::quest::act::{Act, CommandId};
use crate::quest::aggregate::Message;
use crate::quest::command::Command;
use crate::quest::entry::Cause;
use crate::verify::verdict::Difference;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A history, or several read as one.
#[derive(Debug, Default)]
pub struct History {
    /// Names of the files, for places.
    pub(super) files: Vec<String>,
    /// What the history alone shows.
    pub(in crate::verify) faults: Vec<Difference>,
    /// How much there is.
    pub(in crate::verify) counted: Counted,
    /// Streams' epochs, each with its first line.
    pub(in crate::verify) epochs: BTreeMap<String, Place>,
    pub(in crate::verify) players: BTreeMap<PlayerId, Seen>,
    pub(in crate::verify) calls: HashMap<(PlayerId, CommandId), Call>,
    pub(in crate::verify) teams: HashMap<TeamId, Vec<TeamAt>>,
    /// By team: the rows that clients saw of it, in their order.
    pub(in crate::verify) boards: HashMap<TeamId, Vec<BoardRow>>,
    /// Boards that clients saw after all had come to rest.
    pub(in crate::verify) finals: Vec<(QuestId, Rows, Place)>,
}

/// A board's rows, from the top.
pub(in crate::verify) type Rows = Vec<(TeamId, i64)>;

/// How much a history holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counted {
    /// Clients: players' devices.
    pub clients: u64,
    /// Connections.
    pub connections: u64,
    /// Commands with an id of their own, each counted once.
    pub commands: u64,
    /// Notices told.
    pub told: u64,
    /// States and boards seen.
    pub seen: u64,
}

/// A line of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) struct Place {
    pub file: u16,
    pub line: u32,
}

/// What one player's clients saw.
#[derive(Debug, Default)]
pub(in crate::verify) struct Seen {
    /// The lowest offset last, as of what follows.
    pub told: Vec<ToldAt>,
    pub states: Vec<StateAt>,
    /// The highest end of the stream that a welcome named.
    pub end: Option<(u64, Place)>,
    /// Where clients stood when all had come to rest.
    pub settled: Vec<(u64, Place)>,
}

/// A notice told.
#[derive(Debug, Clone, Copy)]
pub(in crate::verify) struct ToldAt {
    pub offset: u64,
    pub print: u64,
    pub place: Place,
}

/// A state seen.
#[derive(Debug)]
pub(in crate::verify) struct StateAt {
    pub offset: u64,
    pub points: i64,
    pub badges: BTreeSet<BadgeId>,
    pub team: Option<TeamId>,
    pub last: bool,
    pub place: Place,
}

/// A team seen.
#[derive(Debug)]
pub(in crate::verify) struct TeamAt {
    pub print: u64,
    pub last: bool,
    pub place: Place,
}

/// A row of a board seen; `client` tells in whose order it came, if it was pushed.
#[derive(Debug)]
pub(in crate::verify) struct BoardRow {
    pub client: Option<u64>,
    pub quest: QuestId,
    pub points: i64,
    pub place: Place,
}

/// A command with an id, and all that was said of it.
#[derive(Debug)]
pub(in crate::verify) struct Call {
    pub asked: Place,
    /// Fingerprints of its content, as far as known.
    pub prints: Vec<u64>,
    pub need: Need,
    /// The print of the answer, and the line that has it.
    pub done: Option<(u64, Place)>,
    /// The latest refusal for good.
    pub refused: Option<(u32, Place)>,
    /// Whether any try of it is without a definite outcome.
    pub unknown: bool,
}

/// What must be in the journal once a command is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) enum Need {
    /// An entry of its own.
    Entry,
    /// An entry, or else that sharing was so already.
    Shared(bool),
    /// An entry, or else that the profile was so already.
    Profile(Option<String>, Option<String>),
    /// An entry, or else that the team had the hint already.
    Hint(QuestId, StepId, u16),
    /// An entry, or else that the player was in a team already.
    Member,
    /// Not known: the content of the command is not.
    Unknown,
}

impl Need {
    fn of(act: &Act) -> Self {
        match act {
            Act::Share { on } => Self::Shared(*on),
            Act::Profile { name, lang } => Self::Profile(name.clone(), lang.clone()),
            Act::Hint { at, hint } => Self::Hint(at.quest.clone(), at.step.clone(), *hint),
            Act::JoinTeam { .. } => Self::Member,
            Act::Start { .. }
            | Act::Abandon { .. }
            | Act::Answer { .. }
            | Act::Scan { .. }
            | Act::Choose { .. }
            | Act::Photo { .. }
            | Act::CreateTeam { .. }
            | Act::LeaveTeam
            | Act::Say { .. } => Self::Entry,
        }
    }
}

impl Call {
    /// A command just asked.
    pub(super) fn new(asked: Place) -> Self {
        Self { asked, prints: Vec::new(), need: Need::Unknown, done: None, refused: None, unknown: false }
    }

    /// It was asked with this content.
    pub(super) fn ask(&mut self, player: &PlayerId, cmd: &CommandId, method: &str, data: &Value) {
        let Ok(Some((_, act))) = Act::parse(method, &data.to_string()) else { return };
        self.need = Need::of(&act);
        let message = Message::from_act(player, Some(cmd.clone()), &act, Command::Wake);
        if let Some(Cause::Client { fingerprint, .. }) = message.cause
            && !self.prints.contains(&fingerprint)
        {
            self.prints.push(fingerprint);
        }
    }
}

impl StateAt {
    pub(super) fn new(seen: StateSeen, last: bool, place: Place) -> Self {
        let StateSeen { offset, points, badges, team, .. } = seen;
        Self { offset, points, badges, team: team.map(|team| team.id), last, place }
    }
}

impl History {
    /// Where a line is, for people.
    pub(in crate::verify) fn place(&self, place: Place) -> String {
        let file = self.files.get(usize::from(place.file)).map_or("?", String::as_str);
        format!("{file}:{}", place.line)
    }

    pub(super) fn fault(&mut self, player: &PlayerId, place: Place, check: &'static str, message: String) {
        let history = Some(self.place(place));
        self.faults.push(Difference { entity: format!("player/{player}"), seq: 0, check, message, history });
    }
}

/// What is kept of a value, to tell it from others: the same for the same content, in any order of fields.
pub(in crate::verify) fn print(value: &Value) -> u64 {
    // Objects of `serde_json` are ordered by their keys.
    stable_hash(value.to_string().bytes())
}

/// The same of a team as its members see it: members in order, runs by quest.
pub(in crate::verify) fn team_print<'a>(
    members: impl Iterator<Item = &'a PlayerId>,
    runs: impl Iterator<Item = (&'a QuestId, i64, bool)>,
) -> u64 {
    let mut text = String::new();
    members.for_each(|member| text.extend([member.as_str(), " "]));
    for (quest, points, over) in runs {
        text.push_str(&format!("#{quest} {points} {over}"));
    }
    stable_hash(text.bytes())
}

impl TeamSeen {
    pub(super) fn print(&self) -> u64 {
        let mut runs = self.runs.clone();
        runs.sort();
        team_print(self.members.iter(), runs.iter().map(|run| (&run.quest, run.points, run.over)))
    }
}
