//! The core of a verification, without a store: entries in, shard by shard, a verdict out.

use crate::cluster::shard::Shard;
use crate::ids::{EntityId, stable_hash};
use crate::persist::Stored;
use crate::quest::aggregate::Aggregate;
use crate::quest::catalog::Catalog;
use crate::quest::entry::{Cause, Entry, MessageId};
use crate::quest::event::Event;
use crate::verify::blank;
use crate::verify::history::History;
use crate::verify::letters::{Due, Letters};
use crate::verify::parts::Parts;
use crate::verify::player::PlayerFold;
use crate::verify::region::RegionFold;
use crate::verify::team::TeamFold;
use crate::verify::trial::Trial;
use crate::verify::verdict::{Difference, Verdict};
use std::collections::{BTreeMap, HashSet};

/// A verification under way.
#[derive(Debug)]
pub struct Check<'a> {
    catalog: &'a Catalog,
    verdict: Verdict,
    letters: Letters,
    parts: Parts,
    trial: Option<Trial<'a>>,
    /// Entities of the shard in hand.
    hands: BTreeMap<EntityId, Hand>,
    offset: u64,
    /// The epoch of the last entry.
    epoch: u64,
}

/// An entity in hand.
#[derive(Debug)]
struct Hand {
    seq: u64,
    /// The epoch of its last entry.
    epoch: u64,
    /// Hashes of award keys and of clients' commands.
    awards: HashSet<u64>,
    commands: HashSet<u64>,
    fold: Fold,
    /// As `evolve` makes it; `None` once its entries are out of order.
    state: Option<Aggregate>,
}

#[derive(Debug)]
enum Fold {
    Player(PlayerFold),
    Team(Box<TeamFold>),
    Region(RegionFold),
}

impl Verdict {
    /// Notes a difference.
    pub(super) fn differ(&mut self, entity: &EntityId, seq: u64, check: &'static str, message: String) {
        self.differences.push(Difference { entity: entity.to_string(), seq, check, message, history: None });
    }
}

impl<'a> Check<'a> {
    /// Begins.
    pub fn new(catalog: &'a Catalog) -> Self {
        let (verdict, letters, parts) = (Verdict::default(), Letters::default(), Parts::default());
        Self { catalog, verdict, letters, parts, trial: None, hands: BTreeMap::new(), offset: 0, epoch: 0 }
    }

    /// Holds a history against the journal of this id as well.
    pub fn with_history(mut self, history: &'a History, journal: &str) -> Self {
        self.trial = Some(Trial::new(history, journal, &mut self.verdict));
        self
    }

    /// Notes a difference that shows outside of the entries.
    pub fn differ(&mut self, entity: &str, seq: u64, check: &'static str, message: String) {
        let (entity, history) = (entity.to_owned(), None);
        self.verdict.differences.push(Difference { entity, seq, check, message, history });
    }

    /// Notes that the entry at an offset of the shard in hand cannot be read, and goes on behind it.
    pub fn unreadable(&mut self, entity: &str, seq: u64, offset: u64, reason: String) {
        self.differ(entity, seq, "unreadable", reason);
        self.offset = offset;
    }

