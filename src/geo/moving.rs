//! Fences that move: who is near whom, with memory, from the fixes of both.
//!
//! A pair is near when both circles of error say so, and apart again only some way beyond, so that two people at the
//! very distance are not told together and apart all day. With d metres between two fixes of accuracies a1 and a2,
//! the probability of being within r is p = Phi(1.515 (r - d) / sqrt(a1^2 + a2^2)), where the older fix's accuracy
//! grows by a metre for each second that it is older. *Near*: p >= 0.75 twice in a row, or once >= 0.95. *Apart*:
//! beyond r + max(10 m, a1 + a2) twice in a row, or once if it is beyond that with 0.95. A centre that has not been
//! heard of for 60 s suspends the pair; when it comes back near, it is told as near already, not as a new meeting.
//!
//! Two fixes of one time are judged together, so it does not matter which comes first; that holds while each phone
//! sends at least every 5 s. From then on a silent phone's last fix is judged against each fix of the other.
//! Promises: late and repeated fixes change nothing; an answer's cost and memory grow with a player's neighbours, not
//! with all; every transition carries its evidence and no coordinates.

use super::metric::earth_centered;
use super::position::{Fix, Position};
use crate::ids::{PlayerId, TeamId};
use crate::units::{Meters, Timestamp};
pub use pair::{Meeting, MeetingKind, MeetingWhy};
use pair::{Pair, State, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

mod pair;

/// Silence after which a player is no centre and near nobody.
pub const STALE: Duration = Duration::from_secs(60);
/// Silence after which a fix is judged against the other's last one instead of waiting for its next.
pub const PACE: Duration = Duration::from_secs(5);
/// Least accurate fix that decides anything.
pub const ACCURACY_MAX: Meters = Meters::lossy(100.0);
/// Most movers at once, as many as a large event has phones; a new one then takes the place of a stale one, or waits.
pub const MOVERS_MAX: usize = 100_000;
/// Most players that one is judged against at a time: a full team; of a crowd the others do not count.
pub const MATES_MAX: usize = 64;
/// How far one must be beyond the radius, at least, to be apart.
const MARGIN_MIN: f64 = 10.0;
/// Metres for each second that one fix of a pair is older: a stroll.
const DRIFT: f64 = 1.0;

/// When a pair is near, and who is a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MovingRules {
    /// How near is near: 10 m at least, since no phone can tell less.
    pub within: Meters,
    /// Tells once when a pair has been near for so long.
    pub stay: Option<Duration>,
    /// Whether only members of one team are pairs.
    pub team_mates: bool,
}

/// Why a fix was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// Not newer than the player's last one.
    Late,
    /// Too vague to decide anything.
    Vague,
    /// There are as many movers as can be.
    Full,
}

/// A player as last seen.
struct Mover {
    team: Option<TeamId>,
    place: Position,
    accuracy: f64,
    time: Timestamp,
    cell: Cell,
    mates: BTreeSet<PlayerId>,
}

/// A cube of space, with sides as long as the radius: no edge at the antimeridian, none at the poles.
type Cell = [i32; 3];

