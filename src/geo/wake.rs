//! What a sleeping phone needs: which coarse circles to watch by itself, and how far its player may go before any
//! edge could be reached.
//!
//! Phones watch 20 (iOS) or 100 (Android) circles without our help, and none reliably below some 150 to 200 m; small
//! fences are judged here, from fixes that an awake phone sends. So each region gets a circle that holds it and its
//! rings, at least 200 m wide, and what does not fit on the list is stood for by one more circle, round the player,
//! that ends where the nearest unlisted one begins: whoever leaves it asks again.
//!
//! Places are sought in an R*-tree of balls in earth-centred metres, where neither the antimeridian nor a pole is an
//! edge. A chord is never longer than the way over the ground, so the tree's order is a lower bound, and
//! [`Position::distance`] decides.
//! Promises: no nearer circle is missed; a region that was built as hidden counts only where it is named as shown, to
//! the last metre of every number that comes out.

use super::index::RegionIndex;
use super::metric::{GridPoint, earth_centered};
use super::position::{Fix, Position};
use super::region::Region;
use super::shape::Shape;
use crate::ids::RegionId;
use crate::units::Meters;
use rstar::{AABB, PointDistance, RTree, RTreeObject};
use std::collections::BTreeSet;

/// Smallest radius of a coarse circle: what phones watch reliably, also where masts are few.
pub const COARSE_MIN: Meters = Meters::lossy(200.0);
/// Longest way that is suggested without a fix, however far everything is: clocks, accounts and quests go on.
pub const CLEAR_MAX: Meters = Meters::lossy(5_000.0);
/// A fix decides by itself, either way, from so many accuracies off an edge: p is 0.98 there.
pub const DECIDED_ACCURACIES: f64 = 1.36;
/// Regions that are measured for one clearance. Whoever stands under more than so many is told to stay awake.
const MEASURED_MAX: usize = 64;
/// The chord's rounding in metres, and the mid-latitude formula's error: slack that loses nothing.
const SLACK: f64 = 0.02;
/// Latitude beyond which only circles are measured to their edge.
const POLAR: f64 = 88.5;
/// Half the way round the earth, rounded up: a circle of this radius holds everything.
const HALF_WAY_ROUND: f64 = 20_100_000.0;
/// Mean radius of the earth in metres, for bounds only.
const EARTH: f64 = 6_371_000.0;

/// A circle for a phone to watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Coarse {
    /// Which region it stands for.
    pub region: RegionId,
    /// Its middle.
    pub center: Position,
    /// Holds the region and its rings; 200 m at least.
    pub radius: Meters,
    /// From the fix to the circle's edge; negative inside.
    pub distance: Meters,
    /// Whether it was asked for first.
    pub first: bool,
}

/// The circles to watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Those asked for first, then the others, each from near to far.
    pub circles: Vec<Coarse>,
    /// When there are more than were listed: how far the player may go before an unlisted one begins.
    pub roam: Option<Meters>,
}

/// The regions of one quest that one player may know.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// All of the quest's.
    pub index: &'a WakeIndex,
    /// Listed before the others.
    pub first: &'a BTreeSet<RegionId>,
    /// Those of the hidden ones that count.
    pub shown: &'a BTreeSet<RegionId>,
}

/// One region, as small as a phone needs it.
#[derive(Clone)]
struct Spot {
    region: RegionId,
    center: Position,
    /// Holds the shape and its rings.
    cover: f64,
    hidden: bool,
}

/// A ball in earth-centred metres, and whose it is.
struct Ball {
    middle: [f64; 3],
    radius: f64,
    spot: usize,
}

impl RTreeObject for Ball {
    type Envelope = AABB<[f64; 3]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners(self.middle.map(|x| x - self.radius), self.middle.map(|x| x + self.radius))
    }
}

impl PointDistance for Ball {
    fn distance_2(&self, point: &[f64; 3]) -> f64 {
        let chord2: f64 = self.middle.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum();
        (chord2.sqrt() - self.radius).max(0.0).powi(2)
    }
}

/// The regions of one quest, for phones; built once, then shared and never changed.
pub struct WakeIndex {
    /// Sorted by region.
    spots: Vec<Spot>,
    /// Those that are not hidden, as coarse circles.
    coarse: RTree<Ball>,
    /// The same, as small as they are.
    close: RTree<Ball>,
    /// The hidden ones, as small as they are.
    hidden: RTree<Ball>,
}

