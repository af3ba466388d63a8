//! Polygons with holes, and several of them: checked once when made, then only asked.
//!
//! Edges are straight in longitude and latitude (RFC 7946, 3.1.1); inside is even-odd over all rings of a polygon, so
//! that the direction in which a ring was drawn means nothing. A polygon is closed: its edge belongs to it.
//! Promise: membership is decided by exact whole-number tests; a shape across the antimeridian is one piece.

use super::metric::{Bounds, Frame, GridPoint, meters_per_unit2, on_segment, segments_cross, segments_touch, turn};
use super::position::Position;
use super::shape::ShapeError;

/// Most vertices in one shape, over all its rings.
pub const VERTICES_MAX: usize = 10_000;

/// A closed line: at least three distinct vertices, the last joined to the first, not crossing itself.
#[derive(Clone)]
pub struct Ring {
    points: Vec<GridPoint>,
}

impl Ring {
    /// Takes the vertices in order; a repeated last vertex (as GeoJSON has it) is dropped, as are repeats in a row.
    fn new(vertices: Vec<Position>) -> Result<Self, ShapeError> {
        let mut points = unwrap_line(&vertices);
        points.dedup();
        // The way back to the start must not leave a whole turn over: that ring goes round a pole.
        if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
            if first.turned_toward(last.x).x != first.x {
                return Err(ShapeError::AroundPole);
            }
            if points.len() > 1 && first == last {
                points.pop();
            }
        }
        let mut distinct = points.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 3 {
            return Err(ShapeError::TooFewVertices);
        }
        if points.windows(3).all(|w| turn(w[0], w[1], w[2]) == 0) {
            return Err(ShapeError::ZeroArea);
        }
        Ok(Self { points })
    }

    /// Its vertices, the first not repeated.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.points.iter().map(|&p| Position::of_grid(p))
    }

    /// Its edges; the last leads back to the first vertex.
    fn edges(&self) -> impl Iterator<Item = (GridPoint, GridPoint)> + '_ {
        self.points.iter().copied().zip(self.points.iter().copied().cycle().skip(1))
    }

    fn bounds(&self) -> Bounds {
        Bounds::around(self.points.iter().copied()).expect("a ring was made with three vertices or more")
    }

    fn turned(self, dx: i64) -> Self {
        Self { points: self.points.into_iter().map(|p| GridPoint { x: p.x + dx, y: p.y }).collect() }
    }

    /// Square units enclosed.
    fn area(&self) -> f64 {
        let o = self.points[0];
        let twice: i128 = self.edges().map(|(a, b)| turn(o, a, b)).sum();
        twice.unsigned_abs() as f64 / 2.0
    }
}

/// Puts each vertex within half a turn of the one before it, so that a line over the antimeridian does not jump.
pub(super) fn unwrap_line(vertices: &[Position]) -> Vec<GridPoint> {
    let mut x = vertices.first().map_or(0, |p| p.grid().x);
    vertices
        .iter()
        .map(|p| {
            let p = p.grid().turned_toward(x);
            x = p.x;
            p
        })
        .collect()
}

/// One outer ring and its holes.
#[derive(Clone)]
pub struct Polygon {
    rings: Vec<Ring>,
    bounds: Bounds,
}

impl Polygon {
    /// Takes the outer ring first, then the holes, in any direction; refuses what would not mean what was drawn.
    pub fn new(rings: Vec<Vec<Position>>) -> Result<Self, ShapeError> {
        let polygon = Self::with_rings(rings)?;
        refuse_crossings(std::slice::from_ref(&polygon))?;
        polygon.refuse_holes_outside()?;
        Ok(polygon)
    }

    fn with_rings(rings: Vec<Vec<Position>>) -> Result<Self, ShapeError> {
        if rings.iter().map(Vec::len).sum::<usize>() > VERTICES_MAX {
            return Err(ShapeError::TooManyVertices);
        }
        let mut rings = rings.into_iter().map(Ring::new);
        let outer = rings.next().ok_or(ShapeError::TooFewVertices)??;
        let bounds = outer.bounds();
        let mut all = vec![outer];
        for hole in rings {
            let hole = hole?;
            let [middle, outer_middle] = [hole.bounds().middle_x(), bounds.middle_x()];
            let dx = GridPoint { x: middle, y: 0 }.turned_toward(outer_middle).x - middle;
            let hole = hole.turned(dx);
            if !bounds.holds(&hole.bounds()) {
                return Err(ShapeError::HoleOutside);
            }
            all.push(hole);
        }
        Ok(Self { rings: all, bounds })
    }

