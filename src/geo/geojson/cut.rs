//! Cutting at the antimeridian, as RFC 7946 (3.1.9) wants areas that cross it.
//!
//! An area whose parts all lie within -180 to 180 degrees is written as it is kept. For any other all edges on the
//! ground are laid out on the cylinder of longitudes, broken where they cross the antimeridian, and linked anew along
//! it: going north, an area lies between an edge that goes east and the next one that goes west. A pole inside is
//! written as an edge along it. Places of crossing are rounded to the grid, half a unit (6 mm) at most.

use crate::geo::area::{Area, Side};
use crate::geo::metric::{FULL_TURN, GridPoint, UNITS_PER_DEGREE, on_segment};
use crate::geo::ring::{Corner, POLE, Ring};
use std::collections::BTreeMap;

/// The antimeridian, seen from the west.
const HALF: i64 = FULL_TURN / 2;

/// The rings of a part in degrees, the outline first, none closed.
type Part = Vec<Vec<(f64, f64)>>;

/// The parts of an area, none of them across the antimeridian.
pub(super) fn cut(area: &Area) -> Vec<Part> {
    let parts = whole_parts(area).unwrap_or_else(|| parts_of(strips(area)));
    let degrees = |p: GridPoint| (p.x as f64 / UNITS_PER_DEGREE, p.y as f64 / UNITS_PER_DEGREE);
    let ring = |ring: Vec<GridPoint>| in_steps(&ring).into_iter().map(degrees).collect();
    parts.into_iter().map(|rings| rings.into_iter().map(ring).collect()).collect()
}

/// A way along a pole of more than half a turn, but not a whole one, in two steps: else it would be read as the shorter
/// way round.
fn in_steps(ring: &[GridPoint]) -> Vec<GridPoint> {
    let mut points = Vec::with_capacity(ring.len());
    for (i, &a) in ring.iter().enumerate() {
        points.push(a);
        let b = ring[(i + 1) % ring.len()];
        let way = (b.x - a.x).abs();
        if a.y.abs() == POLE && a.y == b.y && way > HALF && way != FULL_TURN {
            points.push(GridPoint { x: (a.x + b.x) / 2, y: a.y });
        }
    }
    points
}

/// The parts as they are, if none needs a cut.
fn whole_parts(area: &Area) -> Option<Vec<Vec<Vec<GridPoint>>>> {
    let mut parts: Vec<Vec<Vec<GridPoint>>> = Vec::new();
    let mut home = 0;
    for (outer, ring) in area.rings() {
        let bounds = ring.bounds();
        if outer {
            home = if bounds.low.x >= HALF { -FULL_TURN } else { 0 };
            parts.push(Vec::new());
        }
        if bounds.low.x + home < -HALF || bounds.high.x + home > HALF {
            return None;
        }
        parts.last_mut()?.push(ring.corners.iter().map(|c| GridPoint { x: c.at.x + home, y: c.at.y }).collect());
    }
    Some(parts)
}

/// All rings of the area between -180 and 180 degrees, outlines counter-clockwise.
fn strips(area: &Area) -> Vec<Vec<GridPoint>> {
    let (mut rings, mut chains) = (Vec::new(), Vec::new());
    for ring in rings_on_cylinder(area) {
        break_at_antimeridian(&ring, &mut rings, &mut chains);
    }
    let pole = |pole: i64| area.rings().filter(|(_, ring)| goes_round(ring, pole)).count() % 2 == 1;
    let corner = |x: i64, y: i64| GridPoint { x, y };
    // In two steps, so that a piece of it is never read as the shorter way round.
    if pole(POLE) {
        chains.push(vec![corner(HALF, POLE), corner(0, POLE), corner(-HALF, POLE)]);
    }
    if pole(-POLE) {
        chains.push(vec![corner(-HALF, -POLE), corner(0, -POLE), corner(HALF, -POLE)]);
    }
    rings.extend(link(&chains).into_iter().flat_map(apart));
    rings
}

/// Whether a ring is closed by the whole way along a pole.
fn goes_round(ring: &Ring, pole: i64) -> bool {
    let along = ring.edges().filter(|(a, b, _)| a.y == pole && b.y == pole);
    along.map(|(a, b, _)| b.x - a.x).sum::<i64>().abs() == FULL_TURN
}