impl WakeIndex {
    /// Builds it from regions, each with whether it is hidden.
    pub fn build<'a>(regions: impl IntoIterator<Item = (&'a Region, bool)>) -> Self {
        let mut spots: Vec<Spot> = regions.into_iter().map(|(region, hidden)| Spot::of(region, hidden)).collect();
        spots.sort_by(|a, b| a.region.cmp(&b.region));
        let tree = |hidden: bool, radius: &dyn Fn(&Spot) -> f64| {
            let open = spots.iter().enumerate().filter(|(_, spot)| spot.hidden == hidden);
            let ball =
                |(at, spot): (usize, &Spot)| Ball { middle: middle(&spot.center), radius: radius(spot), spot: at };
            RTree::bulk_load(open.map(ball).collect())
        };
        let (coarse, close) = (tree(false, &Spot::coarse), tree(false, &|spot| spot.cover));
        let hidden = tree(true, &|spot| spot.cover);
        Self { spots, coarse, close, hidden }
    }

    /// Metres from a place to a region, never more than there are; 0 inside and on the edge. `None`: it is none of
    /// this quest's.
    pub fn outside(&self, region: &RegionId, from: &Position, regions: &RegionIndex) -> Option<Meters> {
        self.get(region)?;
        let region = regions.get(region)?;
        let s = region.shape.signed_distance(from).get();
        Some(Meters::lossy((-s - doubt(&region.shape, s, from)).max(0.0)))
    }

    fn get(&self, region: &RegionId) -> Option<&Spot> {
        let at = self.spots.binary_search_by(|spot| spot.region.cmp(region)).ok()?;
        self.spots.get(at)
    }

    /// The spots of a tree from near to far, each with metres to its ball: never more than there are over the ground.
    fn near_first<'a>(&'a self, tree: &'a RTree<Ball>, from: &Position) -> impl Iterator<Item = (f64, &'a Spot)> {
        let found = tree.nearest_neighbor_iter_with_distance_2(&middle(from));
        found.filter_map(|(ball, d2)| Some((d2.sqrt() - SLACK, self.spots.get(ball.spot)?)))
    }

    /// The `count` nearest coarse circles that are not hidden, without some, from near to far.
    fn nearest(&self, from: &Position, count: usize, without: &BTreeSet<RegionId>) -> Vec<Coarse> {
        let mut found: Vec<Coarse> = Vec::new();
        for (least, spot) in self.near_first(&self.coarse, from) {
            // Inside a ball the tree knows only zero; the order among those is made here.
            if found.len() >= count && found.last().is_some_and(|last| least > last.distance.get().max(0.0)) {
                break;
            }
            if without.contains(&spot.region) {
                continue;
            }
            let next = spot.seen_from(from, false);
            let place = found.partition_point(|known| nearer(known, &next).is_lt());
            if place < count {
                found.insert(place, next);
                found.truncate(count);
            }
        }
        found
    }

    /// Metres to the nearest edge that counts, never more than there are and never more than `best`.
    fn clearance(&self, from: &Position, shown: &BTreeSet<RegionId>, regions: &RegionIndex, mut best: f64) -> f64 {
        let measure = |spot: &Spot, best: f64| {
            let least = spot.center.distance(from).get() - spot.cover;
            let region = regions.get(&spot.region).filter(|_| least < best);
            region.map_or(best, |region| best.min(to_edge(region, from).max(least)))
        };
        if shown.len() <= MEASURED_MAX {
            for spot in shown.iter().filter_map(|region| self.get(region)).filter(|spot| spot.hidden) {
                best = measure(spot, best);
            }
        } else {
            // What is not shown is passed over: it costs time and changes nothing.
            for (least, spot) in self.near_first(&self.hidden, from) {
                if least >= best {
                    break;
                }
                if shown.contains(&spot.region) {
                    best = measure(spot, best);
                }
            }
        }
        for (count, (least, spot)) in self.near_first(&self.close, from).enumerate() {
            if least >= best {
                break;
            }
            if count == MEASURED_MAX {
                return best.min(least.max(0.0));
            }
            best = measure(spot, best);
        }
        best
    }
}

impl Spot {
    fn of(region: &Region, hidden: bool) -> Self {
        let (center, cover) = cover(&region.shape);
        Self { region: region.id.clone(), center, cover: cover + region.reach().get().max(0.0), hidden }
    }

    fn coarse(&self) -> f64 {
        self.cover.max(COARSE_MIN.get())
    }

    fn seen_from(&self, from: &Position, first: bool) -> Coarse {
        let distance = Meters::lossy(self.center.distance(from).get() - self.coarse());
        let radius = Meters::lossy(self.coarse());
        Coarse { region: self.region.clone(), center: self.center, radius, distance, first }
    }
}

