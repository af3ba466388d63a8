//! Polygons with holes, one or several: what makes them sound, checked once before they become an [`Area`].
//!
//! Accepted is what OGC calls valid, and a little more: rings may touch one another in single points, a hole its
//! outline too. Refused, not repaired, is what would not mean what was drawn: a repair would have to guess.
//! Promise: the same rings in another order, direction or start give the same [`Area`], bit for bit.

use super::area::{Area, Side};
use super::metric::{Bounds, FULL_TURN, GridPoint, on_segment, segments_cross, segments_touch, turn};
use super::position::Position;
use super::ring::{Ring, join_at_antimeridian};
use super::shape::ShapeError;

/// Most vertices in one shape, over all its rings: the most detailed time zone has 15,041. Bounds what an unlucky
/// order of edges can cost when they are checked against one another.
pub const VERTICES_MAX: usize = 20_000;

/// One polygon: the outer ring first, then its holes.
pub type Rings = Vec<Vec<Position>>;

/// Checks the rings of each part, and keeps them.
pub(super) fn area_of(parts: &[Rings]) -> Result<Area, ShapeError> {
    if parts.iter().flatten().map(Vec::len).sum::<usize>() > VERTICES_MAX {
        return Err(ShapeError::TooManyVertices);
    }
    let mut polygons = parts.iter().map(|rings| polygon(rings)).collect::<Result<Vec<_>, _>>()?;
    if polygons.is_empty() {
        return Err(ShapeError::TooFewVertices);
    }
    put_together(&mut polygons);
    let mut joined = polygons.clone();
    join_at_antimeridian(joined.iter_mut().flatten());
    refuse_crossings(&joined)?;
    // Where parts lie is asked of them as they are, cuts and all.
    let outlines = polygons.iter().map(|rings| alone(&rings[0])).collect::<Result<Vec<_>, _>>()?;
    for (rings, outline) in polygons.iter().zip(&outlines) {
        refuse_bad_holes(rings, outline)?;
    }
    if polygons.len() > 1 {
        let whole = polygons.iter().map(|rings| Area::of(&[in_order(rings)])).collect::<Result<Vec<_>, _>>()?;
        let shells: Vec<&Ring> = polygons.iter().map(|rings| &rings[0]).collect();
        if some_within_another(&whole, &shells, |i| &polygons[i]) {
            return Err(ShapeError::PartsOverlap);
        }
    }
    let mut sorted: Vec<Vec<Ring>> = joined.iter().map(|rings| in_order(rings)).collect();
    sorted.sort_by_cached_key(|rings| rings[0].at(0));
    let low = sorted.iter().flatten().map(|ring| ring.bounds().low.x).min().unwrap_or(0);
    let home = (low + FULL_TURN / 2).rem_euclid(FULL_TURN) - FULL_TURN / 2 - low;
    let turned = |rings: Vec<Ring>| rings.into_iter().map(|ring| ring.turned(home)).collect();
    let sorted: Vec<Vec<Ring>> = sorted.into_iter().map(turned).collect();
    Area::of(&sorted)
}

/// The rings of one part, the holes put where the outline is.
fn polygon(rings: &[Vec<Position>]) -> Result<Vec<Ring>, ShapeError> {
    let mut rings = rings.iter().map(|ring| Ring::new(ring));
    let outline = rings.next().ok_or(ShapeError::TooFewVertices)??;
    let home = outline.bounds().middle_x();
    let mut all = vec![outline];
    for hole in rings {
        all.push(beside(hole?, home));
    }
    Ok(all)
}

/// The ring, by whole turns as near to that longitude as can be.
fn beside(ring: Ring, x: i64) -> Ring {
    let middle = ring.bounds().middle_x();
    let dx = GridPoint { x: middle, y: 0 }.turned_toward(x).x - middle;
    ring.turned(dx)
}

/// Puts all parts beside the widest one, so that together they span as little as can be.
fn put_together(polygons: &mut [Vec<Ring>]) {
    let turned_home = |rings: &[Ring]| {
        let low = rings[0].bounds().low;
        ((low.x + FULL_TURN / 2).rem_euclid(FULL_TURN), low.y)
    };
    let width = |rings: &[Ring]| {
        let bounds = rings[0].bounds();
        bounds.high.x - bounds.low.x
    };
    let key = |rings: &Vec<Ring>| (-width(rings), turned_home(rings));
    let Some(home) = polygons.iter().min_by_key(|rings| key(rings)).map(|rings| rings[0].bounds().middle_x()) else {
        return;
    };
    for rings in polygons {
        let middle = rings[0].bounds().middle_x();
        let dx = GridPoint { x: middle, y: 0 }.turned_toward(home).x - middle;
        *rings = std::mem::take(rings).into_iter().map(|ring| ring.turned(dx)).collect();
    }
}

/// The outline counter-clockwise, the holes clockwise and sorted.
fn in_order(rings: &[Ring]) -> Vec<Ring> {
    let mut ordered: Vec<Ring> = rings.iter().enumerate().map(|(i, ring)| ring.clone().in_order(i == 0)).collect();
    ordered[1..].sort_by_cached_key(|ring| (ring.at(0), ring.at(1)));
    ordered
}

