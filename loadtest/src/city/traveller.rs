//! One body in the town and the phone that it carries: who walks where, how, and what the phone says of it.
//!
//! The model of phones, gaits and ruses is the library's (`waystone::walk`), the same that the demo and the tests use.
//! This file only says who is who: of a hundred players so many run, ride, keep the phone in a pocket or cheat.

use super::town::Town;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::sync::Arc;
use std::time::Duration;
use waystone::units::Timestamp;
use waystone::walk::{Gait, LonLat, NoiseModel, Reading, Ruse, Spoofer, Track, Walker};

/// How long someone stands at a place before going on, in seconds: people read, talk, take a photo.
const LINGER: std::ops::Range<f64> = 5.0..15.0;

/// Who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Walks, in one of the gaits and with one of the phones.
    Honest,
    /// Is not where the phone says.
    Spoofer(Ruse),
    /// Replays a recorded track.
    Recorded,
}

/// Who is who, by the number of the team: in every twenty-fifth team one is a spoofer by itself, the ruses in turn.
pub fn kind_of(team: u32, tracks: bool) -> Kind {
    match team % 25 {
        12 => {
            let turn = (team / 25) as usize % Ruse::ALL.len();
            Kind::Spoofer(Ruse::ALL[turn])
        }
        24 if tracks => Kind::Recorded,
        _ => Kind::Honest,
    }
}

/// Someone under way.
#[derive(Debug)]
pub enum Traveller {
    /// Honest.
    Walks(Box<Walks>),
    /// Not honest.
    Spoofs(Box<Spoofer>),
    /// A recording: the readings, and the next.
    Replays(Arc<Track>, usize),
}

/// Someone who walks from place to place.
#[derive(Debug)]
pub struct Walks {
    town: Arc<Town>,
    walker: Walker,
    gait: Gait,
    /// Tells this one from the next.
    share: f64,
    /// Where it goes to.
    heads_for: usize,
    /// Decides each next place; the same for two who walk together.
    turns: StdRng,
    lingers: f64,
    clock: f64,
}

impl Traveller {
    /// A player: `pair` is the same number for two who walk together.
    pub fn honest(town: &Arc<Town>, seed: u64, pair: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut turns = StdRng::seed_from_u64(pair);
        // Of a pair both must get there about the same time, so the gait is the pair's.
        let gait = match turns.random_range(0..100) {
            0..6 => Gait::Sprint,
            6..10 => Gait::Tram,
            _ => Gait::Stroll,
        };
        let noise = match rng.random_range(0..100) {
            0..8 => NoiseModel::pocket(),
            8..14 => NoiseModel::canyon(),
            _ => NoiseModel::phone(),
        };
        let from = turns.random_range(0..town.places().len().max(1));
        let (heads_for, way) = town.next(from, turns.random_range(0..64));
        let (share, far) = (turns.random::<f64>(), turns.random::<f64>() * 240.0);
        let start = town.places().get(from).copied().unwrap_or(LonLat::new(0.0, 0.0));
        let mut walker = Walker::new(start, gait.speed_at(share, 0.0), noise, rng);
        walker.walk_to(way.to_vec());
        // Somewhere on the way, else all would arrive at the same time.
        walker.set_speed(waystone::units::MetersPerSecond::lossy(1.0));
        walker.advance(Duration::from_secs_f64(far));
        let lingers = turns.random_range(LINGER);
        let walks = Walks { town: Arc::clone(town), walker, gait, share, heads_for, turns, lingers, clock: 0.0 };
        Self::Walks(Box::new(walks))
    }

    /// A spoofer, who claims to be at all places, the far ones after one another.
    pub fn spoofer(town: &Town, seed: u64, ruse: Ruse) -> Self {
        let count = town.places().len().max(1);
        let half = count / 2;
        let haunts = (0..count).map(|n| town.places()[if n % 2 == 0 { n / 2 } else { (n / 2 + half) % count }]);
        Self::Spoofs(Box::new(Spoofer::new(ruse, haunts.collect(), StdRng::seed_from_u64(seed))))
    }

    /// What the phone sends after another so long span, at a time; times are the phone's own.
    pub fn observe(&mut self, span: Duration, now: Timestamp) -> Vec<Reading> {
        match self {
            Self::Walks(walks) => walks.observe(span, now),
            Self::Spoofs(spoofer) => vec![spoofer.observe(now)],
            Self::Replays(track, next) => {
                let count = track.readings.len().max(1);
                let reading = track.readings.get(*next % count).copied();
                *next += 1;
                let seq = *next as u64;
                reading.map(|reading| Reading { time: now, seq, ..reading }).into_iter().collect()
            }
        }
    }
}

impl Walks {
    fn observe(&mut self, span: Duration, now: Timestamp) -> Vec<Reading> {
        self.clock += span.as_secs_f64();
        self.walker.set_speed(self.gait.speed_at(self.share, self.clock));
        if self.walker.is_there() {
            self.lingers -= span.as_secs_f64();
            if self.lingers <= 0.0 {
                let (next, way) = self.town.next(self.heads_for, self.turns.random_range(0..64));
                self.heads_for = next;
                self.lingers = self.turns.random_range(LINGER);
                self.walker.walk_to(way.to_vec());
            }
        }
        self.walker.advance(span);
        self.walker.observe(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_a_pair_go_the_same_way_and_come_by_places() {
        let town = Arc::new(Town::build(None, 12, 3).expect("a town"));
        let [mut one, mut two] = [1, 2].map(|seed| Traveller::honest(&town, seed, 9));
        let (mut together, mut visited) = (0, std::collections::BTreeSet::new());
        for second in 0..900_i64 {
            let now = Timestamp::from_millis(second * 1_000);
            for traveller in [&mut one, &mut two] {
                drop(traveller.observe(Duration::from_secs(1), now));
            }
            let (Traveller::Walks(one), Traveller::Walks(two)) = (&one, &two) else { panic!("they walk") };
            together += u32::from(one.walker.position().meters_to(two.walker.position()) < 1.0);
            visited.extend((0..12).filter(|place| town.places()[*place].meters_to(one.walker.position()) < 25.0));
        }
        assert_eq!(together, 900, "the error is the phones', not the walkers'");
        assert!(visited.len() >= 3, "{visited:?}");
    }

    #[test]
    fn spoofers_of_every_kind_are_among_many() {
        let kinds: std::collections::BTreeSet<Kind> = (0..200).map(|team| kind_of(team, true)).collect();
        assert_eq!(kinds.len(), 1 + 1 + Ruse::ALL.len());
        assert!((0..200).all(|team| kind_of(team, false) != Kind::Recorded));
    }
}
