//! People who are not where their phones say: what they send, so that what it earns them can be measured.
//!
//! Each ruse is one that a fake-location app offers. Promise: pure, and decided by the generator passed in; readings
//! rise in time and number like an honest phone's, so that nothing but the ruse gives a spoofer away.

use super::{LonLat, Reading};
use crate::units::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;

/// What a spoofer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ruse {
    /// From place to place in no time, a fix at each.
    Hop,
    /// Straight over the roofs from place to place, at 25 to 45 m/s.
    Rush,
    /// At a walking pace in equal steps at equal times, claimed to the metre: a script.
    Perfect,
    /// A plausible walk, on a phone that admits that another app made it up.
    Mock,
}

impl Ruse {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hop, Self::Rush, Self::Perfect, Self::Mock];

    /// Its name, for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hop => "hop",
            Self::Rush => "rush",
            Self::Perfect => "perfect",
            Self::Mock => "mock",
        }
    }
}

/// Meters a second of someone made up who walks.
const WALK: f64 = 1.4;

/// Someone who pretends to go from one haunt to the next, round and round.
#[derive(Debug, Clone)]
pub struct Spoofer {
    ruse: Ruse,
    haunts: Vec<LonLat>,
    /// The haunt now gone to.
    next: usize,
    at: LonLat,
    speed: f64,
    rng: StdRng,
    last: Option<Timestamp>,
    seq: u64,
}

impl Spoofer {
    /// One that goes to these places; without any it stays at 0, 0.
    pub fn new(ruse: Ruse, haunts: Vec<LonLat>, mut rng: StdRng) -> Self {
        let speed = if ruse == Ruse::Rush { rng.random_range(25.0..45.0) } else { WALK };
        let at = haunts.first().copied().unwrap_or(LonLat::new(0.0, 0.0));
        Self { ruse, haunts, next: 1, at, speed, rng, last: None, seq: 0 }
    }

    /// What it is at.
    pub fn ruse(&self) -> Ruse {
        self.ruse
    }

    /// What its phone says at `now`, which must not go back.
    pub fn observe(&mut self, now: Timestamp) -> Reading {
        let passed = self.last.map_or(0.0, |last| now.since(last).as_secs_f64());
        self.last = Some(now);
        if self.ruse == Ruse::Hop {
            self.at = self.target();
            self.next += 1;
        } else {
            self.go(self.speed * passed);
        }
        self.seq += 1;
        let (at, accuracy_m, speed) = match self.ruse {
            Ruse::Perfect => (self.at, 5.0, self.speed),
            Ruse::Hop | Ruse::Rush | Ruse::Mock => {
                // As an app does that wants to look like a phone.
                let mut shake = |size: f64| self.rng.random_range(-size..size);
                (self.at.moved_by(shake(3.0), shake(3.0)), 6.0 + shake(1.0), (WALK + shake(0.3)).max(0.0))
            }
        };
        Reading {
            lat: at.lat,
            lon: at.lon,
            accuracy_m,
            time: now,
            seq: self.seq,
            // Who rushes says that they walk.
            speed_mps: Some(speed.min(WALK + 0.3)),
            mock: self.ruse == Ruse::Mock,
        }
    }

    fn target(&self) -> LonLat {
        let count = self.haunts.len().max(1);
        self.haunts.get(self.next % count).copied().unwrap_or(self.at)
    }

    /// Goes so many meters in straight lines.
    fn go(&mut self, mut meters: f64) {
        // As many haunts at most as there are: those that lie on one another would never end.
        for _ in 0..=self.haunts.len() {
            let target = self.target();
            let (east, north) = self.at.offset_to(target);
            let gap = east.hypot(north);
            if gap > meters {
                self.at = self.at.moved_by(east * meters / gap, north * meters / gap);
                return;
            }
            (self.at, meters) = (target, meters - gap);
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// A minute and a half of a ruse between two places 800 m apart.
    fn told(ruse: Ruse) -> Vec<Reading> {
        let home = LonLat::new(24.94, 60.17);
        let mut spoofer = Spoofer::new(ruse, vec![home, home.moved_by(800.0, 0.0)], StdRng::seed_from_u64(7));
        (0..90).map(|second| spoofer.observe(Timestamp::from_millis(second * 1_000))).collect()
    }

    fn steps(readings: &[Reading]) -> Vec<f64> {
        readings.windows(2).map(|pair| pair[0].at().meters_to(pair[1].at())).collect()
    }

    #[test]
    fn each_ruse_is_what_its_name_says() {
        assert!(steps(&told(Ruse::Hop)).iter().all(|step| (780.0..820.0).contains(step)));
        let rush = steps(&told(Ruse::Rush));
        assert!(rush.iter().filter(|step| **step > 15.0).count() > 80, "{rush:?}");
        assert!(steps(&told(Ruse::Perfect)).iter().all(|step| (step - WALK).abs() < 0.01));
        assert!(told(Ruse::Mock).iter().all(|reading| reading.mock));
        assert!(Ruse::ALL.iter().filter(|ruse| **ruse != Ruse::Mock).all(|ruse| !told(*ruse)[0].mock));
    }

    #[test]
    fn times_and_numbers_rise_like_those_of_an_honest_phone() {
        for ruse in Ruse::ALL {
            let rises = |pair: &[Reading]| pair[0].time < pair[1].time && pair[0].seq + 1 == pair[1].seq;
            assert!(told(ruse).windows(2).all(rises), "{}", ruse.name());
        }
        let mut nowhere = Spoofer::new(Ruse::Rush, Vec::new(), StdRng::seed_from_u64(1));
        assert!(nowhere.observe(Timestamp::from_millis(0)).at().is_on_earth());
    }
}