    /// Its rings, the outer first.
    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Vertices and the middles of edges of each hole must lie in the outer ring; crossings were refused before.
    fn refuse_holes_outside(&self) -> Result<(), ShapeError> {
        let (outer, holes) = self.rings.split_first().expect("made with an outer ring");
        // Twice the size, so that the middle of an edge is on the grid too.
        let double = |p: GridPoint| GridPoint { x: 2 * p.x, y: 2 * p.y };
        let outer = Ring { points: outer.points.iter().copied().map(double).collect() };
        let inside = |p: GridPoint| side_of(outer.edges(), p) != Side::Outside;
        let middle = |a: GridPoint, b: GridPoint| GridPoint { x: a.x + b.x, y: a.y + b.y };
        if holes.iter().all(|hole| hole.edges().all(|(a, b)| inside(double(a)) && inside(middle(a, b)))) {
            Ok(())
        } else {
            Err(ShapeError::HoleOutside)
        }
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = (GridPoint, GridPoint)> + '_ {
        self.rings.iter().flat_map(Ring::edges)
    }

    fn side(&self, p: GridPoint) -> Side {
        if self.bounds.holds(&p.into()) { side_of(self.edges(), p) } else { Side::Outside }
    }

    /// Metres from the frame's place to the nearest edge, inside positive.
    fn signed_meters(&self, p: GridPoint) -> f64 {
        let p = p.turned_toward(self.bounds.middle_x());
        let sign = match self.side(p) {
            Side::Inside => 1.0,
            Side::Edge => return 0.0,
            Side::Outside => -1.0,
        };
        let frame = Frame::at(p);
        let mut best = (f64::INFINITY, 0.0, p, p);
        for (a, b) in self.edges() {
            let (fraction, square) = frame.nearest_on(a, b);
            if square < best.0 {
                best = (square, fraction, a, b);
            }
        }
        let (_, fraction, a, b) = best;
        sign * frame.measure(a, b, fraction)
    }

    /// Whether the straight way between two places has a point on an edge.
    fn edge_touched_by(&self, from: GridPoint, to: GridPoint) -> bool {
        let turned = from.turned_toward(self.bounds.middle_x());
        let to = GridPoint { x: to.x + turned.x - from.x, y: to.y };
        self.edges().any(|(a, b)| {
            let apart = |a: i64, b: i64, c: i64, d: i64| a.max(b) < c.min(d) || c.max(d) < a.min(b);
            !apart(a.x, b.x, turned.x, to.x) && !apart(a.y, b.y, turned.y, to.y) && segments_touch(a, b, turned, to)
        })
    }

    fn square_meters(&self) -> f64 {
        let (outer, holes) = self.rings.split_first().expect("made with an outer ring");
        let units = outer.area() - holes.iter().map(Ring::area).sum::<f64>();
        let middle = GridPoint { x: 0, y: (self.bounds.low.y + self.bounds.high.y) / 2 };
        units.max(0.0) * meters_per_unit2(middle)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Edge,
    Outside,
}

/// Even-odd with a ray to the east. Exact; an edge counts for the half-open span of its latitudes, so that a ray
/// through a vertex is counted once.
fn side_of(edges: impl Iterator<Item = (GridPoint, GridPoint)>, p: GridPoint) -> Side {
    let mut inside = false;
    for (a, b) in edges {
        if on_segment(a, b, p) {
            return Side::Edge;
        }
        if (a.y > p.y) != (b.y > p.y) {
            let left = turn(a, b, p) > 0;
            inside ^= left == (b.y > a.y);
        }
    }
    if inside { Side::Inside } else { Side::Outside }
}

/// One region in several parts, such as the islands of a sea fortress. A place is inside when a part holds it.
#[derive(Clone)]
pub struct MultiPolygon {
    parts: Vec<Polygon>,
    bounds: Bounds,
}

impl MultiPolygon {
    /// Takes the rings of each part. Parts may meet in a point but not overlap: the seam would count as an edge.
    pub fn new(parts: Vec<Vec<Vec<Position>>>) -> Result<Self, ShapeError> {
        if parts.iter().flatten().map(Vec::len).sum::<usize>() > VERTICES_MAX {
            return Err(ShapeError::TooManyVertices);
        }
        let mut polygons: Vec<Polygon> = Vec::with_capacity(parts.len());
        for rings in parts {
            let mut polygon = Polygon::with_rings(rings)?;
            if let Some(first) = polygons.first() {
                let middle = polygon.bounds.middle_x();
                let dx = GridPoint { x: middle, y: 0 }.turned_toward(first.bounds.middle_x()).x - middle;
                let rings: Vec<Ring> = polygon.rings.into_iter().map(|ring| ring.turned(dx)).collect();
                let bounds = rings[0].bounds();
                polygon = Polygon { rings, bounds };
            }
            polygons.push(polygon);
        }
        let bounds = polygons.iter().map(|p| p.bounds).reduce(Bounds::union).ok_or(ShapeError::TooFewVertices)?;
        refuse_crossings(&polygons)?;
        for (i, part) in polygons.iter().enumerate() {
            part.refuse_holes_outside()?;
            let holds = |other: &Polygon| other.rings[0].points.iter().any(|&p| part.side(p) == Side::Inside);
            if polygons.iter().enumerate().any(|(j, other)| i != j && holds(other)) {
                return Err(ShapeError::PartsOverlap);
            }
        }
        Ok(Self { parts: polygons, bounds })
    }

