//! The journal as an auditor reads it: entry by entry, beside a running server, trusting nothing that was derived.

use crate::record::Testimony;
use crate::server::Folder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use waystone::cluster::shard::Shard;
use waystone::ids::{EntityId, PlayerId, TeamId};
use waystone::quest::entry::{Cause, MessageId};
use waystone::quest::event::{Event, RegionEvent};

/// Entries read at once.
const PAGE: u32 = 500;
/// Of how many of each limited reward, by its place in the quest file.
const STOCK: [(&str, u32); 3] = [("2", 2), ("3", 6), ("4", 14)];

/// What has been read so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    after: BTreeMap<Shard, u64>,
    ends: BTreeMap<EntityId, u64>,
    notices: BTreeMap<PlayerId, Vec<Value>>,
    causes: BTreeSet<(EntityId, String)>,
    awards: BTreeSet<(EntityId, String)>,
    sent: BTreeMap<MessageId, EntityId>,
    stock: BTreeMap<String, BTreeMap<u32, TeamId>>,
    faults: Vec<String>,
    /// Entries read.
    pub entries: usize,
}

impl Ledger {
    /// Reads a whole journal.
    pub(crate) async fn of(folder: &Folder) -> Self {
        let mut ledger = Self::default();
        ledger.read_on(folder).await;
        ledger
    }

    /// Reads what has come since the last time.
    pub(crate) async fn read_on(&mut self, folder: &Folder) {
        let journal = folder.journal().await;
        for shard in Shard::all() {
            loop {
                let after = self.after.get(&shard).copied().unwrap_or(0);
                let page = journal.scan(shard, after, PAGE).await.expect("a journal that can be read");
                let Some(last) = page.last() else { break };
                self.after.insert(shard, last.offset);
                for (expected, stored) in (after + 1..).zip(page) {
                    if stored.offset != expected {
                        self.faults.push(format!("{shard:?}: offset {expected} was to come, not {}", stored.offset));
                    }
                    self.take(stored.entity, &stored.entry);
                }
            }
        }
        journal.close().await;
    }

    fn take(&mut self, entity: EntityId, entry: &waystone::quest::entry::Entry) {
        self.entries += 1;
        let end = self.ends.entry(entity.clone()).or_insert(0);
        *end += 1;
        if entry.seq != *end {
            self.faults.push(format!("{entity}: entry {end} was to come, not {}", entry.seq));
        }
        if let Some(cause) = &entry.cause
            && !self.causes.insert((entity.clone(), cause.key()))
        {
            self.faults.push(format!("{entity}: {} has two entries", cause.key()));
        }
        if let Some(Cause::Message(id)) = &entry.cause {
            // Heard before it was sent is possible here: shards are read one after the other.
            self.sent.entry(id.clone()).or_insert_with(|| entity.clone());
        }
        for award in &entry.awards {
            if !self.awards.insert((entity.clone(), award.clone())) {
                self.faults.push(format!("{entity}: the award {award} was given twice"));
            }
        }
        for (n, out) in (0..).zip(&entry.out) {
            self.sent.insert(MessageId { sender: entity.clone(), seq: entry.seq, n }, out.to.clone());
        }
        for event in &entry.events {
            if let Event::Region(RegionEvent::StockGiven { reward, team, number }) = event {
                self.give(reward, team, *number);
            }
        }
        if let EntityId::Player(player) = &entity {
            let told = entry.notices.iter().map(|notice| serde_json::to_value(notice).expect("plain data"));
            self.notices.entry(player.clone()).or_default().extend(told);
        }
    }

    fn give(&mut self, reward: &str, team: &TeamId, number: u32) {
        let of = STOCK.iter().find(|(known, _)| *known == reward).map_or(0, |(_, of)| *of);
        if number == 0 || number > of {
            self.faults.push(format!("reward {reward}: number {number} of {of} was given to {team}"));
        }
        let given = self.stock.entry(reward.to_owned()).or_default();
        if given.values().any(|known| known == team) {
            self.faults.push(format!("reward {reward}: {team} got two"));
        }
        if let Some(other) = given.insert(number, team.clone()) {
            self.faults.push(format!("reward {reward}: number {number} was given to {other} and to {team}"));
        }
    }

    /// Messages that were sent and have no entry at their receiver yet.
    pub(crate) fn pending(&self) -> Vec<String> {
        let waits = |(id, to): &(&MessageId, &EntityId)| {
            let key = Cause::Message(MessageId::clone(id)).key();
            !self.causes.contains(&(EntityId::clone(to), key))
        };
        self.sent.iter().filter(waits).map(|(id, to)| format!("{id:?} to {to}")).collect()
    }

    /// How many of each stock were given.
    pub(crate) fn stock(&self) -> Vec<usize> {
        STOCK.iter().map(|(reward, _)| self.stock.get(*reward).map_or(0, BTreeMap::len)).collect()
    }

    /// What is wrong in the journal by itself, and in what witnesses were told before it was read.
    pub(crate) fn faults_of(&self, testimonies: &[Testimony]) -> Vec<String> {
        let mut faults = self.faults.clone();
        for Testimony { player, told, faults: own } in testimonies {
            faults.extend(own.iter().map(|fault| format!("{player}: {fault}")));
            let stands = self.notices.get(player).map(Vec::as_slice).unwrap_or_default();
            for (offset, told) in told {
                let index = usize::try_from(*offset).expect("small") - 1;
                match stands.get(index) {
                    Some(stands) if stands == told => {}
                    found => faults.push(format!("{player}: told at {offset}: {told}; the journal has {found:?}")),
                }
            }
        }
        faults
    }

    /// How many notices a player has.
    pub(crate) fn notices(&self, player: &PlayerId) -> usize {
        self.notices.get(player).map_or(0, Vec::len)
    }
}
