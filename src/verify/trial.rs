//! A history held against the journal: what clients were answered, told and shown must stand there, and what they
//! were refused must not.
//!
//! It goes along with the reading of the journal, shard by shard. Promise: of the journal it keeps only which commands
//! it has met, and of teams at the top of a board that is awaited, their points.

use crate::ids::{EntityId, PlayerId, QuestId, StepId, TeamId};
use crate::quest::act::CommandId;
use crate::quest::entry::{Cause, Entry};
use crate::quest::event::{Event, PlayerEvent, TeamEvent};
use crate::verify::history::{Call, History, Need, Place, Seen, StateAt, ToldAt, print};
use crate::verify::player::PlayerFold;
use crate::verify::team::TeamFold;
use crate::verify::verdict::{Difference, Verdict};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Rows of a board: as many as the server shows.
const BOARD_ROWS: usize = 100;

/// The trial.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    history: &'a History,
    /// What clients were told and shown; gone when their player's turn is over.
    seen: BTreeMap<&'a PlayerId, Sorted<'a>>,
    /// The entry of each command that was met.
    met: HashMap<(&'a PlayerId, &'a CommandId), (EntityId, u64)>,
    facts: Facts,
    /// Of teams in hand: what clients could see of them, entry by entry.
    teams: BTreeMap<TeamId, TeamTrail>,
    /// Boards that are awaited: the teams on them, the best first.
    finals: BTreeMap<&'a QuestId, BTreeSet<(Reverse<i64>, TeamId)>>,
}

/// What one player's clients saw and is not compared yet, the lowest offset last.
#[derive(Debug)]
struct Sorted<'a> {
    seen: &'a Seen,
    told: &'a [ToldAt],
    states: &'a [StateAt],
}

/// Facts that stand for an entry where a command found nothing to do.
#[derive(Debug, Default)]
struct Facts {
    shared: HashSet<(PlayerId, bool)>,
    named: HashSet<(PlayerId, String)>,
    spoken: HashSet<(PlayerId, String)>,
    hints: HashSet<(TeamId, QuestId, StepId, u16)>,
    members: BTreeSet<(PlayerId, TeamId)>,
}

/// What a team showed.
#[derive(Debug, Default)]
struct TeamTrail {
    prints: HashSet<u64>,
    last: u64,
    /// Of each quest: its points on boards, one after the other.
    points: BTreeMap<QuestId, Vec<i64>>,
}

impl<'a> Trial<'a> {
    /// Begins. `journal` is the id of the journal, the epoch of every stream.
    pub fn new(history: &'a History, journal: &str, verdict: &mut Verdict) -> Self {
        verdict.history = Some(history.counted);
        verdict.differences.extend(history.faults.iter().cloned());
        for (epoch, place) in history.epochs.iter().filter(|(epoch, _)| epoch.as_str() != journal) {
            let message = format!("the stream's epoch is {epoch}, the journal's {journal}: it is of another journal");
            let history = Some(history.place(*place));
            verdict.differences.push(Difference {
                entity: "journal".into(),
                seq: 0,
                check: "stream",
                message,
                history,
            });
        }
        let seen = history.players.iter().map(|(player, seen)| (player, Sorted::new(seen))).collect();
        let finals = history.finals.iter().map(|(quest, ..)| (quest, BTreeSet::new())).collect();
        let (met, facts, teams) = (HashMap::new(), Facts::default(), BTreeMap::new());
        Self { history, seen, met, facts, teams, finals }
    }

    /// Before a player's entry is taken in: what was seen of the state before it.
    pub fn player_before(&mut self, id: &EntityId, entry: &Entry, fold: &PlayerFold, verdict: &mut Verdict) {
        let EntityId::Player(player) = id else { return };
        let Some(sorted) = self.seen.get_mut(player) else { return };
        if entry.notices.is_empty() {
            return;
        }
        let (before, after) = (fold.notices(), fold.notices() + entry.notices.len() as u64);
        while let Some(state) = pop_if(&mut sorted.states, |state| state.offset < after) {
            if state.offset == before {
                self.history.state(id, state, fold, verdict);
            } else {
                let message = format!("a state is seen at offset {}, which is within this entry", state.offset);
                self.history.differ(verdict, (id, entry.seq), state.place, "state", message);
            }
        }
        for (offset, notice) in (before + 1..).zip(&entry.notices) {
            let stands = print(&serde_json::to_value(notice).unwrap_or(Value::Null));
            while let Some(told) = pop_if(&mut sorted.told, |told| told.offset <= offset) {
                if told.offset != offset || told.print != stands {
                    let message = format!("offset {} was told with other words than stand here", told.offset);
                    self.history.differ(verdict, (id, entry.seq), told.place, "told", message);
                }
            }
        }
    }

