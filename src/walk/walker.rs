//! One make-believe player: walks a path at a speed, and sees itself through a phone that errs as real ones do.
//!
//! Fences that work only with perfect positions work only in tests. The noise has the traits that break naive rules:
//! errors that persist for seconds (not fresh dice each second), an accuracy that is roughly but not always honest,
//! jumps off tall walls, silence in tunnels with a batch after it, and a clock that is a little off.
//! Promise: pure and decided by the generator passed in; the queue of a silent phone is bounded by [`HELD_MAX`].

use super::{LonLat, Reading};
use crate::units::{MetersPerSecond, Timestamp};
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// The most readings a phone holds while it has no net: the longest gap of 90 s at one a second, or one of 30 s at four,
/// and a little.
pub const HELD_MAX: usize = 128;

/// The 68 % radius of a round normal error, in standard deviations of one axis: sqrt(-2 ln 0.32).
const RADIUS_68: f64 = 1.509_6;

/// How a phone errs. Ranges are drawn from evenly, once a walker or once an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseModel {
    /// Standard deviation of the error on each axis, in meters; drawn once for each phone.
    pub sigma_m: Range<f64>,
    /// How long an error lasts: after this time it is forgotten to 1/e.
    pub correlation: Duration,
    /// The bounds of the accuracy that is reported in quiet times, in meters.
    pub accuracy_m: Range<f64>,
    /// Jumps away from the truth.
    pub outliers: Outliers,
    /// Times without net.
    pub gaps: Gaps,
    /// How far the phone's clock may be off, in milliseconds either way; drawn once for each phone.
    pub clock_off_ms: i64,
    /// Standard deviation of the reported speed's error, in meters per second.
    pub speed_sigma: f64,
}

/// Jumps of the position, as by a signal that came over a wall.
#[derive(Debug, Clone, PartialEq)]
pub struct Outliers {
    /// How many begin in an hour, on average.
    pub per_hour: f64,
    /// How far they throw the position, in meters.
    pub meters: Range<f64>,
    /// How long they last, in seconds.
    pub seconds: Range<f64>,
    /// The share of them in which the phone admits a bad accuracy.
    pub honest: f64,
}

/// Times in which nothing gets through; what was measured meanwhile comes as one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaps {
    /// How many begin in an hour, on average.
    pub per_hour: f64,
    /// How long they last, in seconds.
    pub seconds: Range<f64>,
}

impl NoiseModel {
    /// A current phone in a city, carried by a person on foot.
    pub fn phone() -> Self {
        Self {
            sigma_m: 4.0..6.0,
            correlation: Duration::from_secs(20),
            accuracy_m: 5.0..12.0,
            outliers: Outliers { per_hour: 6.0, meters: 25.0..100.0, seconds: 2.0..6.0, honest: 0.85 },
            gaps: Gaps { per_hour: 3.0, seconds: 10.0..30.0 },
            clock_off_ms: 1_500,
            speed_sigma: 0.2,
        }
    }

    /// The same phone while its app is in the background: the system wakes it about each minute, and what was measured
    /// meanwhile comes as one batch.
    pub fn pocket() -> Self {
        Self { gaps: Gaps { per_hour: 240.0, seconds: 25.0..60.0 }, ..Self::phone() }
    }

    /// A cheap phone between tall houses, of someone who takes the metro now and then.
    pub fn canyon() -> Self {
        Self {
            sigma_m: 6.0..10.0,
            accuracy_m: 8.0..40.0,
            outliers: Outliers { per_hour: 30.0, meters: 30.0..100.0, seconds: 2.0..8.0, honest: 0.7 },
            gaps: Gaps { per_hour: 10.0, seconds: 20.0..90.0 },
            clock_off_ms: 5_000,
            ..Self::phone()
        }
    }

    /// No error at all and 5 m reported, for tests of other things. The plausibility rules call this too perfect.
    pub fn none() -> Self {
        Self {
            sigma_m: 0.0..0.0,
            correlation: Duration::from_secs(20),
            accuracy_m: 5.0..5.0,
            outliers: Outliers { per_hour: 0.0, meters: 0.0..0.0, seconds: 0.0..0.0, honest: 1.0 },
            gaps: Gaps { per_hour: 0.0, seconds: 0.0..0.0 },
            clock_off_ms: 0,
            speed_sigma: 0.0,
        }
    }
}