/// The edges on the ground as closed lines without jumps: each ends where it began, or whole turns further.
fn rings_on_cylinder(area: &Area) -> Vec<Vec<GridPoint>> {
    let same = |p: GridPoint| (p.x.rem_euclid(FULL_TURN), p.y);
    let (mut closed, mut open) = (Vec::new(), BTreeMap::<(i64, i64), Vec<Vec<GridPoint>>>::new());
    for (_, ring) in area.rings() {
        let n = ring.corners.len();
        let on_pole = |i: usize| ring.at(i).y.abs() == POLE && ring.at(i).y == ring.at(i + 1).y;
        // A way along the pole that is part of its edge is drawn; the way round it is not.
        let round = [POLE, -POLE].map(|pole| goes_round(&ring, pole));
        let is_round = |i: usize| if ring.at(i).y > 0 { round[0] } else { round[1] };
        let gone = |i: usize| ring.corners[i].seam && (!on_pole(i) || is_round(i));
        let Some(start) = (0..n).find(|&i| gone((i + n - 1) % n)) else {
            closed.push((0..=n).map(|i| ring.at(i)).collect());
            continue;
        };
        let mut path = vec![ring.at(start)];
        for i in start..start + n {
            if gone(i % n) {
                let done = std::mem::replace(&mut path, vec![ring.at(i + 1)]);
                if done.len() > 1 {
                    open.entry(same(done[0])).or_default().push(done);
                }
            } else {
                path.push(ring.at(i + 1));
            }
        }
    }
    while let Some((_, mut from)) = open.pop_first() {
        while let Some(mut path) = from.pop() {
            let start = same(path[0]);
            while let Some(&end) = path.last().filter(|end| same(**end) != start) {
                let Some(next) = open.get_mut(&same(end)).and_then(Vec::pop) else { break };
                let dx = end.x - next[0].x;
                path.extend(next[1..].iter().map(|p| GridPoint { x: p.x + dx, y: p.y }));
            }
            closed.push(path);
        }
    }
    closed
}

/// Breaks a closed line into its stretches between crossings, each moved to -180 to 180 degrees.
fn break_at_antimeridian(ring: &[GridPoint], rings: &mut Vec<Vec<GridPoint>>, chains: &mut Vec<Vec<GridPoint>>) {
    let strip = |p: GridPoint| (p.x + HALF).div_euclid(FULL_TURN);
    let moved = |p: GridPoint, strip: i64| GridPoint { x: p.x - strip * FULL_TURN, y: p.y };
    let mut broken: Vec<Vec<GridPoint>> = vec![Vec::new()];
    for pair in ring.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (from, to) = (strip(a), strip(b));
        if let Some(chain) = broken.last_mut() {
            chain.push(moved(a, from));
        }
        if from == to {
            continue;
        }
        let line = HALF + from.min(to) * FULL_TURN;
        let part = (line - a.x) as f64 / (b.x - a.x) as f64;
        let y = if b.x == line {
            b.y
        } else if a.x == line {
            a.y
        } else {
            a.y + (part * (b.y - a.y) as f64).round() as i64
        };
        let east = to > from;
        let end = GridPoint { x: if east { HALF } else { -HALF }, y };
        if let Some(chain) = broken.last_mut() {
            chain.push(end);
        }
        broken.push(vec![GridPoint { x: -end.x, y }]);
    }
    if broken.len() == 1 {
        rings.append(&mut broken);
        return;
    }
    // The last stretch goes on as the first.
    if let Some(mut last) = broken.pop() {
        last.append(&mut broken[0]);
        broken[0] = last;
    }
    chains.append(&mut broken);
}