    /// An entry of any entity.
    pub fn entry(&mut self, id: &EntityId, entry: &Entry, verdict: &mut Verdict) {
        self.facts.take(id, entry);
        let Some(Cause::Client { player, cmd, fingerprint }) = &entry.cause else { return };
        let history = self.history;
        let Some(((player, cmd), call)) = history.calls.get_key_value(&(player.clone(), cmd.clone())) else {
            // Only who has come to rest has written down all that it asked.
            if let Some((_, place)) = history.players.get(player).and_then(|seen| seen.settled.first()) {
                let message = format!("command {} is done, and {player} never asked it", cmd.as_str());
                history.differ(verdict, (id, entry.seq), *place, "unasked", message);
            }
            return;
        };
        let mut differ = |place, check, message| history.differ(verdict, (id, entry.seq), place, check, message);
        let name = cmd.as_str();
        if let Some((other, seq)) = self.met.insert((player, cmd), (id.clone(), entry.seq)) {
            differ(call.asked, "twice", format!("command {name} is done here and at {other} entry {seq}"));
        }
        if entry.dropped {
            if let Some((_, place)) = call.done {
                differ(place, "acknowledged", format!("command {name} was answered, and an operator has dropped it"));
            }
            return;
        }
        if !call.prints.is_empty() && !call.prints.contains(fingerprint) {
            differ(call.asked, "content", format!("command {name} is done as one of another content"));
        }
        if let Some((answer, place)) = call.done {
            let reply = entry.reply.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            if print(&reply) != answer {
                differ(place, "reply", format!("command {name} was answered otherwise than its entry says"));
            }
        } else if let (Some((code, place)), false) = (call.refused, call.unknown) {
            differ(place, "refused", format!("command {name} was refused with {code}, and is done"));
        }
    }

    /// After a team's entry was taken in.
    pub fn team_after(&mut self, id: &TeamId, fold: &TeamFold) {
        if !self.history.teams.contains_key(id) && !self.history.boards.contains_key(id) {
            return;
        }
        let trail = self.teams.entry(id.clone()).or_default();
        trail.last = fold.print();
        trail.prints.insert(trail.last);
        if let Some((quest, points)) = fold.card() {
            let shown = trail.points.entry(quest.clone()).or_default();
            if shown.last() != Some(&points) {
                shown.push(points);
            }
        }
    }

    /// A player's entries are all read.
    pub fn end_of_player(&mut self, id: &EntityId, fold: &PlayerFold, verdict: &mut Verdict) {
        let EntityId::Player(player) = id else { return };
        let Some(sorted) = self.seen.remove(player) else { return };
        let (history, end) = (self.history, fold.notices());
        for state in sorted.states {
            if state.offset == end {
                history.state(id, state, fold, verdict);
            }
        }
        history.beyond(id, &sorted, end, verdict);
        // A session learns of the team on another way than of the rest, a little earlier or later.
        for state in &sorted.seen.states {
            if let Some(team) = state.team.as_ref().filter(|team| !fold.was_in(team)) {
                let message = format!("{team} is seen as its team, and it was never in it");
                history.differ(verdict, (id, 0), state.place, "state", message);
            }
        }
        for (known, place) in sorted.seen.settled.iter().filter(|(known, _)| *known < end) {
            let message = format!("at rest it knows offset {known}, and its stream goes up to {end}");
            history.differ(verdict, (id, 0), *place, "undelivered", message);
        }
        for state in sorted.seen.states.iter().filter(|state| state.last && state.offset < end) {
            let message =
                format!("at rest it sees the state at offset {}, and its stream goes up to {end}", state.offset);
            history.differ(verdict, (id, 0), state.place, "stale", message);
        }
    }

