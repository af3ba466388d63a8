//! A team's progress is the union of what its members did while they were members: no more, no less.
//!
//! A member's own fact travels to the team as a letter. What the team counted must have been such a letter of that
//! member; and a letter that it did not count must have come when it could not: from no member, or for no open step.
//! In the same way a player is where the regions have seen it.

use crate::ids::{EntityId, PlayerId, QuestId, RegionId, StepId};
use crate::quest::command::{Command, PlayerCommand, Sighting, TeamCommand};
use crate::quest::definition::Verb;
use crate::quest::entry::{Cause, Entry, MessageId};
use crate::quest::event::{Event, PlayerEvent, RegionEvent, TeamEvent};
use crate::verify::verdict::Verdict;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

/// What a letter says that its reader must make a fact of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// A member has done its part of a step.
    Step(QuestId, StepId),
    /// A player came in, or went out.
    Sight(bool),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(_, step) => write!(f, "the step {step}"),
            Self::Sight(true) => f.write_str("an arrival"),
            Self::Sight(false) => f.write_str("a departure"),
        }
    }
}

/// Letters of parts, until both sides are known.
#[derive(Debug, Default)]
pub(super) struct Parts {
    sent: HashMap<MessageId, Part>,
    heard: HashMap<MessageId, Heard>,
    /// Who lacks a message that an operator has dropped: what comes later may mean nothing to them.
    lacking: HashSet<EntityId>,
}

/// What a team made of a member's letter.
#[derive(Debug)]
struct Heard {
    by: EntityId,
    seq: u64,
    counted: Option<Part>,
    /// Steps that it would have counted then.
    could: BTreeSet<Part>,
}

impl Parts {
    /// A player's entry: the parts that it sends are its own facts, and it takes in where regions have seen it.
    pub fn of_player(&mut self, id: &EntityId, entry: &Entry, verdict: &mut Verdict) {
        let mut facts: Vec<Part> = Vec::new();
        let mut seen = None;
        for event in &entry.events {
            match event {
                Event::Player(PlayerEvent::StepReached { quest, step, .. }) => {
                    facts.push(Part::Step(quest.clone(), step.clone()));
                }
                Event::Player(PlayerEvent::Entered { region, .. }) => seen = Some((region, true)),
                Event::Player(PlayerEvent::Left { region, .. }) => seen = Some((region, false)),
                _ => {}
            }
        }
        for (n, outgoing) in (0..).zip(&entry.out) {
            let Command::Team(TeamCommand::Reached { player, at, .. }) = &outgoing.command else { continue };
            let part = Part::Step(at.quest.clone(), at.step.clone());
            match facts.iter().position(|fact| *fact == part) {
                Some(fact) if EntityId::Player(player.clone()) == *id => drop(facts.remove(fact)),
                Some(_) | None => {
                    verdict.differ(id, entry.seq, "union", format!("it claims {part}, which is none of its facts"));
                }
            }
            self.send(MessageId { sender: id.clone(), seq: entry.seq, n }, part, verdict);
        }
        for part in facts {
            verdict.differ(id, entry.seq, "union", format!("it does not tell its team of {part}"));
        }
        match &entry.cause {
            Some(Cause::Message(message)) if matches!(message.sender, EntityId::Region(_)) => {
                let of_sender =
                    |(region, _): &(&RegionId, bool)| message.sender == EntityId::Region((*region).clone());
                let counted = seen.filter(of_sender).map(|(_, entered)| Part::Sight(entered));
                let could = [Part::Sight(true), Part::Sight(false)].into();
                self.hear(message, Heard { by: id.clone(), seq: entry.seq, counted, could }, verdict);
            }
            _ if seen.is_some() => {
                verdict.differ(id, entry.seq, "presence", "it moves without a region's word".to_owned());
            }
            _ => {}
        }
    }

    /// A region's entry: its letters say what its facts say.
    pub fn of_region(&mut self, id: &EntityId, entry: &Entry, verdict: &mut Verdict) {
        let mut facts: Vec<(&PlayerId, Option<bool>)> = Vec::new();
        for event in &entry.events {
            match event {
                Event::Region(RegionEvent::Entered { player, .. }) => facts.push((player, Some(true))),
                Event::Region(RegionEvent::Left { player, .. }) => facts.push((player, Some(false))),
                Event::Region(RegionEvent::Stayed { player, .. } | RegionEvent::Walked { player, .. }) => {
                    facts.push((player, None));
                }
                _ => {}
            }
        }
        for (n, outgoing) in (0..).zip(&entry.out) {
            let (EntityId::Player(player), Command::Player(PlayerCommand::Sighted { what, .. })) =
                (&outgoing.to, &outgoing.command)
            else {
                continue;
            };
            let sight = match what {
                Sighting::Entered => Some(true),
                Sighting::Left => Some(false),
                Sighting::Stayed | Sighting::Walked { .. } => None,
            };
            match facts.iter().position(|fact| *fact == (player, sight)) {
                Some(fact) => drop(facts.remove(fact)),
                None => {
                    verdict.differ(id, entry.seq, "news", format!("{player} is told what no fact says: a sighting"))
                }
            }
            if let Some(entered) = sight {
                let message = MessageId { sender: id.clone(), seq: entry.seq, n };
                self.send(message, Part::Sight(entered), verdict);
            }
        }
        for (player, _) in facts {
            verdict.differ(id, entry.seq, "untold", format!("{player} is not told where it was seen"));
        }
    }

