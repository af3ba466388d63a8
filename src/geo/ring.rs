//! Rings: from vertices as they were drawn to a closed line that may be reasoned about.
//!
//! The rules, where a drawing could be read in two ways:
//! - An edge goes the shorter way round: one of more than 180 degrees of longitude crosses the antimeridian.
//! - An edge from 180 to -180 (exactly a whole turn) is of no length on the ground. It is read as the whole turn that
//!   it is in a drawing only along a pole, or beside an edge along the antimeridian (the corner of a rectangle round
//!   the world), and only if the ring then closes.
//! - A ring that goes once round the earth encloses the pole on its smaller side, by area on the map of longitude and
//!   latitude; the equator encloses the north. A ring that goes round more than once is none.
//! - Edges along a pole, and those by which a ring is closed through its pole, are seams: no edges on the ground.
//!
//! Promise: a [`Ring`] has at least three distinct corners, is not flat, and closes.

use super::metric::{Bounds, FULL_TURN, GridPoint, turn};
use super::position::Position;
use super::shape::ShapeError;

/// Latitude of a pole in units.
pub(super) const POLE: i64 = FULL_TURN / 4;

/// A corner, and what leaves it.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Corner {
    pub(super) at: GridPoint,
    /// Whether the edge from here to the next corner is none on the ground.
    pub(super) seam: bool,
}

/// A closed line; the last corner leads back to the first.
#[derive(Clone)]
pub(super) struct Ring {
    pub(super) corners: Vec<Corner>,
}

impl Ring {
    /// Takes the vertices in order; a repeated last vertex (as GeoJSON has it) is dropped, as are repeats in a row.
    pub(super) fn new(vertices: &[Position]) -> Result<Self, ShapeError> {
        let mut drawn: Vec<GridPoint> = vertices.iter().map(Position::grid).collect();
        drawn.dedup();
        if drawn.len() > 1 && drawn.first() == drawn.last() {
            drawn.pop();
        }
        let Some(&first) = drawn.first() else { return Err(ShapeError::TooFewVertices) };
        let (mut points, mut gap) = unroll(&drawn, true);
        if gap != 0 {
            (points, gap) = unroll(&drawn, false);
        }
        points.dedup();
        if points.len() > 1 && points.last().is_some_and(|last| last.x == first.x + gap && last.y == first.y) {
            points.pop();
        }
        one_visit_to_a_pole(&mut points, gap)?;
        let mut distinct = points.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 3 {
            return Err(ShapeError::TooFewVertices);
        }
        let mut corners: Vec<Corner> = points.iter().map(|&at| Corner { at, seam: false }).collect();
        match gap.abs() {
            0 => {}
            FULL_TURN => {
                corners = closed_through_pole(&points, gap);
                let pole = corners.last().map_or(POLE, |corner| corner.at.y);
                if points.iter().any(|p| p.y == pole) {
                    return Err(ShapeError::PoleTouched);
                }
            }
            _ => return Err(ShapeError::AroundPole),
        }
        let mut ring = Self { corners };
        if (0..ring.corners.len()).all(|i| turn(ring.at(i), ring.at(i + 1), ring.at(i + 2)) == 0) {
            return Err(ShapeError::ZeroArea);
        }
        for i in 0..ring.corners.len() {
            let along_pole = ring.at(i).y.abs() == POLE && ring.at(i).y == ring.at(i + 1).y;
            ring.corners[i].seam |= along_pole;
        }
        Ok(ring)
    }

    /// The place of a corner, counted round and round.
    pub(super) fn at(&self, i: usize) -> GridPoint {
        self.corners[i % self.corners.len()].at
    }

    /// Its edges, and whether each is a seam.
    pub(super) fn edges(&self) -> impl Iterator<Item = (GridPoint, GridPoint, bool)> + '_ {
        self.corners.iter().enumerate().map(|(i, corner)| (corner.at, self.at(i + 1), corner.seam))
    }

    /// The box round it.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds::around(self.corners.iter().map(|c| c.at)).expect("a ring was made with three vertices or more")
    }

    /// The same ring some whole turns further.
    pub(super) fn turned(mut self, dx: i64) -> Self {
        for corner in &mut self.corners {
            corner.at.x += dx;
        }
        self
    }

    /// Twice the square units enclosed, positive when it runs counter-clockwise.
    pub(super) fn twice_area(&self) -> i128 {
        let o = self.at(0);
        self.edges().map(|(a, b, _)| turn(o, a, b)).sum()
    }

    /// The one form of this ring: in that direction, from its lowest corner on.
    pub(super) fn in_order(mut self, counter_clockwise: bool) -> Self {
        if (self.twice_area() > 0) != counter_clockwise {
            let n = self.corners.len();
            let back = |i: usize| Corner { at: self.at(n - 1 - i), seam: self.corners[(2 * n - 2 - i) % n].seam };
            self.corners = (0..n).map(back).collect();
        }
        let lowest = (0..self.corners.len()).min_by_key(|&i| self.corners[i].at).unwrap_or(0);
        self.corners.rotate_left(lowest);
        self
    }
}

