//! Corridors: a line with a width, such as a trail, and how far along it a place is.
//!
//! The line's pieces are straight in longitude and latitude. `width` is the full width, as in the quest file: a place
//! is inside within half of it. For following, the line carries checkpoints in four quarters, one at least each 20 m.

use super::metric::{Bounds, Frame, GridPoint, nearest_on_segment, segments_touch};
use super::polygon::{VERTICES_MAX, unwrap_line};
use super::position::Position;
use super::shape::{RADIUS_MAX, RADIUS_MIN, ShapeError};
use crate::units::Meters;

/// Longest way between two checkpoints, in metres.
const CHECKPOINT_GAP: f64 = 20.0;
/// Longest corridor: a day of cycling; its checkpoints take 160 kB.
pub const LENGTH_MAX: Meters = Meters::lossy(200_000.0);
/// Parts that a corridor is followed in.
pub const QUARTERS: usize = 4;

/// A line and its width.
#[derive(Clone)]
pub struct Corridor {
    line: Vec<GridPoint>,
    /// Metres from the start at each vertex; the last is the length.
    reached: Vec<f64>,
    half_width: f64,
    /// Evenly spaced from start to end, both included; a whole number of gaps in each quarter.
    checkpoints: Vec<GridPoint>,
    bounds: Bounds,
}

/// Where a place is along a corridor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Along {
    /// Part of the line's length behind the nearest point of it, 0 to 1.
    pub fraction: f64,
    /// Metres to that point.
    pub distance: Meters,
}

impl Corridor {
    /// Takes at least two distinct points and the full width, 2 m to 200 km.
    pub fn new(line: Vec<Position>, width: Meters) -> Result<Self, ShapeError> {
        if line.len() > VERTICES_MAX {
            return Err(ShapeError::TooManyVertices);
        }
        let half_width = width.get() / 2.0;
        if !(RADIUS_MIN.get()..=RADIUS_MAX.get()).contains(&half_width) {
            return Err(ShapeError::Width);
        }
        let mut line = unwrap_line(&line);
        line.dedup();
        let bounds = Bounds::around(line.iter().copied()).ok_or(ShapeError::TooFewVertices)?;
        let mut reached = vec![0.0];
        let mut length = 0.0;
        for pair in line.windows(2) {
            length += Frame::at(pair[0]).measure(pair[0], pair[1], 1.0);
            reached.push(length);
        }
        if line.len() < 2 {
            return Err(ShapeError::TooFewVertices);
        }
        if length > LENGTH_MAX.get() {
            return Err(ShapeError::TooLong);
        }
        let checkpoints = lay_checkpoints(&line, &reached, length);
        Ok(Self { line, reached, half_width, checkpoints, bounds })
    }

    /// Its points.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.line.iter().map(|&p| Position::of_grid(p))
    }

    /// Full width in metres.
    pub fn width(&self) -> Meters {
        Meters::lossy(2.0 * self.half_width)
    }

    /// Length of the line in metres.
    pub fn length(&self) -> Meters {
        Meters::lossy(*self.reached.last().expect("made with two points or more"))
    }

    /// The nearest point of the line; of several equally near, the first.
    pub fn along(&self, position: &Position) -> Along {
        let p = position.grid().turned_toward(self.bounds.middle_x());
        let frame = Frame::at(p);
        let mut best = (f64::INFINITY, 0, 0.0);
        for (i, pair) in self.line.windows(2).enumerate() {
            let (fraction, square) = frame.nearest_on(pair[0], pair[1]);
            if square < best.0 {
                best = (square, i, fraction);
            }
        }
        let (_, i, part) = best;
        let behind = self.reached[i] + part * (self.reached[i + 1] - self.reached[i]);
        Along {
            fraction: (behind / self.length().get()).clamp(0.0, 1.0),
            distance: Meters::lossy(frame.measure(self.line[i], self.line[i + 1], part)),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(super) fn half_width(&self) -> f64 {
        self.half_width
    }

    /// Metres to the edge, inside positive.
    pub(super) fn signed_distance(&self, position: &Position) -> f64 {
        self.half_width - self.along(position).distance.get()
    }

    /// Whether the straight way between two places comes within half the width.
    pub(super) fn touched_by(&self, from: GridPoint, to: GridPoint) -> bool {
        let turned = from.turned_toward(self.bounds.middle_x());
        let to = GridPoint { x: to.x + turned.x - from.x, y: to.y };
        let frame = Frame::at(turned);
        let (start, end) = ((0.0, 0.0), frame.offset(to));
        let reach = self.half_width * self.half_width;
        self.line.windows(2).any(|pair| {
            let (a, b) = (frame.offset(pair[0]), frame.offset(pair[1]));
            segments_touch(pair[0], pair[1], turned, to)
                || nearest_on_segment(a, b, start).1 <= reach
                || nearest_on_segment(a, b, end).1 <= reach
                || nearest_on_segment(start, end, a).1 <= reach
                || nearest_on_segment(start, end, b).1 <= reach
        })
    }

    /// Marks the checkpoints within `within` metres of the way from `from` to `to`.
    pub(super) fn pass(&self, passed: &mut Passed, from: &Position, to: &Position, within: f64) {
        let to = to.grid().turned_toward(self.bounds.middle_x());
        let from = from.grid().turned_toward(to.x);
        let frame = Frame::at(to);
        let (start, end) = (frame.offset(from), (0.0, 0.0));
        let (low, high) = (start.0.min(0.0) - within, start.0.max(0.0) + within);
        for (i, &checkpoint) in self.checkpoints.iter().enumerate() {
            let p = frame.offset(checkpoint);
            if low <= p.0 && p.0 <= high && nearest_on_segment(start, end, p).1 <= within * within {
                passed.bits[i / 64] |= 1 << (i % 64);
            }
        }
    }

    /// No checkpoint passed yet.
    pub(super) fn none_passed(&self) -> Passed {
        Passed { of: self.checkpoints.len(), bits: vec![0; self.checkpoints.len().div_ceil(64)] }
    }

    /// Whether these marks are of a line with as many checkpoints: the region may have been redrawn meanwhile.
    pub(super) fn fits(&self, passed: &Passed) -> bool {
        passed.of == self.checkpoints.len()
    }

    /// The quarters of which all checkpoints are passed, as bits from the start of the line.
    pub(super) fn quarters(&self, passed: &Passed) -> u8 {
        let gaps = (self.checkpoints.len() - 1) / QUARTERS;
        let is_passed = |i: usize| passed.bits[i / 64] >> (i % 64) & 1 == 1;
        let whole = |quarter: usize| (quarter * gaps..=(quarter + 1) * gaps).all(is_passed);
        (0..QUARTERS).filter(|&quarter| whole(quarter)).fold(0, |bits, quarter| bits | 1 << quarter)
    }
}

/// What the index asks of a corridor.
impl Corridor {
    /// Calls `f` with each piece of the line in order.
    pub(super) fn each_piece(&self, mut f: impl FnMut(GridPoint, GridPoint)) {
        self.line.windows(2).for_each(|pair| f(pair[0], pair[1]));
    }
}

/// Which checkpoints of one corridor were passed: a bit each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Passed {
    of: usize,
    bits: Vec<u64>,
}

