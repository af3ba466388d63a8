//! What a process does: beats, plans, and the steps of its plans, as the real node does them around the planner.

use crate::bugs::Bug;
use crate::ledger::Cause;
use crate::world::{Answer, Ask, Event, MS, S, World};
use std::time::Duration;
use waystone::cluster::link::LinkState;
use waystone::cluster::member::NodeId;
use waystone::cluster::plan::{CLOSING_MAX, HOLD, Holding, Step};
use waystone::cluster::shard::Shard;

/// Least time between two beats.
const GAP: u64 = 50 * MS;
/// How soon a beat that was refused its name is tried again.
const NAME: u64 = 100 * MS;

impl World {
    pub fn ask(&mut self, of: usize, ask: Ask) {
        let span = self.within(MS, 5 * MS);
        self.after(span, Event::Asked(of, ask));
    }

    pub fn beat(&mut self, of: usize) {
        self.say(of);
        // Without a look yet it has no name yet.
        let span = if self.all[of].look.is_none() { NAME } else { S };
        self.after(span, Event::Beat(of));
        let late = self.has(Bug::PastTheLease);
        let serving: Vec<(Shard, u64)> = {
            let process = &self.all[of];
            process.mine.keys().filter_map(|s| Some((*s, process.serves(self.now, *s, late)?))).collect()
        };
        if !serving.is_empty() {
            let (shard, epoch) = serving[usize::try_from(self.chance.below(serving.len() as u64)).expect("small")];
            self.ask(of, Ask::Append(shard, epoch));
        } else if !self.all[of].is_certain(self.now, late) {
            let mine: Vec<Shard> = self.all[of].mine.keys().copied().collect();
            mine.into_iter().for_each(|shard| self.lies_if_unserved(of, shard));
        }
        // Drained: it leaves.
        if self.all[of].draining && self.all[of].mine.is_empty() && self.all[of].claiming.is_empty() {
            self.ask(of, Ask::Leave);
            self.die(of);
        }
    }

    fn say(&mut self, of: usize) {
        let process = &mut self.all[of];
        process.beat = self.now;
        let standing = process.planner.standing(process.draining);
        process.said = standing.clone();
        self.ask(of, Ask::Beat { sent: self.now, standing });
    }

    /// There is news: beats and looks before its time.
    pub fn hint(&mut self, of: usize, span: u64) {
        if !self.all[of].looks {
            self.all[of].looks = true;
            let due = (self.now + span).max(self.all[of].beat + GAP);
            self.after(due - self.now, Event::Look(of));
        }
    }

    pub fn hinted(&mut self, of: usize) {
        self.all[of].looks = false;
        self.say(of);
    }

    /// A question reaches the database, whatever has become of who asked.
    pub fn asked(&mut self, of: usize, ask: Ask) {
        let (id, slot) = (self.all[of].id.clone(), self.all[of].slot);
        let claims = matches!(ask, Ask::Claim(_));
        if self.cut.contains(&slot) || self.now < self.away || (claims && self.jammed.contains(&slot)) {
            return self.after(S, Event::Answered(of, Answer::Lost(ask)));
        }
        let answer = match ask {
            Ask::Beat { sent, standing } => {
                let look = self.database.beat(self.now, &id, &Self::name(slot), &standing);
                Answer::Beat { sent, look: look.map(|look| (look, self.now)) }
            }
            Ask::Claim(asked) => {
                let granted = self.database.claim(self.now, &id, &asked);
                granted.iter().for_each(|(shard, epoch)| self.ledger.claimed(self.now, *shard, *epoch, &id));
                Answer::Claim { asked, granted }
            }
            Ask::Release(shard, epoch) => {
                self.ledger.handed += u64::from(self.database.release(self.now, shard, epoch));
                Answer::Release(shard, epoch)
            }
            Ask::Append(shard, epoch) => {
                let taken = self.database.append(shard, epoch);
                return self.ledger.appended(self.now, shard, epoch, taken);
            }
            Ask::Bury(node) => {
                let target = self.index(&node);
                if self.database.lives(self.now, &node) {
                    self.ledger.buried += 1;
                    self.all[target].wronged = Some(self.now);
                    self.database.end(&node);
                }
                return self.hint(of, MS);
            }
            Ask::Leave => return self.database.end(&id),
        };
        let span = self.within(MS, 5 * MS);
        self.after(span, Event::Answered(of, answer));
    }

    pub fn answered(&mut self, of: usize, answer: Answer) {
        if self.cut.contains(&self.all[of].slot)
            && let Answer::Claim { asked, .. } = answer
        {
            return self.after(S, Event::Answered(of, Answer::Lost(Ask::Claim(asked))));
        }
        match answer {
            Answer::Beat { sent, look: Some((look, at)) } => {
                self.all[of].look = Some((look, at));
                self.dial(of);
                self.plan(of);
                self.all[of].renewed(sent, at);
                self.check_twins(of);
            }
            Answer::Claim { asked, granted } => {
                self.all[of].claiming.retain(|shard| !asked.iter().any(|(one, _)| one == shard));
                for (shard, epoch) in granted {
                    self.all[of].mine.insert(shard, Holding { epoch, closing: false });
                    self.holders.entry(shard).or_default().insert(of);
                }
                self.check_twins(of);
                self.hint(of, MS);
            }
            Answer::Release(shard, epoch) => {
                if self.all[of].mine.get(&shard).is_some_and(|holding| holding.epoch == epoch) {
                    self.forget(of, shard);
                }
                self.announce(of, shard);
                self.hint(of, MS);
            }
            Answer::Lost(Ask::Claim(asked)) => {
                self.all[of].claiming.retain(|shard| !asked.iter().any(|(one, _)| one == shard));
            }
            Answer::Lost(again @ (Ask::Release(..) | Ask::Leave)) => self.ask(of, again),
            Answer::Beat { .. } | Answer::Lost(_) => {}
        }
    }

