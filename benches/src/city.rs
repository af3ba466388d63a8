//! Synthetic cities: regions as quests have them, and people among them. The same seed makes the same city.
//!
//! 2,500 regions a city, spread like a bell 3 km wide: 60 % circles with a median radius of 75 m, 40 % polygons of 20 to
//! 200 vertices with a median reach of 120 m, each eighth of them with a hole.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::f64::consts::TAU;
use waystone::geo::position::Position;
use waystone::geo::region::Region;
use waystone::geo::shape::Shape;
use waystone::ids::RegionId;
use waystone::units::Meters;

/// Regions in a city.
const CITY: usize = 2_500;
/// How wide a city is, in metres: one standard deviation.
const WIDTH: f64 = 3_000.0;
const METRES_PER_DEGREE: f64 = 111_320.0;

/// Chance and the middles of cities.
pub struct World {
    rng: StdRng,
    cities: Vec<(f64, f64)>,
}

impl World {
    /// As many cities as so many regions need.
    pub fn new(regions: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = regions.div_ceil(CITY).max(1);
        let cities = (0..count).map(|_| (rng.random_range(-179.0..179.0), rng.random_range(-50.0..62.0))).collect();
        Self { rng, cities }
    }

    /// A number spread like a bell round 0.
    fn bell(&mut self) -> f64 {
        let (radius, turn): (f64, f64) = (self.rng.random_range(1e-12..1.0), self.rng.random());
        (-2.0 * radius.ln()).sqrt() * (turn * TAU).cos()
    }

    /// A place in a city; `width` in city widths.
    fn spot(&mut self, city: usize, width: f64) -> (f64, f64) {
        let (u, v) = (self.bell() * WIDTH * width, self.bell() * WIDTH * width);
        moved(self.cities[city], u, v)
    }

    /// All regions, city after city.
    pub fn regions(&mut self, count: usize) -> Vec<Region> {
        (0..count).map(|i| self.region(&format!("r{i}"), i / CITY)).collect()
    }

    /// A region somewhere in a city.
    pub fn region(&mut self, name: &str, city: usize) -> Region {
        let middle = self.spot(city, 1.0);
        let factor = (0.5 * self.bell()).exp();
        let shape = if self.rng.random_bool(0.6) {
            Shape::circle(place(middle), Meters::lossy((75.0 * factor).clamp(5.0, 50_000.0)))
        } else {
            self.polygon(middle, 120.0 * factor)
        };
        let id = RegionId::new(name).expect("a short name");
        Region::new(id, shape.expect("a star is sound"))
    }

    /// How many cities there are.
    pub fn cities(&self) -> usize {
        self.cities.len()
    }

    fn polygon(&mut self, middle: (f64, f64), reach: f64) -> Result<Shape, waystone::geo::shape::ShapeError> {
        loop {
            let corners = self.rng.random_range(20..=200);
            let mut rings = vec![self.star(middle, corners, 0.6 * reach..reach)];
            if self.rng.random_bool(0.125) {
                rings.push(self.star(middle, corners / 2, 0.2 * reach..0.4 * reach));
            }
            // Rounding to 1 cm can make neighbours of a tiny star touch: then another is drawn.
            let shape = Shape::polygon(rings);
            if shape.is_ok() {
                return shape;
            }
        }
    }

    fn star(&mut self, middle: (f64, f64), corners: usize, reach: std::ops::Range<f64>) -> Vec<Position> {
        let mut ring: Vec<Position> = (0..corners)
            .map(|i| {
                let angle = (i as f64 + self.rng.random_range(0.1..0.9)) / corners as f64 * TAU;
                let far = self.rng.random_range(reach.clone());
                place(moved(middle, far * angle.cos(), far * angle.sin()))
            })
            .collect();
        ring.push(ring[0]);
        ring
    }

    /// Fixes of people anywhere in the cities; `width` in city widths.
    pub fn fixes(&mut self, count: usize, width: f64) -> Vec<Position> {
        (0..count)
            .map(|_| {
                let city = self.rng.random_range(0..self.cities.len());
                place(self.spot(city, width))
            })
            .collect()
    }

    /// The same walks as phones see them: an error that lasts, some 4 m on each axis, forgotten to 1/e in 20 s.
    pub fn noisy_walks(&mut self, users: usize, seconds: usize) -> Vec<Position> {
        let truth = self.walks(users, seconds);
        let keep = (-1.0_f64 / 20.0).exp();
        let fresh = 4.0 * (1.0 - keep * keep).sqrt();
        let mut errors = vec![(0.0, 0.0); users];
        let mut seen = Vec::with_capacity(truth.len());
        for (i, there) in truth.iter().enumerate() {
            let (east, north) = errors[i % users];
            let error = (keep * east + fresh * self.bell(), keep * north + fresh * self.bell());
            errors[i % users] = error;
            seen.push(place(moved((there.lon(), there.lat()), error.0, error.1)));
        }
        seen
    }

    /// Fixes of walkers at 1.4 m/s, one a second of each in turn: the fix of walker w at second t is at t * users + w.
    pub fn walks(&mut self, users: usize, seconds: usize) -> Vec<Position> {
        let mut walkers: Vec<((f64, f64), f64)> = (0..users)
            .map(|_| {
                let city = self.rng.random_range(0..self.cities.len());
                (self.spot(city, 1.0), self.rng.random_range(0.0..TAU))
            })
            .collect();
        let mut fixes = Vec::with_capacity(users * seconds);
        for _ in 0..seconds {
            for walker in &mut walkers {
                let (at, mut heading) = *walker;
                heading += self.rng.random_range(-0.1..0.1);
                *walker = (moved(at, 1.4 * heading.cos(), 1.4 * heading.sin()), heading);
                fixes.push(place(walker.0));
            }
        }
        fixes
    }
}

fn moved((lon, lat): (f64, f64), east: f64, north: f64) -> (f64, f64) {
    (lon + east / (METRES_PER_DEGREE * lat.to_radians().cos()), lat + north / METRES_PER_DEGREE)
}

fn place((lon, lat): (f64, f64)) -> Position {
    Position::new(lon, lat).expect("cities lie away from the antimeridian and the poles")
}
