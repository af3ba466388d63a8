//! One client's lines, one after the other: what they show without any journal.
//!
//! A client's notices follow each other by one, across its connections too: it resumes where it was, or is told
//! plainly that it begins anew.

use super::index::{BoardRow, Call, History, Place, StateAt, TeamAt, ToldAt, print};
use super::line::{Answered, Asked, BoardSeen, Connected, Did, Line, Outcome, Position, StateSeen, Told};
use crate::ids::{PlayerId, TeamId};
use crate::quest::act::CommandId;
use crate::quest::player::NOTICES_KEPT;
use crate::quest::refusal::CODES;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Refusals that say "later", not "no": a fault of ours, too many requests, unavailable, busy. The same command may
/// be asked again, and may have been done.
const LATER: [u32; 4] = [100, 111, 1003, 1004];
/// The id was used for another command, or its answer is not kept any more.
const CONFLICT: u32 = 1005;

/// The clients of one file.
#[derive(Debug)]
pub(super) struct Chains {
    file: u16,
    clients: BTreeMap<(PlayerId, u32), Chain>,
}

/// A client so far.
#[derive(Debug, Default)]
struct Chain {
    /// Among all of the file.
    number: u64,
    connected: bool,
    /// Up to where it knows the stream.
    known: Option<Position>,
    /// The highest offset that the server is known to have shown it.
    floor: u64,
    open: BTreeMap<u64, Open>,
    settled: bool,
}

/// A call without an outcome.
#[derive(Debug)]
struct Open {
    cmd: Option<CommandId>,
    /// What the client knew when it asked.
    floor: u64,
}

impl Chains {
    pub fn new(file: u16) -> Self {
        Self { file, clients: BTreeMap::new() }
    }

    /// Takes in a line.
    pub fn take(&mut self, history: &mut History, place: Place, line: Line) {
        let Line { player, device, what, .. } = line;
        let number = (u64::from(self.file) << 32) | self.clients.len() as u64;
        let chain = self.clients.entry((player.clone(), device)).or_insert_with(|| {
            history.counted.clients += 1;
            history.players.entry(player.clone()).or_default();
            Chain { number, ..Chain::default() }
        });
        let mut at = At { history, player: &player, place };
        match what {
            Did::Connected(connected) => chain.connect(&mut at, connected),
            Did::Asked(asked) => chain.ask(&mut at, &asked),
            Did::Answered(Answered { request, outcome }) => chain.answer(&mut at, request, &outcome),
            Did::Told(told) => chain.tell(&mut at, &told),
            Did::State(state) => chain.state(&mut at, state),
            Did::Board(board) => chain.board(&mut at, board),
            Did::Settled => {
                chain.settled = true;
                let known = chain.known.as_ref().map_or(0, |known| known.offset);
                at.seen().settled.push((known, place));
            }
            Did::Disconnected(_) => chain.connected = false,
        }
    }

    /// The file ends: what has no outcome has an unknown one.
    pub fn end(self, history: &mut History) {
        for ((player, _), chain) in self.clients {
            for cmd in chain.open.into_values().filter_map(|open| open.cmd) {
                if let Some(call) = history.calls.get_mut(&(player.clone(), cmd)) {
                    call.unknown = true;
                }
            }
        }
        for seen in history.players.values_mut() {
            seen.told.sort_by_key(|told| Reverse(told.offset));
            seen.states.sort_by_key(|state| Reverse(state.offset));
        }
    }
}

/// Where we are.
struct At<'a> {
    history: &'a mut History,
    player: &'a PlayerId,
    place: Place,
}

impl At<'_> {
    fn fault(&mut self, check: &'static str, message: String) {
        self.history.fault(self.player, self.place, check, message);
    }

    fn seen(&mut self) -> &mut super::index::Seen {
        self.history.players.entry(self.player.clone()).or_default()
    }
}

impl Chain {
    fn connect(&mut self, at: &mut At<'_>, welcome: Connected) {
        at.history.counted.connections += 1;
        at.history.epochs.entry(welcome.epoch.clone()).or_insert(at.place);
        if self.connected {
            at.fault("history", "it is welcomed while it is connected; a `disconnected` is missing".to_owned());
        }
        self.connected = true;
        let Connected { epoch, resumed, recovered, offset } = welcome;
        // A client's first line may go on from an earlier history.
        if let (Some(resumed), Some(known)) = (&resumed, &self.known)
            && resumed != known
        {
            let message = format!("it resumes after offset {}, having seen up to {}", resumed.offset, known.offset);
            at.fault("resume", message);
        }
        match &resumed {
            Some(resumed) if recovered && (resumed.epoch != epoch || resumed.offset != offset) => {
                let message = format!("resumed after offset {}, it is to go on after {offset}", resumed.offset);
                at.fault("resume", message);
            }
            Some(resumed) if !recovered && resumed.epoch == epoch => {
                let behind = offset.checked_sub(resumed.offset);
                if behind.is_none_or(|behind| behind <= NOTICES_KEPT as u64) {
                    let message = format!(
                        "resumed after offset {} of {offset}, it is told to begin anew: {NOTICES_KEPT} are kept",
                        resumed.offset
                    );
                    at.fault("resume", message);
                }
            }
            None if recovered => at.fault("resume", "it has resumed nothing, and is said to be recovered".to_owned()),
            Some(_) | None => {}
        }
        if self.floor > offset && !recovered {
            let message = format!("its stream is said to end at {offset}, and {} was shown before", self.floor);
            at.fault("stale", message);
        }
        let place = at.place;
        let end = &mut at.seen().end;
        if end.is_none_or(|(known, _)| known < offset) {
            *end = Some((offset, place));
        }
        self.floor = self.floor.max(offset);
        self.known = Some(Position { epoch, offset });
    }