    fn send(&mut self, message: MessageId, part: Part, verdict: &mut Verdict) {
        match self.heard.remove(&message) {
            Some(heard) => compare(&message, &part, &heard, verdict),
            None => drop(self.sent.insert(message, part)),
        }
    }

    /// An entry of anyone; before what it says is looked at.
    pub fn of_anyone(&mut self, id: &EntityId, entry: &Entry) {
        if entry.dropped {
            self.lacking.insert(id.clone());
        }
    }

    fn hear(&mut self, message: &MessageId, mut heard: Heard, verdict: &mut Verdict) {
        if self.lacking.contains(&heard.by) {
            heard.could.clear();
        }
        match self.sent.remove(message) {
            Some(part) => compare(message, &part, &heard, verdict),
            None if heard.counted.is_some() || !heard.could.is_empty() => {
                drop(self.heard.insert(message.clone(), heard));
            }
            None => {}
        }
    }

    /// A team's entry; `could` tells what the team would count of a player's after it.
    pub fn of_team(
        &mut self,
        id: &EntityId,
        entry: &Entry,
        could: impl Fn(&PlayerId) -> BTreeSet<Part>,
        verdict: &mut Verdict,
    ) {
        let letter = match &entry.cause {
            Some(Cause::Message(message)) => match &message.sender {
                EntityId::Player(player) => Some((message, player)),
                EntityId::Team(_) | EntityId::Region(_) => None,
            },
            Some(Cause::Client { .. }) | None => None,
        };
        let mut counted = None;
        for event in &entry.events {
            let Event::Team(TeamEvent::MemberReached { quest, step, player }) = event else { continue };
            if counted.is_some() || letter.is_none_or(|(_, sender)| sender != player) {
                verdict.differ(id, entry.seq, "union", format!("{step} is counted for {player}, who did not say so"));
            }
            counted = Some(Part::Step(quest.clone(), step.clone()));
        }
        let Some((message, player)) = letter else { return };
        let could = if counted.is_some() { BTreeSet::new() } else { could(player) };
        let heard = Heard { by: id.clone(), seq: entry.seq, counted, could };
        self.hear(message, heard, verdict);
    }

    /// All shards are read. What was sent and not heard is under way, or lost, which others tell.
    pub fn finish(self, verdict: &mut Verdict) {
        let mut heard: Vec<(MessageId, Heard)> = self.heard.into_iter().collect();
        heard.sort_by(|a, b| a.0.cmp(&b.0));
        for (message, heard) in heard {
            if let Some(part) = heard.counted {
                let text = format!("{part} is counted by a letter of {}, which does not claim it", message.sender);
                verdict.differ(&heard.by, heard.seq, part.check(), text);
            }
        }
    }
}

fn compare(message: &MessageId, part: &Part, heard: &Heard, verdict: &mut Verdict) {
    let who = &message.sender;
    let text = match &heard.counted {
        Some(counted) if counted != part => format!("{counted} is counted, and {who} tells of {part}"),
        None if heard.could.contains(part) => format!("{part}, of which {who} tells, is not counted, as it must be"),
        Some(_) | None => return,
    };
    verdict.differ(&heard.by, heard.seq, part.check(), text);
}

impl Part {
    fn check(&self) -> &'static str {
        match self {
            Self::Step(..) => "union",
            Self::Sight(_) => "presence",
        }
    }
}

/// How many of so many members must do a step; `None` where it depends on who is there when.
pub(super) fn needed(verb: &Verb, members: usize) -> Option<usize> {
    let team = match verb {
        Verb::Visit { team, .. } => team,
        // A team that has become too small cannot do it.
        Verb::Meet { members, .. } => return Some(usize::from(*members)),
        _ => return Some(1),
    };
    if team.together.is_some() {
        return None;
    }
    // The smallest part of the team that is not below the share.
    let by_share = (0..=members).find(|part| *part as f64 >= team.share * members as f64 - 1e-6).unwrap_or(members);
    Some(by_share.max(usize::from(team.members)).min(members).max(1))
}
