//! The grid of the index: cells of a few sizes over whole units of 1e-7 degrees, and boxes on it.
//!
//! Here the south-west corner of the world is (0, 0), so no coordinate of a place is negative, and a place at +180
//! degrees is the same as its twin at -180: x runs from 0 to below a full turn. Shapes may run past either side.
//! Promise: each place lies in exactly one cell of each level.

use crate::geo::metric::{Bounds, Envelope, FULL_TURN, GridPoint, UNITS_PER_DEGREE};
use crate::geo::position::Position;

/// How many sizes of cells there are.
pub(super) const LEVELS: usize = 4;
/// How far the world's corner lies from where longitude and latitude are zero.
const WEST: i64 = FULL_TURN / 2;
const SOUTH: i64 = FULL_TURN / 4;

/// A point of this grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) x: i64,
    pub(super) y: i64,
}

impl Spot {
    /// The place, by whole turns in the world.
    pub(super) fn of(place: &Position) -> Self {
        let p = place.grid();
        let x = p.x + WEST;
        Self { x: if x >= FULL_TURN { x - FULL_TURN } else { x }, y: p.y + SOUTH }
    }

    /// A point of a shape, some whole turns further east.
    pub(super) fn turned(p: GridPoint, turns: i64) -> Self {
        Self { x: p.x + WEST + turns * FULL_TURN, y: p.y + SOUTH }
    }

    /// Back to longitude and latitude.
    pub(super) fn grid(self) -> GridPoint {
        GridPoint { x: self.x - WEST, y: self.y - SOUTH }
    }
}

/// A box of whole units, all four sides belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) west: i64,
    pub(super) south: i64,
    pub(super) east: i64,
    pub(super) north: i64,
}

impl Extent {
    /// All places.
    pub(super) const WORLD: Self = Self { west: 0, south: 0, east: FULL_TURN - 1, north: 2 * SOUTH };
    /// What grows to what it is joined with.
    pub(super) const NONE: Self = Self { west: i64::MAX, south: i64::MAX, east: i64::MIN, north: i64::MIN };

    /// The units that an envelope touches, and a few more.
    pub(super) fn of(e: &Envelope) -> Self {
        let down = |degrees: f64| (degrees * UNITS_PER_DEGREE).floor() as i64 - 2;
        let up = |degrees: f64| (degrees * UNITS_PER_DEGREE).ceil() as i64 + 2;
        Self {
            west: down(e.west) + WEST,
            south: down(e.south) + SOUTH,
            east: up(e.east) + WEST,
            north: up(e.north) + SOUTH,
        }
    }

    /// Grown to every side by some units, and then so that all within some metres is in it.
    pub(super) fn grown(&self, units: i64, metres: f64) -> Self {
        let (west, south, east, north) =
            (self.west - units, self.south - units, self.east + units, self.north + units);
        if metres <= 0.0 {
            return Self { west, south, east, north };
        }
        let corner = |x, y| Spot { x, y }.grid();
        let grown = Self::of(&Bounds { low: corner(west, south), high: corner(east, north) }.envelope(metres));
        // Near a pole all longitudes are within reach: of every copy of an edge, not only of the one in the world.
        let all = grown.east - grown.west >= FULL_TURN;
        if all { Self { west: -2 * FULL_TURN, east: 3 * FULL_TURN, ..grown } } else { grown }
    }

    pub(super) fn turned(&self, turns: i64) -> Self {
        let dx = turns * FULL_TURN;
        Self { west: self.west + dx, east: self.east + dx, ..*self }
    }

    pub(super) fn joined(&self, other: &Self) -> Self {
        Self {
            west: self.west.min(other.west),
            south: self.south.min(other.south),
            east: self.east.max(other.east),
            north: self.north.max(other.north),
        }
    }

    /// What both have in common, if anything.
    pub(super) fn common(&self, other: &Self) -> Option<Self> {
        let (west, south) = (self.west.max(other.west), self.south.max(other.south));
        let (east, north) = (self.east.min(other.east), self.north.min(other.north));
        (west <= east && south <= north).then_some(Self { west, south, east, north })
    }

    /// The whole turns by which a box must be moved for a part of it to lie in the world.
    pub(super) fn turns(&self) -> impl Iterator<Item = i64> + Clone + use<> {
        let this = *self;
        (-1..=1).filter(move |&turns| this.turned(turns).common(&Self::WORLD).is_some())
    }

    /// Its middle, rounded.
    pub(super) fn middle(&self) -> Spot {
        Spot { x: (self.west + self.east).div_euclid(2), y: (self.south + self.north).div_euclid(2) }
    }