/// A player on foot and the phone in the pocket.
#[derive(Debug, Clone)]
pub struct Walker {
    at: LonLat,
    speed: MetersPerSecond,
    path: Vec<LonLat>,
    /// The index in `path` of the point now walked to.
    next: usize,
    moving: bool,
    phone: Phone,
}

impl Walker {
    /// Someone who stands at `at`; the generator decides everything that chance decides.
    pub fn new(at: LonLat, speed: MetersPerSecond, noise: NoiseModel, rng: StdRng) -> Self {
        Self { at, speed, path: Vec::new(), next: 0, moving: false, phone: Phone::new(noise, rng) }
    }

    /// Where the walker truly is.
    pub fn position(&self) -> LonLat {
        self.at
    }

    /// Changes the pace from now on.
    pub fn set_speed(&mut self, speed: MetersPerSecond) {
        self.speed = speed;
    }

    /// Forgets the old path and walks this one, from the present position.
    pub fn walk_to(&mut self, path: Vec<LonLat>) {
        self.path = path;
        self.next = 0;
    }

    /// Whether the path is walked to its end (or there is none).
    pub fn is_there(&self) -> bool {
        self.next >= self.path.len()
    }

    /// How many meters of path lie ahead.
    pub fn meters_left(&self) -> f64 {
        let ahead = self.path.get(self.next..).unwrap_or_default();
        let mut from = self.at;
        ahead.iter().map(|to| std::mem::replace(&mut from, *to).meters_to(*to)).sum()
    }

    /// Walks on for `span`.
    pub fn advance(&mut self, span: Duration) {
        let mut budget = self.speed.get() * span.as_secs_f64();
        self.moving = !self.is_there() && budget > 0.0;
        while budget > 0.0
            && let Some(target) = self.path.get(self.next)
        {
            let gap = self.at.meters_to(*target);
            if gap <= budget {
                self.at = *target;
                self.next += 1;
            } else {
                let share = budget / gap;
                let step = |from: f64, to: f64| from + (to - from) * share;
                self.at = LonLat::new(step(self.at.lon, target.lon), step(self.at.lat, target.lat));
            }
            budget -= gap;
        }
    }

    /// What reaches the server at `now`: one reading, none in a gap, or the batch that a gap held back.
    ///
    /// `now` is the true time and must not go back; the readings carry the phone's own.
    pub fn observe(&mut self, now: Timestamp) -> Vec<Reading> {
        let speed = if self.moving { self.speed.get() } else { 0.0 };
        self.phone.observe(self.at, speed, now)
    }
}

/// What stands between the truth and a reading.
#[derive(Debug, Clone)]
struct Phone {
    noise: NoiseModel,
    rng: StdRng,
    sigma: f64,
    clock_off_ms: i64,
    /// The present error in meters, east and north; wanders as a Gauss-Markov process.
    error: (f64, f64),
    outlier: Option<Outlier>,
    silent_until: Option<Timestamp>,
    held: VecDeque<Reading>,
    last: Option<Timestamp>,
    seq: u64,
}

#[derive(Debug, Clone, Copy)]
struct Outlier {
    offset: (f64, f64),
    admitted: bool,
    until: Timestamp,
}

impl Phone {
    fn new(noise: NoiseModel, mut rng: StdRng) -> Self {
        let sigma = within(&mut rng, &noise.sigma_m);
        let clock_off_ms =
            rng.random_range(-noise.clock_off_ms.saturating_abs()..=noise.clock_off_ms.saturating_abs());
        let error = (sigma * normal(&mut rng), sigma * normal(&mut rng));
        let held = VecDeque::new();
        Self { noise, rng, sigma, clock_off_ms, error, outlier: None, silent_until: None, held, last: None, seq: 0 }
    }