    fn ask(&mut self, at: &mut At<'_>, asked: &Asked) {
        let Asked { request, method, cmd, data } = asked;
        let open = Open { cmd: cmd.clone(), floor: self.floor };
        if self.open.insert(*request, open).is_some() {
            at.fault("history", format!("call {request} has no outcome yet, and its number is used again"));
        }
        if let Some(cmd) = cmd {
            let calls = &mut at.history.calls;
            let (key, place) = ((at.player.clone(), cmd.clone()), at.place);
            let counted = &mut at.history.counted.commands;
            let call = calls.entry(key).or_insert_with(|| {
                *counted += 1;
                Call::new(place)
            });
            call.ask(at.player, cmd, method, data);
        }
    }

    fn answer(&mut self, at: &mut At<'_>, request: u64, outcome: &Outcome) {
        let Some(open) = self.open.remove(&request) else {
            return at.fault("history", format!("an outcome of call {request}, which was not asked"));
        };
        let Some(cmd) = open.cmd else { return };
        let Some(call) = at.history.calls.get_mut(&(at.player.clone(), cmd.clone())) else { return };
        match outcome {
            Outcome::Unknown => call.unknown = true,
            Outcome::Refused(code) if *code == CONFLICT => {}
            Outcome::Refused(code) if LATER.contains(code) => call.unknown = true,
            Outcome::Refused(code) => {
                call.refused = Some((*code, at.place));
                if !CODES.iter().any(|(known, ..)| known == code) {
                    at.fault("history", format!("no refusal has the code {code}"));
                }
            }
            Outcome::Done(reply) => {
                let print = print(reply);
                let before = call.done.replace((print, at.place));
                if before.is_some_and(|(before, _)| before != print) {
                    at.fault("reply", format!("command {} has two answers", cmd.as_str()));
                }
            }
        }
    }

    fn tell(&mut self, at: &mut At<'_>, told: &Told) {
        let (offset, place) = (told.offset, at.place);
        at.history.counted.told += 1;
        if !self.connected {
            at.fault("history", format!("it is told of offset {offset} without being connected"));
        }
        if let Some(known) = &mut self.known {
            let next = known.offset.saturating_add(1);
            if offset > next {
                at.fault("gap", format!("offset {offset} comes where {next} was to come"));
            } else if offset < next {
                at.fault("twin", format!("offset {offset} comes again, or after {}", known.offset));
            }
            known.offset = known.offset.max(offset);
        }
        self.floor = self.floor.max(offset);
        at.seen().told.push(ToldAt { offset, print: print(&told.notice), place });
    }

    fn state(&mut self, at: &mut At<'_>, mut state: StateSeen) {
        at.history.counted.seen += 1;
        let open = state.request.map(|request| (request, self.open.remove(&request)));
        match open {
            Some((request, None)) => at.fault("history", format!("an answer to call {request}, which was not asked")),
            Some((_, Some(open))) if open.floor > state.offset => {
                let message =
                    format!("it sees offset {}, having known of {} when it asked", state.offset, open.floor);
                at.fault("stale", message);
            }
            Some((_, Some(_))) | None => {}
        }
        self.floor = self.floor.max(state.offset);
        let (last, place) = (self.settled, at.place);
        if let Some(team) = &mut state.team {
            let seen = TeamAt { print: team.print(), last, place };
            at.history.teams.entry(team.id.clone()).or_default().push(seen);
        }
        at.seen().states.push(StateAt::new(state, last, place));
    }

    fn board(&mut self, at: &mut At<'_>, board: BoardSeen) {
        at.history.counted.seen += 1;
        let BoardSeen { request, quest, rows } = board;
        if let Some(request) = request
            && self.open.remove(&request).is_none()
        {
            at.fault("history", format!("an answer to call {request}, which was not asked"));
        }
        let rows: Vec<(TeamId, i64)> = rows.into_iter().map(|row| (row.team, row.points)).collect();
        // More points first, and as many in the order of their ids.
        if !rows.windows(2).all(|pair| (-pair[0].1, &pair[0].0) < (-pair[1].1, &pair[1].0)) {
            at.fault("board", format!("the rows of the board of {quest} are out of order"));
        }
        if rows.iter().map(|(team, _)| team).collect::<BTreeSet<_>>().len() < rows.len() {
            at.fault("board", format!("a team stands twice on the board of {quest}"));
        }
        let (client, place) = (request.is_none().then_some(self.number), at.place);
        for (team, points) in &rows {
            let row = BoardRow { client, quest: quest.clone(), points: *points, place };
            at.history.boards.entry(team.clone()).or_default().push(row);
        }
        if self.settled {
            at.history.finals.push((quest, rows, place));
        }
    }
}