/// The way from one longitude to the next.
fn step(from: i64, to: i64) -> i64 {
    match to - from {
        east if east > FULL_TURN / 2 => east - FULL_TURN,
        west if west < -FULL_TURN / 2 => west + FULL_TURN,
        short => short,
    }
}

/// Puts each vertex beside the one before it, so that a line over the antimeridian does not jump.
pub(super) fn unwrap_line(vertices: &[Position]) -> Vec<GridPoint> {
    let drawn: Vec<GridPoint> = vertices.iter().map(Position::grid).collect();
    unroll(&drawn, false).0
}

/// A closed line without jumps, and what is left over when it is back at its start: whole turns. With `whole_turns`
/// an edge of exactly one turn counts as such where the rule above allows it.
fn unroll(drawn: &[GridPoint], whole_turns: bool) -> (Vec<GridPoint>, i64) {
    let n = drawn.len();
    let at = |i: usize| drawn[i % n];
    let mut x = drawn.first().map_or(0, |p| p.x);
    let mut points = Vec::with_capacity(n);
    for i in 0..n {
        points.push(GridPoint { x, y: at(i).y });
        let (from, to) = (at(i), at(i + 1));
        let on_pole = from.y.abs() == POLE && from.y == to.y;
        let beside_seam = at(i + n - 1).x == from.x || at(i + 2).x == to.x;
        let whole = whole_turns && (to.x - from.x).abs() == FULL_TURN && (on_pole || beside_seam);
        x += if whole { to.x - from.x } else { step(from.x, to.x) };
    }
    let gap = points.first().map_or(0, |first| x - first.x);
    (points, gap)
}

/// Whether a ring that does not go round a pole was drawn clockwise; `None` for what has no direction.
pub(super) fn runs_clockwise(vertices: &[Position]) -> Option<bool> {
    let drawn: Vec<GridPoint> = vertices.iter().map(Position::grid).collect();
    let (points, gap) = unroll(&drawn, true);
    let origin = *points.first()?;
    let twice: i128 = points.windows(2).map(|pair| turn(origin, pair[0], pair[1])).sum();
    (gap == 0 && twice != 0).then_some(twice < 0)
}

/// Closes a line that goes once round the earth by way of the pole on its smaller side. The way up starts at the
/// vertex nearest to that pole, so it meets nothing of the line.
fn closed_through_pole(points: &[GridPoint], gap: i64) -> Vec<Corner> {
    let n = points.len();
    let wide = |i: usize| {
        let (a, b) = (points[i], if i + 1 < n { points[i + 1] } else { points[0] });
        let dx = if i + 1 < n { b.x - a.x } else { b.x + gap - a.x };
        i128::from(dx) * i128::from(a.y + b.y)
    };
    let north = (0..n).map(wide).sum::<i128>() * i128::from(gap.signum()) >= 0;
    let pole = if north { POLE } else { -POLE };
    // Of a way along the pole itself its end, so that the ring closes by what is left of the way round.
    let nearest = (0..n).min_by_key(|&i| ((pole - points[i].y).abs(), points[(i + 1) % n].y == pole)).unwrap_or(0);
    let edge = |at: GridPoint| Corner { at, seam: false };
    let mut corners: Vec<Corner> = started_at(points, nearest, gap).into_iter().map(edge).collect();
    let start = points[nearest];
    let seam = |x: i64, y: i64| Corner { at: GridPoint { x, y }, seam: true };
    let before = points[(nearest + n - 1) % n];
    if start.y != pole {
        let east = start.x + gap;
        corners.extend([seam(east, start.y), seam(east, pole), seam(start.x, pole)]);
    } else if before.y != pole {
        corners.push(seam(start.x + gap, start.y));
    }
    corners
}