    fn observe(&mut self, truth: LonLat, speed: f64, now: Timestamp) -> Vec<Reading> {
        let passed = self.last.map_or(0.0, |last| now.since(last).as_secs_f64());
        self.last = Some(now);
        self.wander(passed);
        self.maybe_start_outlier(passed, now);
        self.maybe_fall_silent(passed, now);
        let reading = self.measure(truth, speed, now);
        if self.held.len() == HELD_MAX {
            self.held.pop_front();
        }
        self.held.push_back(reading);
        if self.silent_until.is_some() { Vec::new() } else { self.held.drain(..).collect() }
    }

    /// One step of the exact discrete form of a first-order Gauss-Markov process, so any step length is right.
    fn wander(&mut self, passed: f64) {
        let kept = (-passed / self.noise.correlation.as_secs_f64().max(0.001)).exp();
        let fresh = self.sigma * (1.0 - kept * kept).max(0.0).sqrt();
        let (east, north) = self.error;
        self.error = (kept * east + fresh * normal(&mut self.rng), kept * north + fresh * normal(&mut self.rng));
    }

    fn maybe_start_outlier(&mut self, passed: f64, now: Timestamp) {
        if self.outlier.is_some_and(|outlier| outlier.until <= now) {
            self.outlier = None;
        }
        if self.outlier.is_none() && happens(&mut self.rng, self.noise.outliers.per_hour, passed) {
            let meters = within(&mut self.rng, &self.noise.outliers.meters);
            let angle = within(&mut self.rng, &(0.0..std::f64::consts::TAU));
            let lasts = within(&mut self.rng, &self.noise.outliers.seconds);
            let admitted = self.rng.random::<f64>() < self.noise.outliers.honest;
            let offset = (meters * angle.cos(), meters * angle.sin());
            self.outlier = Some(Outlier { offset, admitted, until: now + seconds(lasts) });
        }
    }

    fn maybe_fall_silent(&mut self, passed: f64, now: Timestamp) {
        if self.silent_until.is_some_and(|until| until <= now) {
            self.silent_until = None;
        } else if self.silent_until.is_none() && happens(&mut self.rng, self.noise.gaps.per_hour, passed) {
            self.silent_until = Some(now + seconds(within(&mut self.rng, &self.noise.gaps.seconds)));
        }
    }

    fn measure(&mut self, truth: LonLat, speed: f64, now: Timestamp) -> Reading {
        // A phone's guess of its own error is off by a tenth or so, and never outside what its maker lets it say.
        let guess = self.sigma * RADIUS_68 * (1.0 + 0.1 * normal(&mut self.rng));
        let mut accuracy_m = guess.max(self.noise.accuracy_m.start).min(self.noise.accuracy_m.end);
        let (mut east, mut north) = self.error;
        if let Some(outlier) = self.outlier {
            (east, north) = (east + outlier.offset.0, north + outlier.offset.1);
            if outlier.admitted {
                accuracy_m = outlier.offset.0.hypot(outlier.offset.1) * within(&mut self.rng, &(0.8..1.4));
            }
        }
        let at = truth.moved_by(east, north);
        let speed = (speed + self.noise.speed_sigma * normal(&mut self.rng)).max(0.0);
        self.seq += 1;
        Reading {
            lat: at.lat,
            lon: at.lon,
            accuracy_m,
            time: Timestamp::from_millis(now.as_millis().saturating_add(self.clock_off_ms)),
            seq: self.seq,
            speed_mps: Some(speed),
            mock: false,
        }
    }
}

fn seconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count).unwrap_or(Duration::ZERO)
}

/// Whether an incident of this rate begins in a step of so many seconds.
fn happens(rng: &mut StdRng, per_hour: f64, passed: f64) -> bool {
    per_hour > 0.0 && rng.random::<f64>() < 1.0 - (-per_hour * passed / 3_600.0).exp()
}

/// An even draw; an empty range gives its start.
fn within(rng: &mut StdRng, range: &Range<f64>) -> f64 {
    range.start + (range.end - range.start) * rng.random::<f64>()
}

/// A draw from the standard normal distribution (Box-Muller).
fn normal(rng: &mut StdRng) -> f64 {
    let (radius, angle): (f64, f64) = (rng.random(), rng.random());
    // 1 - x is in (0, 1], so the logarithm is finite.
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests;
