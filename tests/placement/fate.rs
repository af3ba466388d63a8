//! What fate can do, each thing by itself.

use crate::database::TTL;
use crate::ledger::Cause;
use crate::process::Life;
use crate::world::{Ask, Event, MS, S, World};
use std::collections::BTreeMap;
use waystone::cluster::link::LinkState;
use waystone::cluster::placement::{Placement, fair_share};
use waystone::cluster::shard::Shard;

/// Appends that a process that stood still had just been about to send.
const PENDING: usize = 8;
/// Within so long after the last stroke of fate everything is in its place: what stands still goes on within 12 s, and
/// to a node that did not claim what was its own nothing is moved for a minute.
const CALM: u64 = 90 * S;

impl World {
    /// A cluster at rest.
    pub fn at_rest(nodes: usize, seed: u64, bugs: std::collections::BTreeSet<crate::bugs::Bug>) -> Self {
        let mut world = Self::new(nodes, seed, bugs);
        (0..nodes).for_each(|slot| world.start(slot));
        world.settle();
        // Until shards may move.
        world.run(world.now + 10 * S);
        world.ledger.ended.clear();
        world
    }

    /// `kill -9`.
    pub fn kill(&mut self, slot: usize) {
        let Some(of) = self.process(slot) else { return };
        let mine: Vec<Shard> = self.all[of].mine.keys().copied().collect();
        for shard in mine {
            if self.all[of].serves(self.now, shard, false).is_some() {
                self.ledger.lies(self.now, shard, Cause::Killed);
            }
        }
        self.die(of);
    }

    pub fn die(&mut self, of: usize) {
        self.all[of].life = Life::Dead;
        for shard in std::mem::take(&mut self.all[of].mine).into_keys() {
            self.holders.entry(shard).or_default().remove(&of);
        }
        self.notices(of, MS, 30 * MS);
    }

    pub fn freeze(&mut self, slot: usize, span: u64) {
        let Some(of) = self.process(slot).filter(|of| self.all[*of].runs()) else { return };
        let mine: Vec<Shard> = self.all[of].mine.keys().copied().collect();
        for shard in mine {
            if self.all[of].serves(self.now, shard, false).is_some() {
                self.ledger.lies(self.now, shard, Cause::Silent);
            }
        }
        self.all[of].life = Life::Frozen(self.now, self.now + span);
        self.notices(of, 2 * S, 3 * S);
        self.after(span, Event::Thaw(of));
    }

    /// It goes on where it stood, and first of all sends what it was about to send.
    pub fn thaw(&mut self, of: usize) {
        let Life::Frozen(since, _) = self.all[of].life else { return };
        self.all[of].life = Life::Runs;
        let pending: Vec<(Shard, u64)> =
            self.all[of].mine.iter().take(PENDING).map(|(shard, holding)| (*shard, holding.epoch)).collect();
        pending.into_iter().for_each(|(shard, epoch)| self.ask(of, Ask::Append(shard, epoch)));
        if self.now - since > TTL {
            // Its peers have closed their ends.
            for link in self.all[of].links.values_mut() {
                *link = LinkState::Down { refused: false };
            }
            self.wants_plan(of, 0);
        }
        self.check_twins(of);
        self.notices(of, 50 * MS, 500 * MS);
    }

    /// Nothing passes from one machine to another, or it is refused there.
    pub fn block(&mut self, from: usize, to: usize, refused: bool) {
        self.blocked.insert((from, to), refused);
        let (soon, late) = if refused { (MS, 30 * MS) } else { (2 * S, 3 * S) };
        self.notice_pair(from, to, soon, late);
    }

    pub fn unblock(&mut self, from: usize, to: usize) {
        self.blocked.remove(&(from, to));
        self.notice_pair(from, to, 50 * MS, 500 * MS);
    }