/// Points spread evenly over the line, both ends included, no farther apart than [`CHECKPOINT_GAP`].
fn lay_checkpoints(line: &[GridPoint], reached: &[f64], length: f64) -> Vec<GridPoint> {
    let gaps = QUARTERS * ((length / QUARTERS as f64 / CHECKPOINT_GAP).ceil() as usize).max(1);
    let mut piece = 0;
    (0..=gaps)
        .map(|k| {
            let target = length * k as f64 / gaps as f64;
            while piece + 2 < line.len() && reached[piece + 1] < target {
                piece += 1;
            }
            let (a, b) = (line[piece], line[piece + 1]);
            let span = reached[piece + 1] - reached[piece];
            let part = if span > 0.0 { ((target - reached[piece]) / span).clamp(0.0, 1.0) } else { 0.0 };
            let between = |a: i64, b: i64| a + (part * (b - a) as f64).round() as i64;
            GridPoint { x: between(a.x, b.x), y: between(a.y, b.y) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).expect("on earth")
    }

    #[test]
    fn corridor_refuses_a_point_and_a_thread() {
        let error = |line: Vec<Position>, width: f64| Corridor::new(line, Meters::lossy(width)).err();
        assert_eq!(error(vec![], 40.0), Some(ShapeError::TooFewVertices));
        assert_eq!(error(vec![at(1.0, 1.0), at(1.0, 1.0)], 40.0), Some(ShapeError::TooFewVertices));
        assert_eq!(error(vec![at(1.0, 1.0), at(1.0, 1.01)], 1.9), Some(ShapeError::Width));
        assert_eq!(error(vec![at(1.0, 1.0), at(1.0, 5.0)], 40.0), Some(ShapeError::TooLong));
    }

    #[test]
    fn along_is_measured_from_the_start_over_corners_and_the_antimeridian() {
        let line = vec![at(179.99, 0.0), at(-179.99, 0.0), at(-179.99, 0.02)];
        let corridor = Corridor::new(line, Meters::lossy(40.0)).expect("sound");
        // 0.02 degrees are 2,226.4 m along the equator and 2,211.5 m along a meridian.
        assert!((corridor.length().get() - 4_437.9).abs() < 0.1, "{}", corridor.length());
        let quarter = corridor.along(&at(180.0, 0.0001));
        assert!((quarter.fraction - 0.2508).abs() < 1e-4, "{quarter:?}");
        assert!((quarter.distance.get() - 11.06).abs() < 0.01, "{quarter:?}");
        assert!(corridor.signed_distance(&at(-180.0, 0.0001)) > 8.9);
        assert_eq!(corridor.along(&at(-179.99, 0.5)).fraction, 1.0);
    }

    #[test]
    fn checkpoints_are_dense_and_quarters_need_each_of_them() {
        let line = vec![at(24.9, 60.1), at(24.91, 60.1), at(24.91, 60.104)];
        let corridor = Corridor::new(line, Meters::lossy(30.0)).expect("sound");
        let near = |pair: &[GridPoint]| Frame::at(pair[0]).measure(pair[0], pair[1], 1.0);
        assert!(corridor.checkpoints.windows(2).all(|pair| near(pair) <= CHECKPOINT_GAP + 0.1));
        assert_eq!((corridor.checkpoints.len() - 1) % QUARTERS, 0);
        let mut passed = corridor.none_passed();
        corridor.pass(&mut passed, &at(24.9, 60.1), &at(24.91, 60.1), 10.0);
        assert_eq!(corridor.quarters(&passed), 0b0011);
        corridor.pass(&mut passed, &at(24.91, 60.104), &at(24.91, 60.1), 10.0);
        assert_eq!(corridor.quarters(&passed), 0b1111);
    }
}