/// Links stretches along the antimeridian to closed rings.
fn link(chains: &[Vec<GridPoint>]) -> Vec<Vec<GridPoint>> {
    let mut next = vec![None; chains.len()];
    for line in [HALF, -HALF] {
        // On the eastern line stretches end going east and begin going west; on the western line the other way round.
        let going_east = |is_end: bool| is_end == (line == HALF);
        let mut ends: Vec<(i64, bool, usize)> = Vec::new();
        for (i, chain) in chains.iter().enumerate() {
            for (point, is_end) in [(chain.first(), false), (chain.last(), true)] {
                ends.extend(point.filter(|p| p.x == line).map(|p| (p.y, going_east(is_end), i)));
            }
        }
        ends.sort_unstable();
        let mut lower = None;
        while !ends.is_empty() {
            // Of several at one latitude, the one that fits.
            let y = ends[0].0;
            let fits = ends.iter().take_while(|end| end.0 == y).position(|end| end.1 == lower.is_none());
            let (_, _, chain) = ends.remove(fits.unwrap_or(0));
            lower = match lower {
                None => Some(chain),
                Some(below) => {
                    // East of the antimeridian one goes down it, west of it up.
                    let (from, to): (usize, usize) = if line == HALF { (below, chain) } else { (chain, below) };
                    next[from] = Some(to);
                    None
                }
            };
        }
    }
    let mut rings = Vec::new();
    for start in 0..chains.len() {
        let (mut ring, mut at) = (Vec::new(), Some(start));
        while let Some(i) = at {
            ring.extend_from_slice(&chains[i]);
            at = next[i].take();
            if at == Some(start) {
                rings.push(std::mem::take(&mut ring));
                break;
            }
        }
    }
    rings
}

/// The rings that a linked one consists of: a hole that touched its outline, or another hole, may now be part of one
/// ring with it, and a ring must not touch itself.
fn apart(mut ring: Vec<GridPoint>) -> Vec<Vec<GridPoint>> {
    ring.dedup();
    if ring.len() > 1 && ring.first() == ring.last() {
        ring.pop();
    }
    let mut sorted = ring.clone();
    sorted.sort_unstable();
    sorted.dedup();
    // Every corner that lies on an edge becomes a corner of it.
    let mut corners = Vec::with_capacity(ring.len());
    for (i, &a) in ring.iter().enumerate() {
        let b = ring[(i + 1) % ring.len()];
        corners.push(a);
        let from = sorted.partition_point(|p| p.x < a.x.min(b.x));
        let near = sorted[from..].iter().take_while(|p| p.x <= a.x.max(b.x));
        let mut between: Vec<GridPoint> =
            near.copied().filter(|&p| p != a && p != b && on_segment(a, b, p)).collect();
        if a > b {
            between.reverse();
        }
        corners.extend(between);
    }
    let (mut rings, mut open, mut seen) = (Vec::new(), Vec::<GridPoint>::new(), BTreeMap::new());
    for p in corners {
        if let Some(&start) = seen.get(&p) {
            let loose: Vec<GridPoint> = open.drain(start..).collect();
            for p in &loose {
                seen.remove(p);
            }
            rings.push(loose);
        }
        seen.insert(p, open.len());
        open.push(p);
    }
    rings.push(open);
    rings
}

/// Outlines with their holes.
fn parts_of(rings: Vec<Vec<GridPoint>>) -> Vec<Vec<Vec<GridPoint>>> {
    let (mut shells, mut holes): (Vec<Ring>, Vec<Ring>) = (Vec::new(), Vec::new());
    for mut points in rings {
        points.dedup();
        if points.len() > 1 && points.first() == points.last() {
            points.pop();
        }
        let ring = Ring { corners: points.into_iter().map(|at| Corner { at, seam: false }).collect() };
        match if ring.corners.len() < 3 { 0 } else { ring.twice_area() } {
            0 => {}
            area if area > 0 => shells.push(ring.in_order(true)),
            _ => holes.push(ring.in_order(false)),
        }
    }
    let areas: Vec<Option<Area>> = shells.iter().map(|shell| Area::of(&[vec![shell.clone()]]).ok()).collect();
    let mut parts: Vec<Vec<Ring>> = shells.into_iter().map(|shell| vec![shell]).collect();
    for hole in holes {
        let within = |area: &Option<Area>| {
            area.as_ref().is_some_and(|area| {
                let sides = hole.corners.iter().map(|corner| area.side(corner.at));
                sides.into_iter().find(|side| *side != Side::Edge).unwrap_or(Side::Inside) == Side::Inside
            })
        };
        let found = areas.iter().position(within).unwrap_or(0);
        if let Some(part) = parts.get_mut(found) {
            part.push(hole);
        }
    }
    let points = |ring: Ring| ring.corners.into_iter().map(|corner| corner.at).collect();
    parts.into_iter().map(|rings| rings.into_iter().map(points).collect()).collect()
}
