//! Shapes: closed sets on the ground.
//!
//! A shape is checked when it is made, with an error that tells its author what to change; afterwards it cannot be
//! wrong, so the hot path asks no questions. Circles are geodesic on the ellipsoid.

use super::area::{Area, Side};
use super::corridor::Corridor;
use super::metric::{Bounds, Frame, GridPoint};
use super::polygon::area_of;
use super::position::Position;
use crate::units::Meters;
use std::sync::Arc;

/// Smallest radius of a circle.
pub const RADIUS_MIN: Meters = Meters::lossy(1.0);
/// Largest radius of a circle.
pub const RADIUS_MAX: Meters = Meters::lossy(100_000.0);

/// Why a shape cannot be a region. Each says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A ring of fewer than three, a line of fewer than two distinct vertices, or no ring at all.
    #[error("too few vertices: a ring needs three distinct ones, a line two")]
    TooFewVertices,
    /// More than 20,000 over all rings.
    #[error("more than 20,000 vertices: simplify the outline, 1 m is finer than any phone's GPS")]
    TooManyVertices,
    /// All vertices on one line.
    #[error("the ring encloses nothing, all its vertices lie on one line: draw an area, or use a corridor")]
    ZeroArea,
    /// A ring crosses or touches itself.
    #[error("the ring crosses or touches itself: redraw it, or split it into parts")]
    SelfCrossing,
    /// Two rings cross or share a stretch.
    #[error("two rings cross or run along one another: merge them or draw them apart")]
    RingsCross,
    /// A hole is not within its outer ring.
    #[error("a hole lies outside its outer ring: the first ring is the outline, the others its holes")]
    HoleOutside,
    /// A hole lies in another one.
    #[error("a hole lies inside another hole: leave it out, or draw the island in the hole as a part of its own")]
    HoleInHole,
    /// One part lies in another.
    #[error("one part lies inside another: leave the inner one out, or draw it as a hole")]
    PartsOverlap,
    /// A ring goes round the earth more than once.
    #[error("the ring goes round the earth more than once: check its longitudes for jumps, or draw it in parts")]
    AroundPole,
    /// A ring goes round a pole and has a corner at it.
    #[error("the ring goes round a pole that it also touches: leave the corner at the pole out")]
    PoleTouched,
    /// More than two turns and a third.
    #[error("the shape spans more than 858 degrees of longitude: split it")]
    TooWide,
    /// Circle out of range.
    #[error("a radius must lie within 1 m to 100 km")]
    Radius,
    /// Corridor out of range.
    #[error("a corridor's width must lie within 2 m to 200 km")]
    Width,
    /// Corridor too long.
    #[error("a corridor may be 200 km long at most: split it")]
    TooLong,
}

/// All places within a geodesic distance of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    center: Position,
    radius: Meters,
}

impl Circle {
    /// Takes a radius of 1 m to 100 km.
    pub fn new(center: Position, radius: Meters) -> Result<Self, ShapeError> {
        if RADIUS_MIN <= radius && radius <= RADIUS_MAX {
            Ok(Self { center, radius })
        } else {
            Err(ShapeError::Radius)
        }
    }

    /// Its middle.
    pub fn center(&self) -> &Position {
        &self.center
    }

    /// Its radius in metres.
    pub fn radius(&self) -> Meters {
        self.radius
    }
}

/// A closed set on the ground: its edge belongs to it.
#[derive(Clone, PartialEq)]
pub enum Shape {
    /// A geodesic circle.
    Circle(Circle),
    /// One or several outlines with holes.
    Area(Area),
    /// A line with a width; shared, since all shapes would be as large as the largest.
    Corridor(Arc<Corridor>),
}

impl Shape {
    /// A circle of 1 m to 100 km.
    pub fn circle(center: Position, radius: Meters) -> Result<Self, ShapeError> {
        Circle::new(center, radius).map(Self::Circle)
    }

    /// A polygon: the outer ring, then its holes, in either direction, closed or not.
    pub fn polygon(rings: Vec<Vec<Position>>) -> Result<Self, ShapeError> {
        area_of(&[rings]).map(Self::Area)
    }

    /// Several polygons that do not overlap; they may touch in points, and along the antimeridian where they were cut.
    pub fn multi_polygon(parts: Vec<Vec<Vec<Position>>>) -> Result<Self, ShapeError> {
        area_of(&parts).map(Self::Area)
    }

    /// A line with its full width.
    pub fn corridor(line: Vec<Position>, width: Meters) -> Result<Self, ShapeError> {
        Corridor::new(line, width).map(|corridor| Self::Corridor(Arc::new(corridor)))
    }

    /// Metres to the edge, inside positive, zero on it. Within 1 cm up to 1 km from the edge; far from it only the sign
    /// and the size are to be trusted.
    pub fn signed_distance(&self, position: &Position) -> Meters {
        Meters::lossy(match self {
            Self::Circle(circle) => circle.radius.get() - circle.center.distance(position).get(),
            Self::Area(area) => area.signed_distance(position),
            Self::Corridor(corridor) => corridor.signed_distance(position),
        })
    }

