//! People who walk about in a rectangle, at a walking pace, each in a direction of their own.

use crate::wire::Spot;
use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Metres a second.
const PACE: f64 = 1.4;
/// Metres in a degree of latitude, and of longitude at 60 degrees north; a stroll needs no better.
const METERS: (f64, f64) = (55_500.0, 111_300.0);

/// Where one may walk, in degrees.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// The middle of Helsinki, with all places of the demo's quest in it.
pub const CENTRE: Ground = Ground { west: 24.9390, south: 60.1660, east: 24.9540, north: 60.1725 };
/// A field with nothing near.
pub const FIELD: Ground = Ground { west: 24.60, south: 60.10, east: 24.62, north: 60.11 };

/// Someone who walks.
#[derive(Debug)]
pub struct Stroller {
    ground: Ground,
    lon: f64,
    lat: f64,
    /// Degrees a second.
    way: (f64, f64),
    rng: StdRng,
}

impl Stroller {
    /// Somewhere, on the way to somewhere.
    pub fn new(ground: Ground, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let lon = rng.random_range(ground.west..ground.east);
        let lat = rng.random_range(ground.south..ground.north);
        let angle = rng.random_range(0.0..std::f64::consts::TAU);
        let way = (PACE * angle.cos() / METERS.0, PACE * angle.sin() / METERS.1);
        Self { ground, lon, lat, way, rng }
    }

    /// Goes on for a while.
    pub fn walk(&mut self, seconds: f64) -> Spot {
        self.lon += self.way.0 * seconds;
        self.lat += self.way.1 * seconds;
        if self.lon < self.ground.west || self.lon > self.ground.east {
            self.way.0 = -self.way.0;
            self.lon = self.lon.clamp(self.ground.west, self.ground.east);
        }
        if self.lat < self.ground.south || self.lat > self.ground.north {
            self.way.1 = -self.way.1;
            self.lat = self.lat.clamp(self.ground.south, self.ground.north);
        }
        // A phone never says the same twice: a metre either way, else plausibility calls it too perfect.
        let mut shake = |meters: f64| self.rng.random_range(-1.0..1.0) / meters;
        Spot { lon: self.lon + shake(METERS.0), lat: self.lat + shake(METERS.1), speed: PACE }
    }
}