    /// Tells the target that a shard is free, if there is a link.
    fn announce(&mut self, of: usize, shard: Shard) {
        let process = &self.all[of];
        let Some(to) = process.planner.target(shard).filter(|to| **to != process.id).cloned() else { return };
        if matches!(process.links.get(&to), Some(LinkState::Up { .. })) {
            let (to, span) = (self.index(&to), self.within(MS, 5 * MS));
            if !self.all[to].is_dead() {
                self.hint(to, span);
            }
        }
    }

    /// Links to members that have just come in sight; none to those that have left.
    fn dial(&mut self, of: usize) {
        let (look, _) = self.all[of].look.clone().expect("it has just looked");
        let process = &self.all[of];
        let strangers: Vec<NodeId> =
            look.members().into_iter().filter(|id| *id != process.id && !process.links.contains_key(id)).collect();
        for id in strangers {
            let span = self.chance.below(300 * MS);
            let to = self.index(&id);
            self.after(span, Event::Link(of, to));
        }
    }

    fn forget(&mut self, of: usize, shard: Shard) {
        self.all[of].mine.remove(&shard);
        if let Some(holders) = self.holders.get_mut(&shard) {
            holders.remove(&of);
        }
    }

    pub fn plan(&mut self, of: usize) {
        let Some((look, at)) = self.all[of].look.clone() else { return };
        let speed = if self.has(Bug::NoPatience) { 100 } else { 1 };
        let forgets = self.has(Bug::ForgetsClosing);
        let process = &mut self.all[of];
        process.plans.retain(|due| *due > self.now);
        let clock = process.clock(self.now) * speed;
        let mut mine = process.mine.clone();
        if forgets {
            mine.values_mut().for_each(|holding| holding.closing = false);
        }
        let (planner, links) = (&mut process.planner, &process.links);
        let steps = look.seen(&process.id, at, &self.database.bugs, |view| planner.plan(clock, view, &mine, links));
        look.keep(&mut process.links);
        for step in steps {
            match step {
                Step::Claim(shards) => self.claims(of, shards),
                Step::HandOver { shard, to } => self.hands_over(of, shard, &to),
                Step::Lost(shards) if !self.has(Bug::DeafToLoss) => {
                    shards.into_iter().for_each(|shard| self.forget(of, shard));
                }
                Step::Lost(_) => {}
                Step::Bury(node) => self.ask(of, Ask::Bury(node)),
            }
        }
        let process = &self.all[of];
        if process.planner.standing(process.draining) != process.said {
            self.hint(of, 0);
        }
    }

    fn claims(&mut self, of: usize, shards: Vec<Shard>) {
        let process = &mut self.all[of];
        let wanted: Vec<Shard> = shards.into_iter().filter(|shard| process.claiming.insert(*shard)).collect();
        let held = |shard: &Shard| process.mine.get(shard).map_or(0, |holding| holding.epoch);
        let asked: Vec<(Shard, u64)> = wanted.iter().map(|shard| (*shard, held(shard))).collect();
        if !asked.is_empty() {
            self.ask(of, Ask::Claim(asked));
        }
    }

    fn hands_over(&mut self, of: usize, shard: Shard, to: &NodeId) {
        let (fit, draining) = (self.all[of].planner.is_fit(), self.all[of].draining);
        let row = self.database.row(shard).clone();
        let held = Duration::from_micros(self.now - row.since);
        // It may be another's by now: then nothing comes of it.
        let own = self.all[of].mine.get(&shard).is_some_and(|holding| holding.epoch == row.epoch);
        if fit && !draining && own && held < HOLD {
            self.ledger.fault(self.now, &format!("{shard:?} was moved after {held:?}"));
        }
        if *to == self.all[of].id {
            self.ledger.fault(self.now, &format!("{shard:?} was handed over to its own node"));
        }
        let holding = self.all[of].mine.get_mut(&shard).expect("only what is held is planned to go");
        holding.closing = true;
        let epoch = holding.epoch;
        let closing = self.all[of].mine.values().filter(|holding| holding.closing).count();
        self.ledger.closing_most = self.ledger.closing_most.max(closing);
        if closing > CLOSING_MAX {
            self.ledger.fault(self.now, &format!("{closing} shards close at once"));
        }
        self.ledger.lies(self.now, shard, Cause::Moved);
        let sticks = self.chance.percent(self.sticky);
        let span = if sticks { self.within(S, 5 * S) } else { self.within(20 * MS, 200 * MS) };
        self.after(span, Event::Drained(of, shard, epoch));
    }
}
