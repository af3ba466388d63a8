//! The index: which regions could a place concern? Built once, then shared and never changed.
//!
//! A bulk-loaded R*-tree of boxes in degrees. Boxes are kept with their west edge within +-180 and may reach past
//! +180; a question is asked again a turn further where the two sides of the antimeridian could meet.
//! Promise: never misses a region; what it returns must still be measured.

use super::metric::{Bounds, Envelope};
use super::position::Position;
use super::region::Region;
use crate::ids::RegionId;
use crate::units::Meters;
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, Envelope as _, RTree, RTreeObject};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stub.
#[derive(Debug, Clone, Copy, Default)]
pub struct SafeBox;
impl SafeBox {
    /// Stub.
    pub fn holds(&self, _: &Position) -> bool {
        false
    }
}

type Entry = GeomWithData<Rectangle<[f64; 2]>, usize>;

/// All regions of a server, immutable; put it in an `Arc`.
pub struct RegionIndex {
    /// Sorted by id.
    regions: Vec<Arc<Region>>,
    tree: RTree<Entry>,
    /// Whether some box reaches past +180 degrees.
    wraps: bool,
}

impl RegionIndex {
    /// Builds the index; of several regions with one id the last one counts.
    pub fn build(regions: Vec<Region>) -> Self {
        let by_id: BTreeMap<RegionId, Region> = regions.into_iter().map(|r| (r.id.clone(), r)).collect();
        let regions: Vec<Arc<Region>> = by_id.into_values().map(Arc::new).collect();
        let entries: Vec<Entry> = regions.iter().enumerate().map(|(at, region)| entry(region, at)).collect();
        let wraps = entries.iter().any(|e| e.envelope().upper()[0] > 180.0);
        Self { regions, tree: RTree::bulk_load(entries), wraps }
    }

    /// The regions whose box comes within `halo` metres of a position, each once, in no promised order.
    pub fn near(&self, position: &Position, halo: Meters) -> impl Iterator<Item = &Arc<Region>> {
        self.within(Bounds::from(position.grid()).envelope(halo.get().max(0.0)))
    }

    /// The regions whose box the box round two positions touches, each once, in no promised order.
    pub(super) fn between(&self, from: &Position, to: &Position) -> impl Iterator<Item = &Arc<Region>> {
        let start = from.grid();
        let end = to.grid().turned_toward(start.x);
        self.within(Bounds::from(start).union(end.into()).envelope(0.0))
    }

    /// Stub until the grid is here.
    pub fn look<'a>(&'a self, place: &Position, found: &mut Vec<&'a Arc<Region>>) -> SafeBox {
        let reach = self.regions.iter().map(|r| r.reach().get()).fold(0.0, f64::max);
        found.extend(
            self.near(place, Meters::lossy(reach))
                .filter(|r| r.shape.signed_distance(place).get() + r.reach().get() >= 0.0),
        );
        SafeBox
    }

    /// Stub.
    pub fn generation(&self) -> u64 {
        0
    }

    /// The region of that name.
    pub fn get(&self, id: &RegionId) -> Option<&Arc<Region>> {
        let at = self.regions.binary_search_by(|region| region.id.cmp(id)).ok()?;
        self.regions.get(at)
    }

    /// How many regions there are.
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// All regions in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Region>> {
        self.regions.iter()
    }

    fn within(&self, e: Envelope) -> impl Iterator<Item = &Arc<Region>> {
        let question = move |turn: f64| AABB::from_corners([e.west + turn, e.south], [e.east + turn, e.north]);
        // Far from the antimeridian one question does; the others are asked only where they could be answered.
        let asked = [(0.0, true), (360.0, self.wraps || e.west < -180.0), (-360.0, e.east > 180.0)];
        let turns = asked.into_iter().filter(|(_, needed)| *needed).map(|(turn, _)| turn);
        turns.flat_map(move |turn| {
            let earlier = asked.into_iter().take_while(move |(t, _)| *t != turn).filter(|(_, needed)| *needed);
            let found = self.tree.locate_in_envelope_intersecting(&question(turn));
            found
                .filter(move |entry| !earlier.clone().any(|(t, _)| question(t).intersects(&entry.envelope())))
                .filter_map(|entry| self.regions.get(entry.data))
        })
    }
}

/// A region's box with its west edge within +-180 degrees.
fn entry(region: &Region, at: usize) -> Entry {
    let e = region.shape.envelope();
    let turn = -360.0 * ((e.west + 180.0) / 360.0).floor();
    let rectangle = Rectangle::from_corners([e.west + turn, e.south], [e.east + turn, e.north]);
    GeomWithData::new(rectangle, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::shape::Shape;

    fn at(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).expect("on earth")
    }

    fn circle(name: &str, lon: f64, lat: f64, radius: f64) -> Region {
        let shape = Shape::circle(at(lon, lat), Meters::lossy(radius)).expect("in range");
        Region::new(RegionId::new(name).expect("short"), shape)
    }

    fn names<'a>(found: impl Iterator<Item = &'a Arc<Region>>) -> Vec<&'a str> {
        let mut names: Vec<&str> = found.map(|region| region.id.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn near_finds_across_the_antimeridian_and_at_the_pole_each_once() {
        let index = RegionIndex::build(vec![
            circle("east", 179.9999, 0.0, 50.0),
            circle("west", -179.9999, 0.0, 50.0),
            circle("far", 179.9, 0.0, 50.0),
            circle("pole", 30.0, 89.99, 5_000.0),
            circle("home", 24.94, 60.17, 75.0),
        ]);
        for lon in [180.0, -180.0, 179.9999, -179.9999] {
            assert_eq!(names(index.near(&at(lon, 0.0), Meters::ZERO)), ["east", "west"], "{lon}");
        }
        assert_eq!(names(index.near(&at(179.99, 0.0), Meters::lossy(2_000.0))), ["east", "west"]);
        assert_eq!(names(index.near(&at(-150.0, 89.99), Meters::ZERO)), ["pole"]);
        assert_eq!(names(index.near(&at(24.94, 60.1707), Meters::ZERO)), Vec::<&str>::new());
        assert_eq!(names(index.near(&at(24.94, 60.1707), Meters::lossy(10.0))), ["home"]);
        assert_eq!(names(index.between(&at(179.95, 0.0), &at(-179.95, 0.0))), ["east", "west"]);
    }

    #[test]
    fn get_finds_by_id_and_the_last_of_twins_counts() {
        let index = RegionIndex::build(vec![
            circle("a", 0.0, 0.0, 5.0),
            circle("b", 0.0, 0.0, 5.0),
            circle("a", 1.0, 1.0, 7.0),
        ]);
        let radius = |id: &str| index.get(&RegionId::new(id).expect("short")).map(|region| region.shape.size().get());
        assert_eq!((radius("a"), radius("b"), radius("c"), index.len()), (Some(7.0), Some(5.0), None, 2));
    }
}