    /// A team's entries are all read.
    pub fn end_of_team(&mut self, id: &TeamId, fold: &TeamFold, verdict: &mut Verdict) {
        if let Some((quest, points)) = fold.card()
            && let Some(board) = self.finals.get_mut(quest)
        {
            board.insert((Reverse(points), id.clone()));
            if board.len() > BOARD_ROWS {
                board.pop_last();
            }
        }
        let Some(trail) = self.teams.remove(id) else { return };
        let (history, entity) = (self.history, EntityId::Team(id.clone()));
        for seen in history.teams.get(id).into_iter().flatten() {
            let stood = if seen.last { trail.last == seen.print } else { trail.prints.contains(&seen.print) };
            if !stood {
                let when = if seen.last { "is not at the end" } else { "was at no time" };
                let message = format!("its members and points were seen as it {when}");
                history.differ(verdict, (&entity, 0), seen.place, "state", message);
            }
        }
        // What is pushed to a client goes through what the team showed, and never back.
        let mut reached: BTreeMap<(u64, &QuestId), usize> = BTreeMap::new();
        for row in history.boards.get(id).into_iter().flatten() {
            let mut from_start = 0;
            let from = match row.client {
                Some(client) => reached.entry((client, &row.quest)).or_default(),
                None => &mut from_start,
            };
            let shown = trail.points.get(&row.quest).map(Vec::as_slice).unwrap_or_default();
            match shown.iter().skip(*from).position(|points| *points == row.points) {
                Some(further) => *from += further,
                None => {
                    let message =
                        format!("the board of {} shows {} points, which it did not have then", row.quest, row.points);
                    history.differ(verdict, (&entity, 0), row.place, "board", message);
                }
            }
        }
    }

    /// All shards are read.
    pub fn finish(mut self, verdict: &mut Verdict) {
        let history = self.history;
        for (player, sorted) in std::mem::take(&mut self.seen) {
            let id = EntityId::Player(player.clone());
            history.beyond(&id, &sorted, 0, verdict);
            let blank = PlayerFold::default();
            sorted
                .states
                .iter()
                .filter(|state| state.offset == 0)
                .for_each(|state| history.state(&id, state, &blank, verdict));
        }
        let mut missing: Vec<_> =
            history.calls.iter().filter(|((player, cmd), _)| !self.met.contains_key(&(player, cmd))).collect();
        missing.sort_by_key(|(_, call)| call.asked);
        for ((player, cmd), call) in missing {
            let Some((_, place)) = call.done else { continue };
            if !self.facts.excuse(player, call) {
                let message = format!("command {} was answered, and is nowhere in the journal", cmd.as_str());
                history.differ(verdict, (&EntityId::Player(player.clone()), 0), place, "acknowledged", message);
            }
        }
        self.rest_of_boards(verdict);
    }

    fn rest_of_boards(&self, verdict: &mut Verdict) {
        let history = self.history;
        let known = |team: &TeamId| self.facts.members.iter().any(|(_, of)| of == team);
        let rows = history.boards.iter().filter_map(|(team, rows)| Some((team, rows.first()?)));
        let mut unknown: Vec<(Place, &TeamId)> =
            rows.filter(|(team, _)| !known(team)).map(|(team, row)| (row.place, team)).collect();
        unknown.sort();
        for (place, team) in unknown {
            let message = "a board shows it, and it never came to be".to_owned();
            history.differ(verdict, (&EntityId::Team(team.clone()), 0), place, "board", message);
        }
        for (quest, rows, place) in &history.finals {
            let Some(expected) = self.finals.get(quest) else { continue };
            let expected: Vec<(&TeamId, i64)> = expected.iter().map(|(points, team)| (team, points.0)).collect();
            let rows: Vec<(&TeamId, i64)> = rows.iter().map(|(team, points)| (team, *points)).collect();
            if rows != expected {
                let message = format!(
                    "at rest its board has {} rows, which are not the {} of the journal",
                    rows.len(),
                    expected.len()
                );
                let history = Some(history.place(*place));
                verdict.differences.push(Difference {
                    entity: format!("quest/{quest}"),
                    seq: 0,
                    check: "board",
                    message,
                    history,
                });
            }
        }
    }
}

