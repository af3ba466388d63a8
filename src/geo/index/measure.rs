//! What the index leaves to the shape itself: rings round polygons, corridors, great and polar circles.
//!
//! A signed distance changes by no more than one moves, so it also tells how far one may move before anything
//! changes. It is exact near an edge and only roughly right far from one: what is promised of it here is less.

use super::room::Room;
use crate::geo::metric::UNITS_PER_DEGREE;
use crate::geo::position::Position;
use crate::geo::region::Region;
use crate::geo::shape::Shape;
use crate::units::Meters;
use std::f64::consts::FRAC_1_SQRT_2;

/// Latitude in degrees beyond which only circles are trusted away from their edge.
const TRUSTED_LATITUDE: f64 = 88.0;
/// Metres beyond which no distance is trusted.
const TRUSTED_METRES: f64 = 50_000.0;
/// Metres of a unit of latitude, at most; of a unit of longitude too, times the cosine of the latitude.
const METRES_PER_UNIT: f64 = 0.011_17;

/// Whether a region or its widest ring holds the place.
pub(super) fn holds(region: &Region, place: &Position) -> bool {
    within_reach(region, region.shape.signed_distance(place))
}

fn within_reach(region: &Region, distance: Meters) -> bool {
    distance.get() >= -region.reach().get()
}

/// The same, and keeps all edges out of the room round `p`, which is the place from the cell's corner.
pub(super) fn measure(region: &Region, place: &Position, p: (i32, i32), room: &mut Room) -> bool {
    let distance = region.shape.signed_distance(place);
    let metres = distance.get();
    let to_edge = region.rings.iter().map(|ring| (metres + ring.reach.get()).abs()).fold(metres.abs(), f64::min);
    let to_edge = to_edge.min(TRUSTED_METRES);
    let is_circle = matches!(region.shape, Shape::Circle(_));
    let latitude = place.lat().abs();
    if !is_circle && latitude > TRUSTED_LATITUDE {
        room.close();
        return within_reach(region, distance);
    }
    // How wrong the distance can be anywhere in the room: 1 cm, and for outlines, whose nearest point is found in a
    // flat frame, what the frame is off.
    let far = metres.abs() + to_edge;
    let flat = if is_circle { 0.0 } else { 0.5 * latitude.to_radians().tan() * far * far / 6_350_000.0 };
    let safe = (to_edge * 0.9 - 0.05 - flat) * FRAC_1_SQRT_2;
    if safe > 0.0 {
        let north = safe / METRES_PER_UNIT;
        // Units of longitude are widest on the side that is nearer to the equator.
        let widest = (latitude - north / UNITS_PER_DEGREE).max(0.0).to_radians().cos();
        let units = |units: f64| units.min(1e9) as i32;
        room.keep_within(p, units(north / widest.max(1e-9)), units(north));
    } else {
        room.close();
    }
    within_reach(region, distance)
}
