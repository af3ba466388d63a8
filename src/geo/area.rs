//! Areas: polygons with holes as they are kept, and what a place asks of them.
//!
//! Edges are straight in longitude and latitude (RFC 7946, 3.1.1); inside is even-odd over all rings, counted on the
//! whole cylinder of longitudes, so neither the direction in which a ring was drawn nor the antimeridian means
//! anything. An area is closed: a place exactly on an edge or a vertex is inside, of a hole's edge too. A pole is one
//! place, whatever its longitude.
//!
//! Kept are 8 bytes a vertex, in one list over all rings (each ends where it began), and for long lists the box of
//! each 16 edges, by which most edges are passed over.
//! Promise: membership is decided by exact whole-number tests; boxes change no answer, not in its last bit.

use super::metric::{Bounds, FULL_TURN, Frame, GridPoint, meters_per_unit2, segments_touch, sphere_area, turn};
use super::packed::{Packed, PackedBox};
use super::position::Position;
use super::ring::{Corner, POLE, Ring};
use super::shape::ShapeError;
use std::ops::Range;
use std::sync::Arc;

/// Edges that share a box.
const CHUNK: usize = 16;
/// Shapes of fewer edges are cheaper without boxes.
const BOXES_FROM: usize = 2 * CHUNK + 1;
/// What is said to be the distance to the edge of the whole earth, which has none: half its girth.
const NO_EDGE_METERS: f64 = 20_000_000.0;

/// One region of one or several parts, each an outline with holes. Cheap to clone.
#[derive(Clone, PartialEq)]
pub struct Area(Arc<Stored>);

#[derive(PartialEq)]
struct Stored {
    high: GridPoint,
    points: Packed,
    /// Where each ring ends in the list; none written down when there is only one.
    rings: Box<[RingEnd]>,
    /// The box of each chunk; none for short lists.
    boxes: Box<[PackedBox]>,
    /// The edges that are none on the ground, by their number, rising.
    seams: Box<[u32]>,
    /// Radius in metres of the circle of equal area.
    size: f64,
}

#[derive(Clone, Copy, PartialEq)]
struct RingEnd {
    end: u32,
    outer: bool,
}

/// A stretch of edges of one ring, by their numbers, and its box.
type Chunk = (Range<usize>, Option<PackedBox>);

/// Where a place lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Inside,
    Edge,
    Outside,
}