    /// Whether the shape holds the place, edge included: the sign of [`Self::signed_distance`], sooner.
    pub fn holds(&self, position: &Position) -> bool {
        match self {
            Self::Area(area) => area.side(position.grid()) != Side::Outside,
            Self::Circle(_) | Self::Corridor(_) => self.signed_distance(position) >= Meters::ZERO,
        }
    }

    /// Whether the straight way between two places outside touches the shape. Within 2 degrees of a pole a corridor is
    /// taken for flat, and the answer is only roughly right.
    pub fn touched_by(&self, from: &Position, to: &Position) -> bool {
        let from = from.grid();
        let to = to.grid().turned_toward(from.x);
        match self {
            Self::Circle(circle) => {
                let center = circle.center.grid().turned_toward(from.x);
                let frame = Frame::at(center);
                let (fraction, _) = frame.nearest_on(from, to);
                frame.measure(from, to, fraction) <= circle.radius.get()
            }
            Self::Area(area) => area.touched_by(from, to),
            Self::Corridor(corridor) => corridor.touched_by(from, to),
        }
    }

    /// Characteristic size in metres, what accuracy is compared with: the radius of the circle of equal area; for a
    /// corridor half its width.
    pub fn size(&self) -> Meters {
        Meters::lossy(match self {
            Self::Circle(circle) => circle.radius.get(),
            Self::Area(area) => area.size(),
            Self::Corridor(corridor) => corridor.half_width(),
        })
    }
}

/// What the index asks of a shape.
impl Shape {
    /// A box round its places or line, and how many metres the shape reaches beyond it.
    pub(super) fn bounds_and_margin(&self) -> (Bounds, f64) {
        match self {
            Self::Circle(circle) => (circle.center.grid().into(), circle.radius.get()),
            Self::Area(area) => (area.bounds(), 0.0),
            Self::Corridor(corridor) => (corridor.bounds(), corridor.half_width()),
        }
    }

    /// Calls `f` with each edge of each ring in order, or each piece of a corridor's line; unwrapped like the bounds.
    pub(super) fn each_edge(&self, mut f: impl FnMut(GridPoint, GridPoint)) {
        match self {
            Self::Circle(_) => {}
            Self::Area(area) => area.edges().for_each(|(a, b)| f(a, b)),
            Self::Corridor(corridor) => corridor.pieces().for_each(|(a, b)| f(a, b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).expect("on earth")
    }

    #[test]
    fn circle_keeps_its_range() {
        for (radius, sound) in [(0.99, false), (1.0, true), (100_000.0, true), (100_000.1, false), (-5.0, false)] {
            assert_eq!(Shape::circle(at(0.0, 0.0), Meters::lossy(radius)).is_ok(), sound);
        }
    }

    #[test]
    fn circle_over_the_antimeridian_and_a_pole_is_whole() {
        let over = Shape::circle(at(179.9999, 10.0), Meters::lossy(100.0)).expect("in range");
        assert!(over.holds(&at(-179.9999, 10.0)) && !over.holds(&at(-179.999, 10.0)));
        assert!(over.touched_by(&at(179.99, 10.0), &at(-179.99, 10.0)));
        let pole = Shape::circle(at(0.0, 90.0), Meters::lossy(10_000.0)).expect("in range");
        assert!(pole.holds(&at(123.0, 89.92)) && !pole.holds(&at(-50.0, 89.9)));
    }

    #[test]
    fn size_is_the_radius_of_equal_area() {
        // 0.01 degrees at 60 north: 558.0 m by 1,114.1 m.
        let corners = vec![at(25.0, 59.995), at(25.01, 59.995), at(25.01, 60.005), at(25.0, 60.005)];
        let size = Shape::polygon(vec![corners]).expect("sound").size().get();
        assert!((size - (558.0_f64 * 1114.1 / std::f64::consts::PI).sqrt()).abs() < 0.1, "{size}");
    }

    #[test]
    fn way_past_a_shape_touches_it_only_when_it_does() {
        let corners = vec![at(0.0, 0.0), at(0.001, 0.0), at(0.001, 0.001), at(0.0, 0.001)];
        let square = Shape::polygon(vec![corners]).expect("sound");
        let circle = Shape::circle(at(0.0005, 0.0005), Meters::lossy(55.0)).expect("in range");
        let line = vec![at(0.0005, 0.0), at(0.0005, 0.001)];
        let corridor = Shape::corridor(line, Meters::lossy(20.0)).expect("sound");
        for shape in [square, circle, corridor] {
            assert!(shape.touched_by(&at(-0.01, 0.0005), &at(0.01, 0.0005)));
            assert!(!shape.touched_by(&at(-0.01, 0.0012), &at(0.01, 0.0012)));
        }
    }
}