    /// A connection is reset; it is made again a little later.
    pub fn reset(&mut self, from: usize, to: usize) {
        if let (Some(one), Some(other)) = (self.process(from), self.process(to)) {
            let id = self.all[other].id.clone();
            if let Some(link) = self.all[one].links.get_mut(&id) {
                *link = LinkState::Down { refused: false };
                self.wants_plan(one, 0);
                self.after(900 * MS, Event::Link(one, other));
            }
        }
    }

    fn notice_pair(&mut self, one: usize, other: usize, soon: u64, late: u64) {
        if let (Some(one), Some(other)) = (self.process(one), self.process(other)) {
            for (of, to) in [(one, other), (other, one)] {
                let span = self.within(soon, late);
                self.after(span, Event::Link(of, to));
            }
        }
    }

    pub fn drain(&mut self, slot: usize) {
        if let Some(of) = self.process(slot).filter(|of| self.all[*of].runs()) {
            self.all[of].draining = true;
            self.hint(of, 0);
        }
    }

    /// Fate rests: everything is mended, everyone is back.
    pub fn mend(&mut self) {
        (self.away, self.sticky) = (0, 0);
        self.cut.clear();
        self.jammed.clear();
        for (from, to) in std::mem::take(&mut self.blocked).into_keys() {
            self.notice_pair(from, to, 50 * MS, 500 * MS);
        }
    }

    /// Lets all machines that are down start again, until every machine has a process that does not leave.
    pub fn bring_back(&mut self) {
        for _ in 0..40 {
            (0..self.slots.len()).for_each(|slot| self.start(slot));
            let here = self.living();
            if here.len() == self.slots.len() && here.iter().all(|of| !self.all[*of].draining) {
                return;
            }
            self.run(self.now + S);
        }
    }

    /// Lets time go on until everything is in its place.
    pub fn settle(&mut self) {
        let begun = self.now;
        while !self.out_of_place().is_empty() && self.now < begun + CALM {
            self.run(self.now + 2 * S);
        }
        self.check_places();
    }

    /// Everything is in its place.
    pub fn check_places(&mut self) {
        for fault in self.out_of_place() {
            self.ledger.fault(self.now, &fault);
        }
    }

    /// What is wrong, if not every shard is where it should be and served there alone, or the shares are not fair.
    fn out_of_place(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let living = self.living();
        let names: Vec<String> = living.iter().map(|of| Self::name(self.all[*of].slot)).collect();
        let placement =
            Placement::over(living.iter().map(|of| &self.all[*of].id).zip(names.iter().map(String::as_str)));
        let mut shares: BTreeMap<usize, usize> = BTreeMap::new();
        for shard in Shard::all() {
            let row = &self.database.shards[usize::from(shard.number())];
            let target = placement.target(shard).expect("somebody lives");
            if row.owner.as_ref() != Some(target) {
                faults.push(format!("{shard:?} is at {:?} and not at {target}", row.owner));
                continue;
            }
            let of = self.index(target);
            *shares.entry(of).or_default() += 1;
            if self.all[of].serves(self.now, shard, false) != Some(row.epoch) {
                faults.push(format!("{shard:?} is not served by its owner"));
            }
            let others = self.holders.get(&shard).into_iter().flatten().filter(|one| **one != of).count();
            if others > 0 {
                faults.push(format!("{others} others have {shard:?} in their books"));
            }
        }
        let fair = fair_share(living.len());
        let most = shares.values().copied().max().unwrap_or(0);
        // Four standard deviations of chance.
        if most * most > fair * fair + 16 * (fair + 1) + 8 * fair * usize::isqrt(fair + 1) {
            faults.push(format!("one of {} has {most} shards", living.len()));
        }
        faults
    }

    /// Nothing moves while nothing happens.
    pub fn check_calm(&mut self, span: u64) {
        let before = (self.ledger.moves, self.ledger.handed);
        self.run(self.now + span);
        let after = (self.ledger.moves, self.ledger.handed);
        if before != after {
            self.ledger.fault(self.now, &format!("shards moved while nothing happened: {before:?} to {after:?}"));
        }
    }
}