impl Area {
    /// Keeps rings that were checked: the outline first in each part, everything in the one order that there is.
    pub(super) fn of(parts: &[Vec<Ring>]) -> Result<Self, ShapeError> {
        let (mut points, mut ends, mut seams) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            for (i, ring) in part.iter().enumerate() {
                for corner in &ring.corners {
                    if corner.seam {
                        seams.push(points.len() as u32);
                    }
                    points.push(corner.at);
                }
                points.push(ring.at(0));
                ends.push(RingEnd { end: points.len() as u32, outer: i == 0 });
            }
        }
        let bounds = Bounds::around(points.iter().copied()).ok_or(ShapeError::TooFewVertices)?;
        let packed = Packed::of(&points).ok_or(ShapeError::TooWide)?;
        let rings = if ends.len() == 1 { Vec::new() } else { ends };
        let mut stored = Stored {
            high: bounds.high,
            points: packed,
            rings: rings.into(),
            boxes: Box::default(),
            seams: seams.into(),
            size: size(parts, &bounds),
        };
        if points.len() > BOXES_FROM {
            let boxes = stored.chunks().map(|(edges, _)| stored.points.box_of(edges.start..=edges.end));
            stored.boxes = boxes.collect::<Option<_>>().ok_or(ShapeError::TooWide)?;
        }
        Ok(Self(Arc::new(stored)))
    }

    /// All edges in the order of the rings, each ring closed; they may run past +-180 degrees. Seams are among them:
    /// on both sides of one is the same, so whoever counts crossings counts them too.
    pub(super) fn edges(&self) -> impl Iterator<Item = (GridPoint, GridPoint)> + '_ {
        let all = self.0.chunks().flat_map(|(edges, _)| edges);
        all.map(|i| (self.0.points.at(i), self.0.points.at(i + 1)))
    }

    /// The rings as they are kept, and whether each is an outline: its holes follow it.
    pub(super) fn rings(&self) -> impl Iterator<Item = (bool, Ring)> + '_ {
        let corner = |i: usize| Corner { at: self.0.points.at(i), seam: self.0.is_seam(i) };
        self.0.ring_ranges().map(move |(range, outer)| (outer, Ring { corners: range.map(corner).collect() }))
    }

    /// Whether it was drawn with a cut along the antimeridian, which is no edge.
    pub fn is_joined(&self) -> bool {
        self.0.seams.iter().any(|&i| {
            let (a, b) = (self.0.points.at(i as usize), self.0.points.at(i as usize + 1));
            a.x == b.x && (a.x - FULL_TURN / 2).rem_euclid(FULL_TURN) == 0
        })
    }

    /// How many vertices there are in all rings.
    pub fn vertices(&self) -> usize {
        self.0.ring_ranges().map(|(range, _)| range.len()).sum()
    }

    /// The box round all rings.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { low: self.0.points.low(), high: self.0.high }
    }

    /// Metres: the radius of the circle of the same area.
    pub(super) fn size(&self) -> f64 {
        self.0.size
    }

    /// Where a place lies, exactly.
    pub(super) fn side(&self, p: GridPoint) -> Side {
        if p.y.abs() == POLE {
            return self.0.side_of_pole(p.y);
        }
        let mut inside = false;
        for copy in self.copies(p) {
            match self.0.odd(copy) {
                Some(odd) => inside ^= odd,
                None => return Side::Edge,
            }
        }
        if inside { Side::Inside } else { Side::Outside }
    }

    /// Metres to the nearest edge, inside positive.
    pub(super) fn signed_distance(&self, position: &Position) -> f64 {
        let p = position.grid();
        match self.side(p) {
            Side::Edge => 0.0,
            Side::Inside => self.meters_to_edge(p),
            // Never zero, so that the sign alone tells the side.
            Side::Outside => -self.meters_to_edge(p).max(f64::MIN_POSITIVE),
        }
    }

    /// Whether the straight way between two places outside has a point in it.
    pub(super) fn touched_by(&self, from: GridPoint, to: GridPoint) -> bool {
        let middle = self.bounds().middle_x();
        let home = from.turned_toward(middle).x - from.x;
        let moved = |p: GridPoint, turn: i64| GridPoint { x: p.x + home + turn, y: p.y };
        [0, FULL_TURN, -FULL_TURN].into_iter().any(|turn| self.0.touched_by(moved(from, turn), moved(to, turn)))
    }

    /// The place at each whole turn that lies within the bounds.
    fn copies(&self, p: GridPoint) -> impl Iterator<Item = GridPoint> {
        let Bounds { low, high } = self.bounds();
        let first = low.x + (p.x - low.x).rem_euclid(FULL_TURN);
        let end = if low.y <= p.y && p.y <= high.y { high.x } else { first - 1 };
        (0..)
            .map(move |turns| first + turns * FULL_TURN)
            .take_while(move |x| *x <= end)
            .map(move |x| GridPoint { x, y: p.y })
    }

    fn meters_to_edge(&self, p: GridPoint) -> f64 {
        let home = p.turned_toward(self.bounds().middle_x());
        let mut best: Option<(f64, f64, usize, Frame)> = None;
        for turn in [0, FULL_TURN, -FULL_TURN] {
            let frame = Frame::at(GridPoint { x: home.x + turn, y: home.y });
            let bound = best.as_ref().map_or(f64::INFINITY, |b| b.0);
            if let Some((square, fraction, edge)) = self.0.nearest(&frame, bound) {
                best = Some((square, fraction, edge, frame));
            }
        }
        best.map_or(NO_EDGE_METERS, |(_, fraction, edge, frame)| {
            frame.measure(self.0.points.at(edge), self.0.points.at(edge + 1), fraction)
        })
    }
}

