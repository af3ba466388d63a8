//! Circles in the index: which squares an edge of theirs passes through, and a cheap test that knows its own error.
//!
//! In one square the scale of the ellipsoid hardly changes, so a small circle is tested there with two constants. The
//! constants are off by less than a proven share; a place nearer to the edge than that is measured.
//! Promise: "inside" and "outside" agree with the shape's own distance; what is between says so.

use super::grid::{Cell, Extent, Spot};
use crate::geo::metric::{Frame, GridPoint, UNITS_PER_DEGREE, distance};
use crate::geo::region::Region;
use crate::geo::shape::Circle;

/// Widest circle that is tested by constants: with a square of 730 m all is below the 2 km up to which
/// [`distance`] uses the scale at the middle latitude.
const SMALL_METRES: f64 = 1_200.0;
/// Latitude in degrees beyond which circles are measured.
const SMALL_LATITUDE: f64 = 79.0;
/// Highest square in which a circle is tested by constants, in units.
const SMALL_UNITS: i64 = 1 << 16;

/// A circle and its rings.
pub(super) struct Disc {
    center: GridPoint,
    /// Of the widest ring first, of the circle last.
    radii: Vec<f64>,
    pub(super) grown: Extent,
}

/// How a circle's edge lies to a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Outside,
    Through,
    Inside,
}

/// What a square keeps of one circle: where it is, and the scale, in radii.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) kx: f32,
    pub(super) ky: f32,
    /// Squared distance from which a place is outside; up to 1 it is inside.
    pub(super) outside: f32,
}

impl Disc {
    pub(super) fn new(circle: &Circle, region: &Region, grown: Extent) -> Self {
        let radius = circle.radius().get();
        let mut radii: Vec<f64> = region.rings.iter().map(|ring| radius + ring.reach.get()).collect();
        radii.push(radius);
        Self { center: circle.center().grid(), radii, grown }
    }

    /// All radii, the widest first.
    pub(super) fn radii(&self) -> &[f64] {
        &self.radii
    }

    /// Whether the circle or a ring of it may have a place there.
    pub(super) fn touches(&self, extent: &Extent) -> bool {
        self.distances(extent).0 <= self.radii[0]
    }

    /// How the edge of one radius lies to a box, from what [`Self::distances`] says of that.
    pub(super) fn reach(radius: f64, (nearest, farthest): (f64, f64)) -> Reach {
        if radius < nearest {
            Reach::Outside
        } else if farthest < radius {
            Reach::Inside
        } else {
            Reach::Through
        }
    }

    /// Metres from the middle to a box: not more than to its nearest, not less than to its farthest place.
    pub(super) fn distances(&self, extent: &Extent) -> (f64, f64) {
        let center = self.center_near(extent);
        let metres =
            |p: GridPoint| distance((p.x - center.x) as f64 / UNITS_PER_DEGREE, p.latitude(), center.latitude());
        let (low, high) = corners(extent);
        if self.is_small(extent) {
            let near = GridPoint { x: center.x.clamp(low.x, high.x), y: center.y.clamp(low.y, high.y) };
            let far = |c: i64, low: i64, high: i64| if c - low > high - c { low } else { high };
            let far = GridPoint { x: far(center.x, low.x, high.x), y: far(center.y, low.y, high.y) };
            return (metres(near) * 0.997 - 0.2, metres(far) * 1.003 + 0.2);
        }
        // The way from a box's middle to any place in it is not longer than along its widest parallel and a meridian.
        let widest = if low.y > 0 { low.latitude() } else { high.latitude().min(0.0) };
        let half = |units: i64| (units + 2) as f64 / 2.0 * 0.011_17;
        let (x, y) = (half(high.x - low.x) * widest.to_radians().cos(), half(high.y - low.y));
        let middle = metres(extent.middle().grid());
        (middle * 0.99 - x.hypot(y) - 1.0, middle * 1.01 + x.hypot(y) + 1.0)
    }

    /// The constants for one radius in a square of a cell, if they are good enough there.
    pub(super) fn test(&self, radius: f64, cell: &Cell, square: &Extent) -> Option<Test> {
        if !self.is_small(square) {
            return None;
        }
        let center = self.center_near(square);
        let (low, high) = corners(square);
        // `distance` takes the scale half-way between both latitudes; this is where that is for the square's middle.
        let middle = GridPoint { x: 0, y: (square.middle().grid().y + center.y) / 2 };
        let steps = 1_000_000;
        let (kx, ky) = Frame::at(middle).offset(GridPoint { x: steps, y: middle.y + steps });
        // Half-way moves by a quarter of the square's height to both sides; the scale along a parallel then changes
        // by tan(lat) times that, the other by less than 0.02 times. The rest is for single precision.
        let moved = ((high.y - low.y) as f64 / 4.0 + 2.0) / UNITS_PER_DEGREE;
        let latitude = [low, high, center].iter().map(|p| p.latitude().abs()).fold(0.0, f64::max);
        let error = (latitude.to_radians().tan() + 0.02) * moved.to_radians() * 1.1 + 2e-6;
        let (inner, outer) = (radius * (1.0 - error), radius * (1.0 + error));
        let whole =
            Spot { x: center.x - low.x + square.west - cell.west, y: center.y - low.y + square.south - cell.south };
        Some(Test {
            x: i32::try_from(whole.x).ok()?,
            y: i32::try_from(whole.y).ok()?,
            kx: (kx / steps as f64 / inner) as f32,
            ky: (ky / steps as f64 / inner) as f32,
            outside: (outer / inner).powi(2) as f32,
        })
    }

    fn is_small(&self, extent: &Extent) -> bool {
        let (low, high) = corners(extent);
        let steepest = low.latitude().abs().max(high.latitude().abs()).max(self.center.latitude().abs());
        self.radii[0] <= SMALL_METRES && steepest <= SMALL_LATITUDE && high.y - low.y <= SMALL_UNITS
    }

    fn center_near(&self, extent: &Extent) -> GridPoint {
        self.center.turned_toward(extent.middle().grid().x)
    }
}

fn corners(extent: &Extent) -> (GridPoint, GridPoint) {
    let low = Spot { x: extent.west, y: extent.south };
    let high = Spot { x: extent.east, y: extent.north };
    (low.grid(), high.grid())
}