fn key(one: &PlayerId, other: &PlayerId) -> (PlayerId, PlayerId) {
    if one < other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

/// The memory of everybody who moves.
pub struct MovingFences {
    rules: MovingRules,
    movers: BTreeMap<PlayerId, Mover>,
    cells: BTreeMap<Cell, BTreeSet<PlayerId>>,
    /// Movers by the time of their last fix, so that a stale one is found at once.
    ages: BTreeSet<(Timestamp, PlayerId)>,
    pairs: BTreeMap<(PlayerId, PlayerId), Pair>,
    movers_max: usize,
}

impl MovingFences {
    /// Nobody moves yet.
    pub fn new(rules: MovingRules) -> Self {
        let within = Meters::lossy(rules.within.get().max(MARGIN_MIN));
        let rules = MovingRules { within, ..rules };
        let (movers, cells, ages, pairs) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { rules, movers, cells, ages, pairs, movers_max: MOVERS_MAX }
    }

    /// How many movers are remembered.
    pub fn len(&self) -> usize {
        self.movers.len()
    }

    /// Whether nobody moves.
    pub fn is_empty(&self) -> bool {
        self.movers.is_empty()
    }

    /// Takes a fix of a player that a gate has let through. Transitions come in the order of their pairs.
    pub fn observe(&mut self, player: &PlayerId, team: Option<&TeamId>, fix: &Fix) -> Result<Vec<Meeting>, Unheard> {
        if fix.believed_accuracy() > ACCURACY_MAX {
            return Err(Unheard::Vague);
        }
        let time = fix.time();
        let before = self.movers.get(player).map(|mover| (mover.time, mover.team.as_ref() == team));
        let mut told = Vec::new();
        let fresh = match before {
            Some((last, _)) if time <= last => return Err(Unheard::Late),
            Some((last, true)) => time.since(last) > STALE,
            Some((_, false)) | None => true,
        };
        match before {
            Some((_, true)) if fresh => self.part(player, Some(&mut told)),
            Some((_, false)) => self.forget(player),
            None if self.movers.len() >= self.movers_max => self.make_room(time)?,
            Some(_) | None => {}
        }
        self.place(player, team, fix);
        let mut others = self.around(player, time);
        others.extend(self.movers.get(player).into_iter().flat_map(|mover| mover.mates.iter().cloned()));
        for other in &others {
            self.judge(player, other, fresh, &mut told);
        }
        told.sort_by(|a, b| a.pair.cmp(&b.pair));
        Ok(told)
    }

    /// What time alone decides: stays that are long enough, and pairs of whom one is not heard of any more.
    pub fn tick(&mut self, time: Timestamp) -> Vec<Meeting> {
        let mut told = Vec::new();
        let mut stale = Vec::new();
        for (key, pair) in &mut self.pairs {
            let (a, b) = pair.why.times;
            if time.since(a.min(b)) > STALE {
                stale.push(key.clone());
            } else {
                pair.stay(key, time, self.rules.stay, &mut told);
            }
        }
        for key in stale {
            self.drop_pair(&key, Some(&mut told));
        }
        told.sort_by(|a, b| a.pair.cmp(&b.pair));
        told
    }

    /// Forgets a player who has left, silently.
    pub fn forget(&mut self, player: &PlayerId) {
        self.part(player, None);
        if let Some(mover) = self.movers.remove(player) {
            self.ages.remove(&(mover.time, player.clone()));
            self.leave_cell(mover.cell, player);
        }
    }

    /// Whom a player is near now, and since when.
    pub fn near(&self, player: &PlayerId) -> impl Iterator<Item = (&PlayerId, Timestamp)> {
        let mates = self.movers.get(player).into_iter().flat_map(|mover| &mover.mates);
        mates.filter_map(move |mate| match self.pairs.get(&key(player, mate))?.state {
            State::Near { since, .. } => Some((mate, since)),
            State::Unknown | State::Apart => None,
        })
    }

    /// Which members of a team a player is near now, and since when: near a team is near any of it.
    pub fn near_team(&self, player: &PlayerId, team: &TeamId) -> impl Iterator<Item = (&PlayerId, Timestamp)> {
        self.near(player)
            .filter(move |(mate, _)| self.movers.get(*mate).is_some_and(|mover| mover.team.as_ref() == Some(team)))
    }

    /// Whom a player has been near for as long as was asked for, since when, and on what last evidence; all who are
    /// near when no stay was asked for.
    pub fn stayed_with(&self, player: &PlayerId) -> impl Iterator<Item = (&PlayerId, Timestamp, MeetingWhy)> {
        let mates = self.movers.get(player).into_iter().flat_map(|mover| &mover.mates);
        mates.filter_map(move |mate| {
            let pair = self.pairs.get(&key(player, mate))?;
            match pair.state {
                State::Near { since, stayed } if stayed || self.rules.stay.is_none() => Some((mate, since, pair.why)),
                State::Near { .. } | State::Unknown | State::Apart => None,
            }
        })
    }

    /// Removes the mover that has been silent for longest, if it is stale.
    fn make_room(&mut self, time: Timestamp) -> Result<(), Unheard> {
        let oldest = self.ages.first().filter(|(last, _)| time.since(*last) > STALE);
        let player = oldest.map(|(_, player)| player.clone()).ok_or(Unheard::Full)?;
        self.forget(&player);
        Ok(())
    }

    fn place(&mut self, player: &PlayerId, team: Option<&TeamId>, fix: &Fix) {
        let (place, time) = (*fix.position(), fix.time());
        let cell = self.cell(&place);
        let before = self.movers.remove(player);
        if let Some(before) = &before {
            self.ages.remove(&(before.time, player.clone()));
            if before.cell != cell {
                self.leave_cell(before.cell, player);
            }
        }
        self.cells.entry(cell).or_default().insert(player.clone());
        self.ages.insert((time, player.clone()));
        let mates = before.map(|before| before.mates).unwrap_or_default();
        let accuracy = fix.believed_accuracy().get();
        self.movers.insert(player.clone(), Mover { team: team.cloned(), place, accuracy, time, cell, mates });
    }

    fn cell(&self, place: &Position) -> Cell {
        let (x, y, z) = earth_centered(place.lon(), place.lat());
        // 6.4e6 m in sides of 10 m or more: far within 32 bits.
        [x, y, z].map(|metres| (metres / self.rules.within.get()).floor() as i32)
    }

    fn leave_cell(&mut self, cell: Cell, player: &PlayerId) {
        if let Some(there) = self.cells.get_mut(&cell) {
            there.remove(player);
            if there.is_empty() {
                self.cells.remove(&cell);
            }
        }
    }

    /// Who could be within the radius of a player: of the 27 cubes round it, those heard of lately.
    fn around(&self, player: &PlayerId, time: Timestamp) -> BTreeSet<PlayerId> {
        let Some(mover) = self.movers.get(player) else { return BTreeSet::new() };
        let [x, y, z] = mover.cell;
        let columns = (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| (x, y)));
        let cells = columns.flat_map(|(x, y)| self.cells.range([x, y, z - 1]..=[x, y, z + 1]));
        let fits = |other: &&PlayerId| {
            let other = self.movers.get(*other);
            other.is_some_and(|other| {
                let pairs = !self.rules.team_mates || (other.team.is_some() && other.team == mover.team);
                pairs && time.since(other.time) <= STALE
            })
        };
        let all = cells.flat_map(|(_, there)| there).filter(|other| *other != player);
        all.filter(fits).take(MATES_MAX).cloned().collect()
    }

    /// Judges a player's new fix against another's last one, if it is time to.
    fn judge(&mut self, player: &PlayerId, other: &PlayerId, fresh: bool, told: &mut Vec<Meeting>) {
        let (Some(here), Some(there)) = (self.movers.get(player), self.movers.get(other)) else { return };
        let key = key(player, other);
        let gap = here.time.since(there.time);
        if gap > STALE {
            return self.drop_pair(&key, Some(told));
        }
        let verdict = if key.0 == *player { self.verdict(here, there) } else { self.verdict(there, here) };
        let (time, other_time) = (here.time.max(there.time), there.time);
        let beside = here.cell.iter().zip(there.cell).all(|(a, b)| a.abs_diff(b) <= 1);
        if !self.pairs.contains_key(&key) {
            if here.mates.len() >= MATES_MAX || there.mates.len() >= MATES_MAX {
                return;
            }
            let state = if fresh { State::Unknown } else { State::Apart };
            self.pairs.insert(key.clone(), Pair { state, streak: 0, judged: other_time, why: verdict.why });
            self.movers.entry(player.clone()).and_modify(|mover| _ = mover.mates.insert(other.clone()));
            self.movers.entry(other.clone()).and_modify(|mover| _ = mover.mates.insert(player.clone()));
        }
        let Some(pair) = self.pairs.get_mut(&key) else { return };
        if !gap.is_zero() && gap <= PACE && other_time <= pair.judged {
            // The other's next fix will be judged against this one.
            return;
        }
        pair.judged = time;
        pair.step(&key, verdict, time, self.rules.stay, told);
        if pair.state == State::Apart && pair.streak == 0 && !beside {
            self.drop_pair(&key, None);
        }
    }

    /// The distance of two movers, in the order of their pair.
    fn verdict(&self, a: &Mover, b: &Mover) -> Verdict {
        let distance = a.place.distance(&b.place).get();
        let newest = a.time.max(b.time);
        let drifted = |mover: &Mover| mover.accuracy + DRIFT * newest.since(mover.time).as_secs_f64();
        let both = drifted(a).hypot(drifted(b));
        let within = self.rules.within.get();
        let outer = within + MARGIN_MIN.max(a.accuracy + b.accuracy);
        let accuracy = (Meters::lossy(a.accuracy), Meters::lossy(b.accuracy));
        Verdict::of(distance, both, (within, outer), accuracy, (a.time, b.time))
    }

    /// Ends all pairs of a player; those that were near are told as suspended, if anyone is to be told.
    fn part(&mut self, player: &PlayerId, mut told: Option<&mut Vec<Meeting>>) {
        let mates = self.movers.get(player).map(|mover| mover.mates.clone()).unwrap_or_default();
        for mate in mates {
            self.drop_pair(&key(player, &mate), told.as_deref_mut());
        }
    }

    fn drop_pair(&mut self, key: &(PlayerId, PlayerId), told: Option<&mut Vec<Meeting>>) {
        let Some(pair) = self.pairs.remove(key) else { return };
        for (one, other) in [(&key.0, &key.1), (&key.1, &key.0)] {
            if let Some(mover) = self.movers.get_mut(one) {
                mover.mates.remove(other);
            }
        }
        if let (State::Near { .. }, Some(told)) = (pair.state, told) {
            let why = MeetingWhy { rule: "stale", ..pair.why };
            told.push(Meeting { pair: key.clone(), kind: MeetingKind::Suspended, why });
        }
    }
}

#[cfg(test)]
mod tests;