    /// Takes in the next entry of the shard in hand.
    pub fn take(&mut self, shard: Shard, stored: &Stored) {
        let Stored { entity: id, offset, epoch, entry } = stored;
        self.verdict.entries += 1;
        self.verdict.dropped += u64::from(entry.dropped);
        self.verdict.awards += entry.awards.len() as u64;
        if *offset != self.offset + 1 {
            let message = format!("offset {offset} of shard {} follows {}", shard.number(), self.offset);
            self.verdict.differ(id, entry.seq, "offsets", message);
        }
        self.offset = *offset;
        if *epoch < self.epoch || *epoch == 0 {
            let message = format!("it was written in epoch {epoch} of its shard, after one of epoch {}", self.epoch);
            self.verdict.differ(id, entry.seq, "epoch", message);
        }
        self.epoch = *epoch;
        if Shard::of(id) != shard {
            let message = format!("it is stored in shard {}, not {}", shard.number(), Shard::of(id).number());
            self.verdict.differ(id, entry.seq, "shard", message);
        }
        self.parts.of_anyone(id, entry);
        let hand = self.hands.entry(id.clone()).or_insert_with(|| Hand::new(id));
        hand.number(id, (entry, *epoch), &mut self.verdict);
        if let (Fold::Player(fold), Some(trial)) = (&hand.fold, &mut self.trial) {
            trial.player_before(id, entry, fold, &mut self.verdict);
        }
        let (mut due, mut got) = (Vec::new(), Vec::new());
        let known = |key: &str| hand.awards.contains(&stable_hash(key.bytes()));
        let both = (&mut self.letters, &mut self.verdict);
        let keys = match &mut hand.fold {
            Fold::Player(fold) => {
                let earned = fold.take(id, entry, &known, both);
                got = earned.got;
                earned.keys
            }
            Fold::Team(fold) => {
                let news = fold.take(id, entry, self.catalog, both);
                due = news.due;
                let could = |player: &_| fold.open_to(player, self.catalog);
                self.parts.of_team(id, entry, could, &mut self.verdict);
                if let (Some(trial), EntityId::Team(team)) = (&mut self.trial, id) {
                    trial.team_after(team, fold);
                }
                news.keys
            }
            Fold::Region(fold) => fold.take(id, entry, self.catalog, both),
        };
        hand.award(id, entry, keys, &mut self.verdict);
        self.carry(shard, stored, due, got);
    }

    /// Notes the letter that an entry heard, and those that it sent.
    fn carry(&mut self, shard: Shard, stored: &Stored, mut due: Vec<(EntityId, Due)>, got: Vec<Due>) {
        let Stored { entity: id, offset, entry, .. } = stored;
        match id {
            EntityId::Player(_) => self.parts.of_player(id, entry, &mut self.verdict),
            EntityId::Region(_) => self.parts.of_region(id, entry, &mut self.verdict),
            EntityId::Team(_) => {}
        }
        if let Some(trial) = &mut self.trial {
            trial.entry(id, entry, &mut self.verdict);
        }
        if let Some(Cause::Message(cause)) = &entry.cause
            && let Err(message) = self.letters.heard(cause, id, entry, got)
        {
            self.verdict.differ(id, entry.seq, "order", message);
        }
        for (outgoing, n) in entry.out.iter().zip(0..) {
            let owed = due.extract_if(.., |(to, _)| *to == outgoing.to).map(|(_, due)| due).collect();
            let message = MessageId { sender: id.clone(), seq: entry.seq, n };
            self.letters.sent(message, outgoing.to.clone(), shard, *offset, owed);
        }
        for (to, due) in due {
            self.verdict.differ(id, entry.seq, "untold", format!("{to} is not told of {}", due.key));
        }
    }

    /// The entities of the shard in hand.
    pub fn entities_in_hand(&self) -> Vec<EntityId> {
        self.hands.keys().cloned().collect()
    }

    /// Compares an entity's snapshot and the entries after it with all its entries.
    pub fn snapshot(&mut self, id: &EntityId, seq: u64, bytes: &[u8], tail: &[Entry]) {
        let Some(state) = self.hands.get(id).and_then(|hand| hand.state.as_ref()) else { return };
        let mut restored: Aggregate = match serde_json::from_slice(bytes) {
            Ok(restored) => restored,
            Err(err) => {
                self.verdict.differ(id, seq, "snapshot", format!("it cannot be read: {err}"));
                return;
            }
        };
        for entry in tail.iter().filter(|entry| entry.seq <= state.seq) {
            if entry.seq == restored.seq + 1 {
                restored.apply(entry);
            }
        }
        if restored.seq <= state.seq && restored != *state {
            let message = "with the entries after it, it is not what all entries make".to_owned();
            self.verdict.differ(id, seq, "snapshot", message);
        }
    }

    /// Ends the shard in hand; its letters are acknowledged up to an offset.
    pub fn end_of_shard(&mut self, shard: Shard, acked: u64) {
        self.letters.acked(shard, acked);
        (self.offset, self.epoch) = (0, 0);
        for (id, hand) in std::mem::take(&mut self.hands) {
            self.verdict.entities += 1;
            if let Some(trial) = &mut self.trial {
                match (&id, &hand.fold) {
                    (_, Fold::Player(fold)) => trial.end_of_player(&id, fold, &mut self.verdict),
                    (EntityId::Team(team), Fold::Team(fold)) => trial.end_of_team(team, fold, &mut self.verdict),
                    _ => {}
                }
            }
            let Some(Aggregate { state, .. }) = &hand.state else { continue };
            match &hand.fold {
                Fold::Player(fold) => fold.compare(&id, state, &mut self.verdict),
                Fold::Team(fold) => fold.compare(&id, state, &mut self.verdict),
                Fold::Region(fold) => fold.compare(&id, state, &mut self.verdict),
            }
        }
    }

