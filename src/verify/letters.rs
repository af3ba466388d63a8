//! Letters between entities: each that was sent is heard once, in order, or still under way; and what it owes its
//! reader is what the reader got.
//!
//! Sender and reader live on different shards, so one side waits here for the other. Promise: a letter that owes
//! nothing and was heard is forgotten at once.

use crate::cluster::shard::Shard;
use crate::ids::{EntityId, QuestId, TeamId, stable_hash};
use crate::quest::entry::{Entry, MessageId};
use crate::verify::verdict::Verdict;
use std::collections::{BTreeMap, HashMap};

/// Something that a letter owes its reader, or that a reader has got: an award's key and its points.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// The natural key.
    pub key: String,
    /// Points of the reader's own.
    pub points: i64,
    /// The quest.
    pub quest: QuestId,
    /// The badge, if it is one: a player has each badge once, whatever the key.
    pub badge: Option<String>,
}

#[derive(Debug)]
struct Sent {
    to: EntityId,
    shard: Shard,
    offset: u64,
    due: Vec<Due>,
}

#[derive(Debug)]
struct Heard {
    by: EntityId,
    seq: u64,
    got: Vec<Due>,
    /// An operator has dropped it: it brought nothing.
    dropped: bool,
}

/// Both sides of all letters.
#[derive(Debug, Default)]
pub(super) struct Letters {
    sent: HashMap<MessageId, Sent>,
    heard: HashMap<MessageId, Heard>,
    /// Of each pair of sender and reader: the last heard.
    last: HashMap<(EntityId, EntityId), (u64, u16)>,
    /// Offsets up to which each shard's letters are acknowledged.
    acked: BTreeMap<Shard, u64>,
    /// Of each player, by the hash of an award's key or badge: the entry that earned it first.
    earned: HashMap<(EntityId, u64), u64>,
    /// Of each player and quest: whose run they take part in, from which entry on.
    joins: HashMap<(EntityId, QuestId), Vec<(u64, TeamId)>>,
    /// Stock given and stock received: quest, reward, team; and the number.
    pub given: BTreeMap<(QuestId, u16, TeamId), u32>,
    pub received: Vec<(QuestId, u16, TeamId, u32, u64)>,
}

impl Letters {
    pub fn sent(&mut self, id: MessageId, to: EntityId, shard: Shard, offset: u64, due: Vec<Due>) {
        let done = due.is_empty() && self.heard.get(&id).is_some_and(|heard| heard.by == to && heard.got.is_empty());
        if done {
            self.heard.remove(&id);
        } else {
            self.sent.insert(id, Sent { to, shard, offset, due });
        }
    }

    /// Notes a letter as heard; an error says why it cannot have been.
    pub fn heard(&mut self, id: &MessageId, by: &EntityId, entry: &Entry, got: Vec<Due>) -> Result<(), String> {
        let lane = (id.sender.clone(), by.clone());
        let (last, this) = (self.last.get(&lane).copied(), (id.seq, id.n));
        if last.is_some_and(|last| last >= this) {
            return Err(format!("message {}.{} of {} is heard again or out of turn", id.seq, id.n, id.sender));
        }
        self.last.insert(lane, this);
        let done = got.is_empty() && self.sent.get(id).is_some_and(|sent| sent.to == *by && sent.due.is_empty());
        if done {
            self.sent.remove(id);
        } else {
            self.heard.insert(id.clone(), Heard { by: by.clone(), seq: entry.seq, got, dropped: entry.dropped });
        }
        Ok(())
    }

    pub fn acked(&mut self, shard: Shard, offset: u64) {
        self.acked.insert(shard, offset);
    }

    /// Notes when a player first earned a key or badge.
    pub fn earned(&mut self, who: &EntityId, key: &str, seq: u64) {
        self.earned.entry((who.clone(), stable_hash(key.bytes()))).or_insert(seq);
    }

    pub fn joined(&mut self, who: &EntityId, quest: &QuestId, seq: u64, team: &TeamId) {
        self.joins.entry((who.clone(), quest.clone())).or_default().push((seq, team.clone()));
    }

