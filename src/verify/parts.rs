//! A team's progress is the union of what its members did while they were members: no more, no less.
//!
//! A member's own fact travels to the team as a letter. What the team counted must have been such a letter of that
//! member; and a letter that it did not count must have come when it could not: from no member, or for no open step.

use crate::ids::{EntityId, PlayerId, QuestId, StepId};
use crate::quest::command::{Command, TeamCommand};
use crate::quest::definition::Verb;
use crate::quest::entry::{Cause, Entry, MessageId};
use crate::quest::event::{Event, PlayerEvent, TeamEvent};
use crate::verify::verdict::Verdict;
use std::collections::{BTreeSet, HashMap};

/// A step of a quest.
type Part = (QuestId, StepId);

/// Letters of parts, until both sides are known.
#[derive(Debug, Default)]
pub(super) struct Parts {
    sent: HashMap<MessageId, Part>,
    heard: HashMap<MessageId, Heard>,
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
    /// A player's entry: the parts that it sends must be its own facts.
    pub fn of_player(&mut self, id: &EntityId, entry: &Entry, verdict: &mut Verdict) {
        let mut facts: BTreeSet<Part> = BTreeSet::new();
        for event in &entry.events {
            if let Event::Player(PlayerEvent::StepReached { quest, step, .. }) = event {
                facts.insert((quest.clone(), step.clone()));
            }
        }
        for (n, outgoing) in (0..).zip(&entry.out) {
            let Command::Team(TeamCommand::Reached { player, at, .. }) = &outgoing.command else { continue };
            let part = (at.quest.clone(), at.step.clone());
            if !facts.contains(&part) || EntityId::Player(player.clone()) != *id {
                verdict.differ(id, entry.seq, "union", format!("it claims {}, which is none of its facts", at.step));
            }
            let message = MessageId { sender: id.clone(), seq: entry.seq, n };
            match self.heard.remove(&message) {
                Some(heard) => compare(&message, &part, &heard, verdict),
                None => drop(self.sent.insert(message, part)),
            }
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
            counted = Some((quest.clone(), step.clone()));
        }
        let Some((message, player)) = letter else { return };
        let could = if counted.is_some() { BTreeSet::new() } else { could(player) };
        let heard = Heard { by: id.clone(), seq: entry.seq, counted, could };
        match self.sent.remove(message) {
            Some(part) => compare(message, &part, &heard, verdict),
            None if heard.counted.is_some() || !heard.could.is_empty() => {
                drop(self.heard.insert(message.clone(), heard))
            }
            None => {}
        }
    }

    /// All shards are read. What was sent and not heard is under way, or lost, which others tell.
    pub fn finish(self, verdict: &mut Verdict) {
        let mut heard: Vec<(MessageId, Heard)> = self.heard.into_iter().collect();
        heard.sort_by(|a, b| a.0.cmp(&b.0));
        for (message, heard) in heard {
            if let Some((_, step)) = heard.counted {
                let text = format!("{step} is counted by a letter of {}, which does not claim it", message.sender);
                verdict.differ(&heard.by, heard.seq, "union", text);
            }
        }
    }
}

fn compare(message: &MessageId, part: &Part, heard: &Heard, verdict: &mut Verdict) {
    let (step, who) = (&part.1, &message.sender);
    match &heard.counted {
        Some(counted) if counted != part => {
            let text = format!("{} is counted for {who}, who claims {step}", counted.1);
            verdict.differ(&heard.by, heard.seq, "union", text);
        }
        None if heard.could.contains(part) => {
            let text = format!("{step} of {who} is not counted, a member's part of an open step");
            verdict.differ(&heard.by, heard.seq, "union", text);
        }
        Some(_) | None => {}
    }
}

/// How many of so many members must do a step; `None` where it depends on who is there when.
pub(super) fn needed(verb: &Verb, members: usize) -> Option<usize> {
    let Verb::Visit { team, .. } = verb else { return Some(1) };
    if team.together.is_some() {
        return None;
    }
    // The smallest part of the team that is not below the share.
    let by_share = (0..=members).find(|part| *part as f64 >= team.share * members as f64 - 1e-6).unwrap_or(members);
    Some(by_share.max(usize::from(team.members)).min(members).max(1))
}