/// Up to `max` circles for a phone at a place, of all quests that its player plays. The roam circle counts as one.
pub fn watch(quests: &[Known<'_>], from: &Position, max: usize) -> Watch {
    let max = max.max(1);
    let (mut circles, mut rest) = (Vec::new(), Vec::new());
    for known in quests {
        let counts = |spot: &&Spot| !spot.hidden || known.shown.contains(&spot.region);
        let first = known.first.iter().filter_map(|region| known.index.get(region)).filter(counts);
        circles.extend(first.map(|spot| spot.seen_from(from, true)));
        let hidden = known.shown.difference(known.first).filter_map(|region| known.index.get(region));
        rest.extend(hidden.filter(|spot| spot.hidden).map(|spot| spot.seen_from(from, false)));
        rest.extend(known.index.nearest(from, max + 1, known.first));
    }
    circles.sort_by(nearer);
    rest.sort_by(nearer);
    circles.extend(rest);
    if circles.len() <= max {
        return Watch { circles, roam: None };
    }
    let unlisted = circles.split_off(max - 1);
    let nearest = unlisted.iter().map(|coarse| coarse.distance.get()).fold(f64::INFINITY, f64::min);
    Watch { circles, roam: Some(Meters::lossy(nearest.max(0.0))) }
}

/// Metres that a player may go from a place before any edge, or edge of a ring, could be reached: a lower bound, 0
/// to [`CLEAR_MAX`].
pub fn clearance(quests: &[Known<'_>], from: &Position, regions: &RegionIndex) -> Meters {
    let least = |best, known: &Known<'_>| known.index.clearance(from, known.shown, regions, best);
    Meters::lossy(quests.iter().fold(CLEAR_MAX.get(), least).max(0.0))
}

/// What is left of a clearance for a fix: so much of it may be its error that the fix decides nothing there.
pub fn less_doubt(clearance: Meters, fix: &Fix) -> Meters {
    Meters::lossy((clearance.get() - DECIDED_ACCURACIES * fix.believed_accuracy().get()).max(0.0))
}

/// Near before far; ties by name, so that an answer does not depend on how a tree was built.
fn nearer(a: &Coarse, b: &Coarse) -> std::cmp::Ordering {
    a.distance.get().total_cmp(&b.distance.get()).then_with(|| a.region.cmp(&b.region))
}

fn middle(place: &Position) -> [f64; 3] {
    let (x, y, z) = earth_centered(place.lon(), place.lat());
    [x, y, z]
}

/// A circle that holds a shape.
///
/// On a sphere the point of a box farthest from its middle is a corner, while the box is not wider than half the
/// earth; 1 % pays for the ellipsoid. What goes round a pole gets a circle round the pole.
fn cover(shape: &Shape) -> (Position, f64) {
    if let Shape::Circle(circle) = shape {
        return (*circle.center(), circle.radius().get());
    }
    let (bounds, margin) = shape.bounds_and_margin();
    let e = bounds.envelope(margin);
    let (south, north) = (e.south.max(-90.0), e.north.min(90.0));
    let at = |lon: f64, lat: f64| Position::new(lon - 360.0 * (lon / 360.0).round(), lat);
    let circle = |center: Position, corners: &[(f64, f64)]| {
        let far = corners.iter().filter_map(|&(lon, lat)| Some(center.distance(&at(lon, lat).ok()?).get()));
        (center, (far.fold(0.0, f64::max) * 1.01 + 1.0).min(HALF_WAY_ROUND))
    };
    let around_pole = e.east - e.west > 90.0;
    let lon = if around_pole { 0.0 } else { 0.5 * (e.west + e.east) };
    let lat = match around_pole {
        true if south + north >= 0.0 => 90.0,
        true => -90.0,
        false => 0.5 * (south + north),
    };
    match at(lon, lat) {
        Ok(center) => circle(center, &[(e.west, south), (e.east, south), (e.west, north), (e.east, north)]),
        // An envelope lies on the earth; if one ever did not, the whole earth holds the shape.
        Err(_) => (Position::of_grid(GridPoint { x: 0, y: 0 }), HALF_WAY_ROUND),
    }
}

/// Metres to the nearest edge of a region or of its rings, never more than there are.
fn to_edge(region: &Region, from: &Position) -> f64 {
    if from.lat().abs() > POLAR && !matches!(region.shape, Shape::Circle(_)) {
        return 0.0;
    }
    let s = region.shape.signed_distance(from).get();
    let edges = std::iter::once(0.0).chain(region.rings.iter().map(|ring| ring.reach.get()));
    let nearest = edges.map(|reach| (s + reach).abs()).fold(f64::INFINITY, f64::min);
    (nearest - doubt(&region.shape, s, from)).max(0.0)
}

/// How many metres nearer an edge could be than it was measured. The flat frame that finds the nearest point of an
/// edge is off by less than 0.2 tan|lat| d^2 / R; twice, since another point may then be nearer, and some more.
fn doubt(shape: &Shape, s: f64, from: &Position) -> f64 {
    match shape {
        Shape::Circle(_) => SLACK,
        _ if from.lat().abs() > POLAR => s.abs(),
        _ => SLACK + 1e-4 * s.abs() + 0.5 * from.lat().abs().to_radians().tan() * s * s / EARTH,
    }
}

#[cfg(test)]
mod tests;