    /// Compares both sides, now that all shards are read.
    pub fn finish(mut self, verdict: &mut Verdict) {
        let mut ids: Vec<MessageId> = self.sent.keys().chain(self.heard.keys()).cloned().collect();
        ids.sort();
        ids.dedup();
        for id in ids {
            match (self.sent.remove(&id), self.heard.remove(&id)) {
                (Some(sent), Some(heard)) => self.compare(&id, &sent, &heard, verdict),
                (Some(sent), None) => self.unheard(&id, &sent, verdict),
                (None, Some(heard)) => {
                    let message =
                        format!("it hears message {}.{} of {}, which was never sent", id.seq, id.n, id.sender);
                    verdict.differ(&heard.by, heard.seq, "unsent", message);
                }
                (None, None) => {}
            }
        }
        for (quest, reward, team, number, seq) in &self.received {
            let key = (quest.clone(), *reward, team.clone());
            if self.given.get(&key) != Some(number) {
                let message = format!("it has number {number} of reward {reward} of {quest}, which it was not given");
                verdict.differ(&EntityId::Team(team.clone()), *seq, "stock", message);
            }
        }
    }

    fn unheard(&self, id: &MessageId, sent: &Sent, verdict: &mut Verdict) {
        let overtaken =
            self.last.get(&(id.sender.clone(), sent.to.clone())).is_some_and(|last| *last > (id.seq, id.n));
        let acked = self.acked.get(&sent.shard).is_some_and(|acked| *acked >= sent.offset);
        let why = match (overtaken, acked) {
            (true, _) => "a later one was heard, so it never will be",
            (false, true) => "it is acknowledged, so nobody carries it any more",
            (false, false) => {
                verdict.pending += 1;
                return;
            }
        };
        let message = format!("message {} to {} was not heard, and {why}", id.n, sent.to);
        verdict.differ(&id.sender, id.seq, "lost", message);
    }

    fn compare(&self, id: &MessageId, sent: &Sent, heard: &Heard, verdict: &mut Verdict) {
        if sent.to != heard.by {
            let message = format!("it hears message {}.{} of {}, which was for {}", id.seq, id.n, id.sender, sent.to);
            verdict.differ(&heard.by, heard.seq, "unsent", message);
            return;
        }
        if heard.dropped {
            return;
        }
        let mut got = heard.got.clone();
        for due in &sent.due {
            let found = got.iter().position(|got| got.key == due.key && got.badge == due.badge);
            let Some(got) = found.map(|at| got.remove(at)) else {
                if !self.is_excused(id, heard, due) {
                    let message = format!("{} owes it {}, which it did not take", id.sender, due.key);
                    verdict.differ(&heard.by, heard.seq, "missing", message);
                }
                continue;
            };
            // Earned before, with another team perhaps: then it brings nothing a second time.
            let again = self.first(heard, &due.key).is_some_and(|first| first < heard.seq);
            let points = if again { 0 } else { due.points };
            if got.points != points {
                let message = format!("{} brings {} points, not {}", due.key, points, got.points);
                verdict.differ(&heard.by, heard.seq, "credit", message);
            }
        }
        for undue in got {
            let message = format!("it takes {} ({} points), which nobody owes it", undue.key, undue.points);
            verdict.differ(&heard.by, heard.seq, "undue", message);
        }
    }

    fn first(&self, heard: &Heard, key: &str) -> Option<u64> {
        self.earned.get(&(heard.by.clone(), stable_hash(key.bytes()))).copied()
    }

    /// Whether a reader rightly took nothing: has had it before, or plays the quest with another team by now.
    fn is_excused(&self, id: &MessageId, heard: &Heard, due: &Due) -> bool {
        let has = |key: &str| self.first(heard, key).is_some_and(|first| first <= heard.seq);
        let joins = self.joins.get(&(heard.by.clone(), due.quest.clone()));
        let team = joins.and_then(|joins| joins.iter().rfind(|(seq, _)| *seq <= heard.seq)).map(|(_, team)| team);
        let with_sender = team.is_some_and(|team| EntityId::Team(team.clone()) == id.sender);
        match &due.badge {
            Some(badge) => has(&format!("badge {badge}")) || !with_sender,
            None => (has(&due.key) && due.key.contains(":points:")) || !with_sender,
        }
    }
}