fn alone(ring: &Ring) -> Result<Area, ShapeError> {
    Area::of(&[vec![ring.clone()]])
}

/// Holes lie within their outline and not within one another; crossings were refused before.
fn refuse_bad_holes(rings: &[Ring], outline: &Area) -> Result<(), ShapeError> {
    for hole in &rings[1..] {
        let astray = hole.edges().any(|(a, b, _)| match (outline.side(a), outline.side(b)) {
            (Side::Outside, _) => true,
            (Side::Edge, Side::Edge) => side_of_middle(&rings[..1], a, b) == Side::Outside,
            _ => false,
        });
        if astray {
            return Err(ShapeError::HoleOutside);
        }
    }
    let holes = rings[1..].iter().map(alone).collect::<Result<Vec<_>, _>>()?;
    let bare: Vec<&Ring> = rings[1..].iter().collect();
    if some_within_another(&holes, &bare, |i| &rings[i + 1..=i + 1]) {
        return Err(ShapeError::HoleInHole);
    }
    Ok(())
}

/// Whether an outline has a corner or the middle of an edge within another of the areas, whose rings `rings` gives.
fn some_within_another<'r>(areas: &[Area], outlines: &[&Ring], rings: impl Fn(usize) -> &'r [Ring]) -> bool {
    let boxes: Vec<Bounds> = areas.iter().map(Area::bounds).collect();
    let near = |a: &Bounds, b: &Bounds| {
        [0, FULL_TURN, -FULL_TURN].into_iter().any(|turn| a.meets(&b.moved(GridPoint { x: turn, y: 0 })))
    };
    areas.iter().enumerate().any(|(i, area)| {
        outlines.iter().enumerate().any(|(j, outline)| {
            i != j
                && near(&boxes[i], &boxes[j])
                && outline.edges().any(|(a, b, _)| match (area.side(a), area.side(b)) {
                    (Side::Inside, _) => true,
                    (Side::Edge, Side::Edge) => side_of_middle(rings(i), a, b) == Side::Inside,
                    _ => false,
                })
        })
    })
}

/// Where the middle of an edge lies that runs from edge to edge, on a grid twice as fine.
fn side_of_middle(rings: &[Ring], a: GridPoint, b: GridPoint) -> Side {
    let double = |p: GridPoint| GridPoint { x: 2 * p.x, y: 2 * p.y };
    let mut inside = false;
    for turn_x in [0, 2 * FULL_TURN, -2 * FULL_TURN] {
        let p = GridPoint { x: a.x + b.x + turn_x, y: a.y + b.y };
        for (a, b, seam) in rings.iter().flat_map(Ring::edges) {
            let (a, b) = (double(a), double(b));
            if !seam && on_segment(a, b, p) {
                return Side::Edge;
            }
            let (lower, upper) = if a.y <= b.y { (a, b) } else { (b, a) };
            inside ^= (a.y > p.y) != (b.y > p.y) && turn(lower, upper, p) > 0;
        }
    }
    if inside { Side::Inside } else { Side::Outside }
}

/// An edge and where it belongs, for the sweep below.
#[derive(Clone, Copy)]
struct Edge {
    a: GridPoint,
    b: GridPoint,
    ring: usize,
    place: usize,
    ring_len: usize,
    /// The same edge a turn further east.
    copy: bool,
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
        if self.ring != other.ring || self.copy != other.copy {
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
fn refuse_crossings(polygons: &[Vec<Ring>]) -> Result<(), ShapeError> {
    let rings = polygons.iter().flatten().enumerate();
    let mut edges: Vec<Edge> = rings
        .flat_map(|(ring, r)| {
            let ring_len = r.corners.len();
            let on_ground = r.edges().enumerate().filter(|(_, (_, _, seam))| !seam);
            on_ground.map(move |(place, (a, b, _))| Edge { a, b, ring, place, ring_len, copy: false })
        })
        .collect();
    let all = polygons.iter().flatten().map(Ring::bounds).reduce(Bounds::union);
    if all.is_some_and(|all| all.high.x - all.low.x >= FULL_TURN) {
        // Only then can edges meet that lie a turn apart.
        let east = |p: GridPoint| GridPoint { x: p.x + FULL_TURN, y: p.y };
        edges.extend(edges.clone().into_iter().map(|e| Edge { a: east(e.a), b: east(e.b), copy: true, ..e }));
    }
    edges.sort_unstable_by_key(|e| e.a.x.min(e.b.x));
    for (i, edge) in edges.iter().enumerate() {
        let east = edge.a.x.max(edge.b.x);
        let (south, north) = (edge.a.y.min(edge.b.y), edge.a.y.max(edge.b.y));
        for other in edges[i + 1..].iter().take_while(|o| o.a.x.min(o.b.x) <= east) {
            let apart = other.a.y.max(other.b.y) < south || north < other.a.y.min(other.b.y);
            if !(apart || edge.copy && other.copy) && edge.conflicts(other) {
                return Err(if edge.ring == other.ring { ShapeError::SelfCrossing } else { ShapeError::RingsCross });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