impl History {
    fn differ(
        &self,
        verdict: &mut Verdict,
        (id, seq): (&EntityId, u64),
        place: Place,
        check: &'static str,
        message: String,
    ) {
        let history = Some(self.place(place));
        verdict.differences.push(Difference { entity: id.to_string(), seq, check, message, history });
    }

    /// Compares a state that was seen with the facts up to its offset.
    fn state(&self, id: &EntityId, state: &StateAt, fold: &PlayerFold, verdict: &mut Verdict) {
        let mut differ = |message| self.differ(verdict, (id, 0), state.place, "state", message);
        let (offset, points, badges) = (state.offset, fold.points(), fold.badges());
        if state.points != points {
            differ(format!("{} points are seen at offset {offset}, its facts make {points}", state.points));
        }
        if !state.badges.iter().map(|badge| badge.as_str()).eq(badges) {
            differ(format!("other badges are seen at offset {offset} than its facts give"));
        }
        if state.last && state.team.as_ref() != fold.team() {
            differ("at rest another team is seen than it is in".to_owned());
        }
    }

    /// What was shown of a stream beyond its end.
    fn beyond(&self, id: &EntityId, sorted: &Sorted<'_>, end: u64, verdict: &mut Verdict) {
        let told = sorted.told.iter().map(|told| (told.offset, told.place, "told"));
        let states = sorted.states.iter().map(|state| (state.offset, state.place, "seen in a state"));
        let welcome = sorted.seen.end.map(|(offset, place)| (offset, place, "named by a welcome"));
        for (offset, place, how) in told.chain(states).chain(welcome).filter(|(offset, ..)| *offset > end) {
            let message = format!("offset {offset} was {how}, and its stream ends at {end}");
            self.differ(verdict, (id, 0), place, "phantom", message);
        }
    }
}

impl<'a> Sorted<'a> {
    fn new(seen: &'a Seen) -> Self {
        Self { seen, told: &seen.told, states: &seen.states }
    }
}

/// Takes the last of a list off, if it is one of those meant.
fn pop_if<'a, T>(list: &mut &'a [T], meant: impl Fn(&T) -> bool) -> Option<&'a T> {
    let (last, rest) = list.split_last().filter(|(last, _)| meant(last))?;
    *list = rest;
    Some(last)
}

impl Facts {
    fn take(&mut self, id: &EntityId, entry: &Entry) {
        for event in &entry.events {
            match (id, event) {
                (EntityId::Player(player), Event::Player(PlayerEvent::Shared { on })) => {
                    self.shared.insert((player.clone(), *on));
                }
                (EntityId::Player(player), Event::Player(PlayerEvent::ProfileSet { name, lang })) => {
                    self.named.extend(name.iter().map(|name| (player.clone(), name.clone())));
                    self.spoken.extend(lang.iter().map(|lang| (player.clone(), lang.clone())));
                }
                (EntityId::Team(team), Event::Team(TeamEvent::MemberJoined { player, .. })) => {
                    self.members.insert((player.clone(), team.clone()));
                }
                (EntityId::Team(team), Event::Team(TeamEvent::HintTaken { quest, step, hint, .. })) => {
                    self.hints.insert((team.clone(), quest.clone(), step.clone(), *hint));
                }
                _ => {}
            }
        }
    }

    /// Whether a command that was answered rightly has no entry.
    fn excuse(&self, player: &PlayerId, call: &Call) -> bool {
        let teams = || self.members.iter().filter(|(member, _)| member == player).map(|(_, team)| team);
        match &call.need {
            Need::Entry => false,
            Need::Shared(on) => self.shared.contains(&(player.clone(), *on)),
            Need::Profile(name, lang) => {
                let has = |known: &HashSet<(PlayerId, String)>, text: &Option<String>| {
                    text.as_ref().is_none_or(|text| known.contains(&(player.clone(), text.clone())))
                };
                has(&self.named, name) && has(&self.spoken, lang)
            }
            Need::Hint(quest, step, hint) => {
                teams().any(|team| self.hints.contains(&(team.clone(), quest.clone(), step.clone(), *hint)))
            }
            Need::Member => teams().next().is_some(),
            Need::Unknown => true,
        }
    }
}