impl Stored {
    /// The edges of each ring, by their numbers, and whether it is an outline.
    fn ring_ranges(&self) -> impl Iterator<Item = (Range<usize>, bool)> + '_ {
        let only = RingEnd { end: self.points.len() as u32, outer: true };
        let count = self.rings.len().max(1);
        let mut start = 0;
        (0..count).map(move |i| {
            let ring = self.rings.get(i).copied().unwrap_or(only);
            let range = start..ring.end as usize - 1;
            start = ring.end as usize;
            (range, ring.outer)
        })
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk> + '_ {
        let cut = |range: Range<usize>| {
            let end = range.end;
            range.step_by(CHUNK).map(move |from| from..end.min(from + CHUNK))
        };
        let ranges = self.ring_ranges().flat_map(move |(range, _)| cut(range));
        ranges.enumerate().map(|(i, edges)| (edges, self.boxes.get(i).copied()))
    }

    fn is_seam(&self, edge: usize) -> bool {
        !self.seams.is_empty() && self.seams.binary_search(&(edge as u32)).is_ok()
    }

    /// Even-odd with a ray to the east; `None` on an edge. A place on a seam counts as just east of it, an edge as
    /// reaching from its lower end up to, without, its upper one.
    fn odd(&self, p: GridPoint) -> Option<bool> {
        let low = self.points.low();
        let (px, py) = (p.x - low.x, p.y - low.y);
        let mut odd = false;
        for (edges, bounds) in self.chunks() {
            if let Some(Bounds { low, high }) = bounds.map(PackedBox::offsets) {
                if py < low.y || high.y < py || high.x < px {
                    continue;
                }
                if px < low.x {
                    // All of it lies to the east: only on which side it starts and ends matters.
                    let above = |i: usize| self.points.offset(i).y > py;
                    odd ^= above(edges.start) != above(edges.end);
                    continue;
                }
            }
            for i in edges {
                let (a, b) = (self.points.offset(i), self.points.offset(i + 1));
                if py < a.y.min(b.y) || a.y.max(b.y) < py || a.x.max(b.x) < px {
                    continue;
                }
                let spans = (a.y > py) != (b.y > py);
                if px < a.x.min(b.x) {
                    odd ^= spans;
                    continue;
                }
                let (lower, upper) = if a.y <= b.y { (a, b) } else { (b, a) };
                let side = turn(lower, upper, GridPoint { x: px, y: py });
                if side == 0 && !self.is_seam(i) {
                    return None;
                }
                odd ^= spans && side > 0;
            }
        }
        Some(odd)
    }

    /// A pole is on the edge where an edge on the ground ends there; else inside when the ways along it make whole turns.
    fn side_of_pole(&self, pole: i64) -> Side {
        let mut inside = false;
        for (range, _) in self.ring_ranges() {
            let mut way = 0;
            for i in range {
                let (a, b) = (self.points.at(i), self.points.at(i + 1));
                match (a.y == pole, b.y == pole) {
                    (true, true) => way += b.x - a.x,
                    (true, false) | (false, true) if !self.is_seam(i) => return Side::Edge,
                    _ => {}
                }
            }
            inside ^= way.abs() == FULL_TURN;
        }
        if inside { Side::Inside } else { Side::Outside }
    }

    /// The edge nearest to the frame's place, if its square is below `bound`: square, fraction of the edge, number.
    /// Of several equally near the first, as if each were looked at.
    fn nearest(&self, frame: &Frame, bound: f64) -> Option<(f64, f64, usize)> {
        let low = self.points.low();
        let square_to = |bounds: PackedBox| frame.least_square(&bounds.offsets().moved(low));
        if frame.least_square(&Bounds { low, high: self.high }) > bound {
            return None;
        }
        let within = |edges: Range<usize>, mut best: (f64, f64, usize)| {
            for i in edges.filter(|&i| !self.is_seam(i)) {
                let (fraction, square) = frame.nearest_on(self.points.at(i), self.points.at(i + 1));
                if square < best.0 {
                    best = (square, fraction, i);
                }
            }
            best
        };
        // The chunk whose box is nearest gives a bound that spares most of the others.
        let mut reach = bound;
        if let Some((nearest, _)) =
            self.boxes.iter().copied().map(square_to).enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b))
            && let Some((edges, _)) = self.chunks().nth(nearest)
        {
            reach = within(edges, (bound, 0.0, usize::MAX)).0;
        }
        let mut best = (bound, 0.0, usize::MAX);
        for (edges, bounds) in self.chunks() {
            if bounds.is_none_or(|bounds| square_to(bounds) <= reach) {
                best = within(edges, best);
            }
        }
        (best.2 != usize::MAX).then_some(best)
    }

    fn touched_by(&self, from: GridPoint, to: GridPoint) -> bool {
        let way = Bounds::from(from).union(to.into());
        let low = self.points.low();
        if !way.meets(&Bounds { low, high: self.high }) {
            return false;
        }
        let meets = |bounds: PackedBox| way.meets(&bounds.offsets().moved(low));
        self.chunks().filter(|(_, bounds)| bounds.is_none_or(meets)).any(|(mut edges, _)| {
            edges.any(|i| {
                let (a, b) = (self.points.at(i), self.points.at(i + 1));
                way.meets(&Bounds::from(a).union(b.into())) && !self.is_seam(i) && segments_touch(a, b, from, to)
            })
        })
    }
}

/// Radius in metres of the circle of the area's size: small ones at the scale of their middle, large ones on the
/// sphere of equal surface.
fn size(parts: &[Vec<Ring>], bounds: &Bounds) -> f64 {
    let rings = || parts.iter().flatten();
    let square_meters = if bounds.high.y - bounds.low.y < FULL_TURN / 360 {
        let middle = GridPoint { x: 0, y: (bounds.low.y + bounds.high.y) / 2 };
        rings().map(|ring| ring.twice_area() as f64 / 2.0).sum::<f64>() * meters_per_unit2(middle)
    } else {
        rings().flat_map(Ring::edges).map(|(a, b, _)| sphere_area(a, b)).sum()
    };
    (square_meters.max(0.0) / std::f64::consts::PI).sqrt()
}