    /// No entry of the shard in hand may bear a later epoch than the shard's own.
    pub fn owned_in(&mut self, shard: Shard, epoch: u64) {
        if self.epoch > epoch {
            let message = format!("its last entry is of epoch {}, the shard itself of {epoch}", self.epoch);
            self.differ(&format!("shard {}", shard.number()), 0, "epoch", message);
        }
    }

    /// Compares what only all shards together show.
    pub fn finish(mut self) -> Verdict {
        self.letters.finish(&mut self.verdict);
        self.parts.finish(&mut self.verdict);
        if let Some(trial) = self.trial {
            trial.finish(&mut self.verdict);
        }
        self.verdict
    }
}

impl Hand {
    fn new(id: &EntityId) -> Self {
        let fold = match id {
            EntityId::Player(_) => Fold::Player(PlayerFold::default()),
            EntityId::Team(_) => Fold::Team(Box::default()),
            EntityId::Region(_) => Fold::Region(RegionFold::default()),
        };
        Self { seq: 0, epoch: 0, awards: HashSet::new(), commands: HashSet::new(), fold, state: Some(blank(id)) }
    }

    /// Numbers, kinds and commands; and the state as `evolve` makes it.
    fn number(&mut self, id: &EntityId, (entry, epoch): (&Entry, u64), verdict: &mut Verdict) {
        let own = |event: &Event| {
            matches!(
                (id, event),
                (EntityId::Player(_), Event::Player(_))
                    | (EntityId::Team(_), Event::Team(_))
                    | (EntityId::Region(_), Event::Region(_))
            )
        };
        let sound = entry.events.iter().all(own);
        if !sound {
            verdict.differ(id, entry.seq, "kind", "it bears a fact of another kind of entity".to_owned());
        }
        let bare = entry.events.is_empty() && entry.out.is_empty() && entry.notices.is_empty();
        if entry.dropped && !(bare && entry.awards.is_empty() && entry.cause.is_some()) {
            verdict.differ(id, entry.seq, "kind", "its message was dropped, and yet it brought something".to_owned());
        }
        if entry.events.windows(2).any(|pair| pair[0] == pair[1]) {
            verdict.differ(id, entry.seq, "kind", "it bears a fact twice".to_owned());
        }
        if !matches!(id, EntityId::Player(_)) && !entry.notices.is_empty() {
            verdict.differ(id, entry.seq, "notices", "only players are told anything".to_owned());
        }
        if entry.seq <= self.seq && epoch == self.epoch {
            let message = format!("entry {} stands already: epoch {epoch} has two writers", entry.seq);
            verdict.differ(id, entry.seq, "writer", message);
        }
        self.epoch = epoch;
        if entry.seq != self.seq + 1 {
            verdict.differ(id, entry.seq, "sequence", format!("entry {} follows {}", entry.seq, self.seq));
        }
        if let Some(cause @ Cause::Client { .. }) = &entry.cause
            && !self.commands.insert(stable_hash(cause.key().bytes()))
        {
            verdict.differ(id, entry.seq, "cause", format!("command {} is taken twice", cause.key()));
        }
        match &mut self.state {
            Some(state) if sound && entry.seq == state.seq + 1 => state.apply(entry),
            _ => self.state = None,
        }
        self.seq = entry.seq;
    }

    /// Award keys: each once, and exactly those of the entry's facts.
    fn award(&mut self, id: &EntityId, entry: &Entry, mut keys: Vec<String>, verdict: &mut Verdict) {
        for award in &entry.awards {
            if !self.awards.insert(stable_hash(award.bytes())) {
                verdict.differ(id, entry.seq, "award", format!("{award} is given twice"));
            }
            match keys.iter().position(|key| key == award) {
                Some(at) => drop(keys.remove(at)),
                None => verdict.differ(id, entry.seq, "award", format!("{award} stands for none of its facts")),
            }
        }
        for key in keys {
            verdict.differ(id, entry.seq, "award", format!("a fact lacks its award {key}"));
        }
    }
}