    /// Its parts.
    pub fn parts(&self) -> &[Polygon] {
        &self.parts
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }
}

/// What a place asks of one polygon or several alike.
pub(super) trait Parts {
    /// The polygons; never none.
    fn polygons(&self) -> &[Polygon];

    /// Metres to the nearest edge, inside positive. Parts do not overlap, so the greatest is the true one.
    fn signed_distance(&self, p: &Position) -> f64 {
        self.polygons().iter().map(|part| part.signed_meters(p.grid())).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Whether the straight way between two places outside has a point in it.
    fn touched_by(&self, from: GridPoint, to: GridPoint) -> bool {
        self.polygons().iter().any(|part| part.edge_touched_by(from, to))
    }

    /// Metres: the radius of the circle of the same area.
    fn size(&self) -> f64 {
        let area: f64 = self.polygons().iter().map(Polygon::square_meters).sum();
        (area / std::f64::consts::PI).sqrt()
    }
}

impl Parts for Polygon {
    fn polygons(&self) -> &[Polygon] {
        std::slice::from_ref(self)
    }
}

impl Parts for MultiPolygon {
    fn polygons(&self) -> &[Polygon] {
        &self.parts
    }
}

/// An edge and where it belongs, for the sweep below.
struct Edge {
    a: GridPoint,
    b: GridPoint,
    ring: usize,
    place: usize,
    ring_len: usize,
}

impl Edge {
    /// Whether two edges of one ring follow each other; returns them in that order.
    fn in_order<'e>(&'e self, other: &'e Self) -> Option<(&'e Self, &'e Self)> {
        if (self.place + 1) % self.ring_len == other.place {
            Some((self, other))
        } else if (other.place + 1) % self.ring_len == self.place {
            Some((other, self))
        } else {
            None
        }
    }

    fn conflicts(&self, other: &Self) -> bool {
        if self.ring != other.ring {
            return segments_cross(self.a, self.b, other.a, other.b);
        }
        match self.in_order(other) {
            // Neighbours share a vertex; they conflict when the second turns back along the first.
            Some((first, second)) => {
                on_segment(first.a, first.b, second.b) || on_segment(second.a, second.b, first.a)
            }
            None => segments_touch(self.a, self.b, other.a, other.b),
        }
    }
}

/// Refuses rings that cross or touch themselves, and rings that cross or run along one another.
/// A sweep over the edges sorted by their west end: near linear for what people draw.
fn refuse_crossings(polygons: &[Polygon]) -> Result<(), ShapeError> {
    let rings = polygons.iter().flat_map(|p| &p.rings).enumerate();
    let mut edges: Vec<Edge> = rings
        .flat_map(|(ring, r)| {
            let ring_len = r.points.len();
            r.edges().enumerate().map(move |(place, (a, b))| Edge { a, b, ring, place, ring_len })
        })
        .collect();
    edges.sort_unstable_by_key(|e| e.a.x.min(e.b.x));
    for (i, edge) in edges.iter().enumerate() {
        let east = edge.a.x.max(edge.b.x);
        let (south, north) = (edge.a.y.min(edge.b.y), edge.a.y.max(edge.b.y));
        for other in edges[i + 1..].iter().take_while(|o| o.a.x.min(o.b.x) <= east) {
            let apart = other.a.y.max(other.b.y) < south || north < other.a.y.min(other.b.y);
            if !apart && edge.conflicts(other) {
                return Err(if edge.ring == other.ring { ShapeError::SelfCrossing } else { ShapeError::RingsCross });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
