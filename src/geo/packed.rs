//! Places on the grid in 8 bytes each: what a server with a million regions keeps most of.
//!
//! A place is kept as its distance from the low corner of its list: 33 bits of longitude, enough for two turns and a
//! third, over 31 bits of latitude, enough from pole to pole.
//! Promise: nothing is rounded and nothing is spare; a list that spans more than 858 degrees is none.

use super::metric::{Bounds, GridPoint};

/// Bits of a latitude.
const LATITUDE_BITS: u32 = 31;

/// A list of places, each as its distance from the low corner of them all.
#[derive(Clone, PartialEq)]
pub(super) struct Packed {
    low: GridPoint,
    points: Box<[u64]>,
}

/// A distance from a low corner as it is kept.
fn pack(dx: i64, dy: i64) -> Option<u64> {
    let (x, y) = (u64::try_from(dx).ok()?, u64::try_from(dy).ok()?);
    (x >> (u64::BITS - LATITUDE_BITS) == 0 && y >> LATITUDE_BITS == 0).then_some(x << LATITUDE_BITS | y)
}

fn unpack(offset: u64) -> GridPoint {
    GridPoint { x: (offset >> LATITUDE_BITS) as i64, y: (offset & ((1 << LATITUDE_BITS) - 1)) as i64 }
}

/// A box from the low corner of a list, in 16 bytes.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct PackedBox([u64; 2]);

impl PackedBox {
    /// West, south, east and north, from the low corner.
    pub(super) fn offsets(self) -> Bounds {
        let [low, high] = self.0.map(unpack);
        Bounds { low, high }
    }
}

impl Packed {
    /// Packs a list; `None` when it is empty or spans too much.
    pub(super) fn of(points: &[GridPoint]) -> Option<Self> {
        let low = GridPoint { x: points.iter().map(|p| p.x).min()?, y: points.iter().map(|p| p.y).min()? };
        let offset = |p: &GridPoint| pack(p.x - low.x, p.y - low.y);
        Some(Self { low, points: points.iter().map(offset).collect::<Option<_>>()? })
    }

    /// The corner that all places are measured from.
    pub(super) fn low(&self) -> GridPoint {
        self.low
    }

    /// How many places.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// The place with that number, which must be there.
    pub(super) fn at(&self, i: usize) -> GridPoint {
        self.place(self.points[i])
    }

    /// All places in order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = GridPoint> + '_ {
        self.points.iter().map(|&offset| self.place(offset))
    }

    /// The distance of the place with that number from the low corner.
    pub(super) fn offset(&self, i: usize) -> GridPoint {
        unpack(self.points[i])
    }

    /// The box round the places with these numbers; `None` when there are none.
    pub(super) fn box_of(&self, numbers: std::ops::RangeInclusive<usize>) -> Option<PackedBox> {
        let Bounds { low, high } = Bounds::around(self.points[numbers].iter().map(|&offset| unpack(offset)))?;
        Some(PackedBox([pack(low.x, low.y)?, pack(high.x, high.y)?]))
    }

    fn place(&self, offset: u64) -> GridPoint {
        let GridPoint { x, y } = unpack(offset);
        GridPoint { x: self.low.x + x, y: self.low.y + y }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_every_unit_and_refuses_what_is_too_wide() {
        let point = |x, y| GridPoint { x, y };
        let east = -1_800_000_000 + (1 << 33) - 1;
        let points = [point(-1_800_000_000, -900_000_000), point(east, 900_000_000), point(0, 7)];
        let packed = Packed::of(&points).expect("2^33 - 1 units wide");
        assert!(packed.iter().eq(points) && packed.at(2) == points[2]);
        let Bounds { low, high } = packed.box_of(1..=2).expect("not empty").offsets();
        assert!(low == point(1_800_000_000, 900_000_007) && high == point((1 << 33) - 1, 1_800_000_000));
        assert!(Packed::of(&[point(-1_800_000_000, 0), point(east + 1, 0)]).is_none());
        assert!(Packed::of(&[]).is_none());
    }
}