/// The closed line from another of its points on.
fn started_at(points: &[GridPoint], start: usize, gap: i64) -> Vec<GridPoint> {
    let later = points[..start].iter().map(|p| GridPoint { x: p.x + gap, y: p.y });
    points[start..].iter().copied().chain(later).collect()
}

/// A pole is one place: of a way along it only the ends are kept, and a ring that comes there twice touches itself.
fn one_visit_to_a_pole(points: &mut Vec<GridPoint>, gap: i64) -> Result<(), ShapeError> {
    if points.iter().all(|p| p.y.abs() != POLE) {
        return Ok(());
    }
    let n = points.len();
    let begins = |i: &usize| points[*i].y.abs() != POLE || points[*i].y != points[(*i + n - 1) % n].y;
    let Some(first) = (0..n).find(begins) else { return Err(ShapeError::ZeroArea) };
    let line = started_at(points, first, gap);
    let on = |i: usize| (line[i % n].y.abs() == POLE).then_some(line[i % n].y);
    for pole in [POLE, -POLE] {
        if (0..n).filter(|&i| on(i) == Some(pole) && on(i + n - 1) != Some(pole)).count() > 1 {
            return Err(ShapeError::SelfCrossing);
        }
    }
    let within = |i: usize| on(i).is_some() && on(i + n - 1) == on(i) && on(i + 1) == on(i);
    *points = (0..n).filter(|&i| !within(i)).map(|i| line[i]).collect();
    Ok(())
}

/// A stretch of the antimeridian along which an edge runs: from, to, the ring and where the ring lies.
type Stretch = ([i64; 2], usize, i64);

fn on_antimeridian(a: GridPoint, b: GridPoint) -> bool {
    a.x == b.x && a.y != b.y && (a.x - FULL_TURN / 2).rem_euclid(FULL_TURN) == 0
}

fn stretches(rings: &[&mut Ring]) -> Vec<Stretch> {
    let of = |(i, ring): (usize, &&mut Ring)| -> Vec<Stretch> {
        let edges = ring.edges().filter(|&(a, b, seam)| !seam && on_antimeridian(a, b));
        edges.map(|(a, b, _)| ([a.y.min(b.y), a.y.max(b.y)], i, a.x)).collect()
    };
    let mut found: Vec<Stretch> = rings.iter().enumerate().flat_map(of).collect();
    found.sort_unstable();
    found
}

/// Joins what was cut at the antimeridian: stretches of it along which exactly two edges run, of two rings or of one
/// that comes there from both sides, become seams.
pub(super) fn join_at_antimeridian<'r>(rings: impl Iterator<Item = &'r mut Ring>) {
    let mut rings: Vec<&mut Ring> = rings.collect();
    let mut ends: Vec<i64> = stretches(&rings).into_iter().flat_map(|(span, ..)| span).collect();
    if ends.len() < 4 {
        return;
    }
    ends.sort_unstable();
    ends.dedup();
    // Where more than two edges run along one another nothing can be joined, and the area will be refused.
    let mut spare = 2 * ends.len();
    for ring in &mut rings {
        let mut corners = Vec::with_capacity(ring.corners.len());
        for (i, &corner) in ring.corners.iter().enumerate() {
            corners.push(corner);
            let (a, b) = (corner.at, ring.at(i + 1));
            if !corner.seam && on_antimeridian(a, b) {
                let (low, high) = (a.y.min(b.y), a.y.max(b.y));
                let within = &ends[ends.partition_point(|y| *y <= low)..ends.partition_point(|y| *y < high)];
                let Some(left) = spare.checked_sub(within.len()) else { return };
                spare = left;
                let split = |&y: &i64| Corner { at: GridPoint { x: a.x, y }, seam: false };
                if a.y < b.y {
                    corners.extend(within.iter().map(split));
                } else {
                    corners.extend(within.iter().rev().map(split));
                }
            }
        }
        ring.corners = corners;
    }
    let all = stretches(&rings);
    let joined = |span: [i64; 2]| {
        let same = &all[all.partition_point(|s| s.0 < span)..all.partition_point(|s| s.0 <= span)];
        // A ring that runs there and back in one place only has a spike or a slit.
        matches!(same, [(_, ring, x), (_, other, y)] if (ring, x) != (other, y))
    };
    for ring in rings {
        for i in 0..ring.corners.len() {
            let (a, b) = (ring.at(i), ring.at(i + 1));
            ring.corners[i].seam |= on_antimeridian(a, b) && joined([a.y.min(b.y), a.y.max(b.y)]);
        }
    }
}