    /// Whether a segment could touch it: never no when it does, hardly ever yes when it does not.
    pub(super) fn may_touch(&self, a: Spot, b: Spot) -> bool {
        let apart = |a: i64, b: i64, low: i64, high: i64| a.max(b) < low || high < a.min(b);
        if apart(a.x, b.x, self.west, self.east) || apart(a.y, b.y, self.south, self.north) {
            return false;
        }
        let (dx, dy) = ((b.x - a.x) as f64, (b.y - a.y) as f64);
        // From the first end to the box's middle, doubled to stay whole, against the box's half-sizes, doubled alike.
        let (mx, my) = ((self.west + self.east - 2 * a.x) as f64, (self.south + self.north - 2 * a.y) as f64);
        let reach = dx.abs() * (self.north - self.south) as f64 + dy.abs() * (self.east - self.west) as f64;
        let slack = 2.0 + (reach + (dx * dy).abs()) * 1e-13;
        (dx * my - dy * mx).abs() <= reach + slack
    }
}

/// The sizes of cells, as powers of two, the finest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) shifts: [u32; LEVELS],
    /// More edges of one region than this in a cell are put in finer cells.
    pub(super) edges_max: usize,
}

impl Grid {
    /// 730 m, 12 km, 190 km and 3,000 km from south to north.
    pub(super) const EARTH: Self = Self { shifts: [16, 20, 24, 28], edges_max: 64 };

    /// The finest level at which a box is at most four cells wide and high.
    pub(super) fn level_for(&self, extent: &Extent) -> usize {
        let size = (extent.east - extent.west).max(extent.north - extent.south);
        (0..LEVELS).find(|&level| size <= 4 << self.shifts[level]).unwrap_or(LEVELS - 1)
    }

    /// The cell of a level that a place lies in.
    pub(super) fn cell(&self, level: usize, spot: Spot) -> Cell {
        let shift = self.shifts[level];
        Cell { level, shift, west: spot.x >> shift << shift, south: spot.y >> shift << shift }
    }

    /// The cells of a level that a box in the world touches.
    pub(super) fn cells(&self, level: usize, extent: Extent) -> impl Iterator<Item = Cell> + use<> {
        let shift = self.shifts[level];
        let (columns, rows) =
            (extent.west >> shift..=extent.east >> shift, extent.south >> shift..=extent.north >> shift);
        rows.flat_map(move |y| columns.clone().map(move |x| (x, y))).map(move |(x, y)| Cell {
            level,
            shift,
            west: x << shift,
            south: y << shift,
        })
    }
}

/// A square of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) level: usize,
    pub(super) shift: u32,
    pub(super) west: i64,
    pub(super) south: i64,
}

impl Cell {
    /// Its name within its level.
    pub(super) fn key(&self) -> u64 {
        (self.west >> self.shift) as u64 * (1 << 32) + (self.south >> self.shift) as u64
    }

    /// The cell of that name.
    pub(super) fn of_key(level: usize, shift: u32, key: u64) -> Self {
        let south = (key & 0xffff_ffff) as i64;
        Self { level, shift, west: ((key >> 32) as i64) << shift, south: south << shift }
    }

    /// Its places.
    pub(super) fn extent(&self) -> Extent {
        let size = (1 << self.shift) - 1;
        Extent { west: self.west, south: self.south, east: self.west + size, north: self.south + size }
    }

    /// One of the `1 << split` by `1 << split` squares that it is divided in.
    pub(super) fn square(&self, split: u32, column: i64, row: i64) -> Extent {
        let shift = self.shift - split;
        let (west, south) = (self.west + (column << shift), self.south + (row << shift));
        let size = (1 << shift) - 1;
        Extent { west, south, east: west + size, north: south + size }
    }
}

/// A box round a place in which no edge of any region lies: whoever stays in it gets the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafeBox {
    /// Westernmost longitude, in 1e-7 degrees.
    pub west: i32,
    /// Southernmost latitude.
    pub south: i32,
    /// Easternmost longitude.
    pub east: i32,
    /// Northernmost latitude.
    pub north: i32,
}

impl Default for SafeBox {
    /// A box that holds no place.
    fn default() -> Self {
        Self { west: i32::MAX, south: i32::MAX, east: i32::MIN, north: i32::MIN }
    }
}

impl SafeBox {
    /// Whether the place lies in it, its sides included.
    #[inline]
    pub fn holds(&self, place: &Position) -> bool {
        let p = place.grid();
        // A position fits in 32 bits.
        let (x, y) = (p.x as i32, p.y as i32);
        self.west <= x && x <= self.east && self.south <= y && y <= self.north
    }

    /// The part of an extent that lies in the world.
    pub(super) fn of(extent: &Extent) -> Self {
        let Some(e) = extent.common(&Extent::WORLD) else { return Self::default() };
        let side = |units: i64, from: i64| (units - from) as i32;
        Self {
            west: side(e.west, WEST),
            south: side(e.south, SOUTH),
            east: side(e.east, WEST),
            north: side(e.north, SOUTH),
        }
    }
}
