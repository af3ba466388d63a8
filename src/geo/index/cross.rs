//! Exact parity: how often does an edge cross the way from a place to the corner of its square?
//!
//! The corner Q of a square lies half a unit west and south of its first place, so no vertex has its longitude. The way
//! from P goes west to Q's longitude and then south to Q; its height is a hair's breadth above P's, which decides
//! where it would run along an edge or through a vertex. A place is inside when Q is, unless the edges of its shape
//! cross that way an odd number of times. All numbers are doubled, so that half a unit is whole, and exact.
//! Promise: right for each P that lies on no edge itself, and for P another such corner.

use std::ops::{Add, Mul, Sub};

/// A whole number that is wide enough for the products of differences.
pub(super) trait Whole:
    Copy + Ord + From<i32> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
}
impl<T: Copy + Ord + From<i32> + Add<Output = T> + Sub<Output = T> + Mul<Output = T>> Whole for T {}

/// Whether the edge `a`-`b` crosses the way from `p` to `q` once; twice is none. All doubled.
pub(super) fn crosses<T: Whole>(a: (T, T), b: (T, T), p: (T, T), q: (T, T)) -> bool {
    crosses_west(a, b, p, q.0) != crosses_south(a, b, p.1, q)
}

/// The part from `p` west to the longitude `west`.
fn crosses_west<T: Whole>(a: (T, T), b: (T, T), p: (T, T), west: T) -> bool {
    if (a.1 > p.1) == (b.1 > p.1) {
        return false;
    }
    let (low, high) = if a.1 < b.1 { (a, b) } else { (b, a) };
    // East of a longitude, at a hair's breadth above p: on it, the edge's lean decides.
    let east_of = |x: T| {
        let side = (low.0 - x) * (high.1 - low.1) + (p.1 - low.1) * (high.0 - low.0);
        if side == T::from(0) { high.0 > low.0 } else { side > T::from(0) }
    };
    east_of(west) && !east_of(p.0)
}

/// The part along the longitude of `q`, from a hair's breadth above `north` to as much above `q`.
fn crosses_south<T: Whole>(a: (T, T), b: (T, T), north: T, q: (T, T)) -> bool {
    if (a.0 > q.0) == (b.0 > q.0) {
        return false;
    }
    let (left, right) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let above = |y: T| (left.1 - y) * (right.0 - left.0) + (q.0 - left.0) * (right.1 - left.1) > T::from(0);
    above(q.1) && !above(north)
}
