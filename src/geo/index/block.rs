//! One cell of the index, packed: what a place in it must be asked, and nothing else.
//!
//! The words of a block: how often it is split, with how many regions hold all of it; the numbers of those; for each
//! square of the split where its entries start, and where the last ones end; the entries; the load that each region
//! is, for the next edit. An entry opens with the
//! region's number in the block and its kind in the lowest three bits:
//! `FULL` holds the whole square. `DISC` is a circle by constants, `RIM` the same when only its edge matters.
//! `PIECE` is the part of an outline that touches the square: whether the square's corner is inside, and chains of
//! vertices from the cell's corner. `SHORT` is the same with vertices of 16 bits an axis from the square's middle.
//! `MEASURE` leaves it to the shape.

use super::circle::Test;
use super::cross::crosses;
use super::grid::{Cell, Extent, Spot};
use super::measure;
use super::room::Room;
use super::table::Entry;
use crate::geo::position::Position;
use crate::geo::region::Region;
use std::sync::Arc;

pub(super) const FULL: u32 = 0;
pub(super) const DISC: u32 = 1;
pub(super) const RIM: u32 = 2;
pub(super) const PIECE: u32 = 3;
pub(super) const SHORT: u32 = 4;
pub(super) const MEASURE: u32 = 5;
/// Bits of an entry's first word that tell its kind.
pub(super) const KIND_BITS: u32 = 3;
/// Bits of a block's first word that tell its split.
pub(super) const SPLIT_BITS: u32 = 3;
/// Marks a piece whose corner is inside.
pub(super) const CORNER_INSIDE: u32 = 1 << 31;
/// Vertices farther from their cell than this are not packed: products of differences must fit 64 bits.
pub(super) const FARTHEST: i64 = 1 << 29;

/// A cell's name and content.
#[derive(Clone)]
pub(super) struct Block {
    pub(super) key: u64,
    /// In the order of their ids.
    pub(super) regions: Arc<[Arc<Region>]>,
    pub(super) words: Arc<[u32]>,
}

impl Entry for Block {
    type Key = u64;

    fn hash(key: &u64) -> u64 {
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    fn key(&self) -> &u64 {
        &self.key
    }
}

/// A place, seen from a cell's corner.
struct Here<'p> {
    place: &'p Position,
    at: (i32, i32),
    /// The first unit of its square.
    square: (i32, i32),
    /// From there to its middle.
    half: i32,
}

impl Block {
    /// Adds the regions that hold the place, and keeps their edges out of `safe`; the place lies in this cell.
    #[inline]
    pub(super) fn look<'a>(
        &'a self,
        cell: &Cell,
        spot: Spot,
        place: &Position,
        found: &mut Vec<&'a Arc<Region>>,
    ) -> Option<Extent> {
        // A cell has 2^28 units at most, so what is counted from its corner fits.
        let at = ((spot.x - cell.west) as i32, (spot.y - cell.south) as i32);
        let head = self.words[0];
        let split = head & ((1 << SPLIT_BITS) - 1);
        let fulls = (head >> SPLIT_BITS) as usize;
        found.extend(self.words[1..=fulls].iter().map(|&number| &self.regions[number as usize]));
        let shift = cell.shift - split;
        let (column, row) = (at.0 >> shift, at.1 >> shift);
        let index = 1 + fulls + ((row << split) + column) as usize;
        let (start, end) = (self.words[index] as usize, self.words[index + 1] as usize);
        let square = (column << shift, row << shift);
        let size = (1 << shift) - 1;
        let mut room = Room { west: square.0, south: square.1, east: square.0 + size, north: square.1 + size };
        let here = Here { place, at, square, half: (1 << shift) >> 1 };
        self.ask(&self.words[start..end], &here, &mut room, found);
        let side = |from: i64, units: i32| from + i64::from(units);
        (room.west <= room.east && room.south <= room.north).then(|| Extent {
            west: side(cell.west, room.west),
            south: side(cell.south, room.south),
            east: side(cell.west, room.east),
            north: side(cell.south, room.north),
        })
    }

    fn ask<'a>(&'a self, words: &[u32], here: &Here<'_>, room: &mut Room, found: &mut Vec<&'a Arc<Region>>) {
        let mut rest = words;
        while let Some((&head, tail)) = rest.split_first() {
            rest = tail;
            let region = &self.regions[(head >> KIND_BITS) as usize];
            let kind = head & ((1 << KIND_BITS) - 1);
            let inside = match kind {
                FULL => true,
                DISC | RIM => {
                    let Some((words, tail)) = rest.split_first_chunk::<{ Test::WORDS }>() else { return };
                    rest = tail;
                    let is_inside = Test::of_words(words).ask(here.at, room);
                    let is_inside = is_inside.unwrap_or_else(|| measure::holds(region, here.place));
                    is_inside && kind == DISC
                }
                PIECE | SHORT => {
                    let Some((&head, tail)) = rest.split_first() else { return };
                    let (chains, tail) = tail.split_at((head & !CORNER_INSIDE) as usize);
                    rest = tail;
                    let corner_inside = head & CORNER_INSIDE != 0;
                    if kind == SHORT {
                        let middle = (here.square.0 + here.half, here.square.1 + here.half);
                        let vertex = |word: &[u32; 1]| short_vertex(word[0], middle);
                        piece(chains, vertex, corner_inside, here, room)
                    } else {
                        let vertex = |words: &[u32; 2]| (words[0] as i32, words[1] as i32);
                        piece(chains, vertex, corner_inside, here, room)
                    }
                }
                _ => measure::measure(region, here.place, here.at, room),
            };
            if inside {
                found.push(region);
            }
        }
    }
}

/// What a way asks.
impl Block {
    /// Adds the regions that have an edge, or that of a ring, in a square that a box touches; some more than once.
    pub(super) fn edges_in<'a>(&'a self, cell: &Cell, part: &Extent, found: &mut Vec<&'a Arc<Region>>) {
        let Some(part) = cell.extent().common(part) else { return };
        let (split, shift) = (self.split(), cell.shift - self.split());
        let squares = |low: i64, high: i64, corner: i64| (low - corner) >> shift..=(high - corner) >> shift;
        for row in squares(part.south, part.north, cell.south) {
            for column in squares(part.west, part.east, cell.west) {
                self.entries(((row << split) + column) as usize, |number, kind, _| {
                    if kind != FULL {
                        found.push(&self.regions[number as usize]);
                    }
                });
            }
        }
    }
}

/// What an edit takes over.
impl Block {
    /// How often it is split.
    pub(super) fn split(&self) -> u32 {
        self.words[0] & ((1 << SPLIT_BITS) - 1)
    }

    /// The numbers of the regions that hold all of it.
    pub(super) fn fulls(&self) -> &[u32] {
        &self.words[1..=(self.words[0] >> SPLIT_BITS) as usize]
    }

    /// The load that each region is.
    pub(super) fn loads(&self) -> &[u32] {
        &self.words[self.words.len() - self.regions.len()..]
    }

    /// Calls `f` with the region's number, the kind and the further words of each entry of a square.
    pub(super) fn entries(&self, square: usize, mut f: impl FnMut(u32, u32, &[u32])) {
        let index = 1 + self.fulls().len() + square;
        let (mut at, end) = (self.words[index] as usize, self.words[index + 1] as usize);
        while at < end {
            let (number, kind) = (self.words[at] >> KIND_BITS, self.words[at] & ((1 << KIND_BITS) - 1));
            let further = match kind {
                DISC | RIM => Test::WORDS,
                PIECE | SHORT => 1 + (self.words[at + 1] & !CORNER_INSIDE) as usize,
                _ => 0,
            };
            f(number, kind, &self.words[at + 1..=at + further]);
            at += 1 + further;
        }
    }
}

/// Whether an outline holds the place, from the edges that touch its square.
#[inline]
fn piece<const WORDS: usize>(
    chains: &[u32],
    vertex: impl Fn(&[u32; WORDS]) -> (i32, i32),
    corner_inside: bool,
    here: &Here<'_>,
    room: &mut Room,
) -> bool {
    let p = here.at;
    let wide = |p: (i32, i32)| (2 * i64::from(p.0), 2 * i64::from(p.1));
    let (p2, square) = (wide(p), wide(here.square));
    let corner = (square.0 - 1, square.1 - 1);
    let mut inside = corner_inside;
    let mut rest = chains;
    while let Some((&count, tail)) = rest.split_first() {
        let (points, tail) = tail.split_at(WORDS * count as usize);
        rest = tail;
        let mut points = points.as_chunks::<WORDS>().0.iter().map(&vertex);
        let Some(mut a) = points.next() else { continue };
        for b in points {
            let within = |p: i32, a: i32, b: i32| a.min(b) <= p && p <= a.max(b);
            if within(p.0, a.0, b.0) && within(p.1, a.1, b.1) {
                let (dx, dy) = (i64::from(b.0) - i64::from(a.0), i64::from(b.1) - i64::from(a.1));
                let turn = dx * (i64::from(p.1) - i64::from(a.1)) - dy * (i64::from(p.0) - i64::from(a.0));
                if turn == 0 {
                    room.close();
                    return true;
                }
                room.keep_out_line(a, b, p, turn);
            } else {
                room.keep_out_box(a, b, p);
            }
            // Most edges span neither the latitude of the place nor the longitude of the corner.
            let spans = (a.1 > p.1) != (b.1 > p.1) || (a.0 >= here.square.0) != (b.0 >= here.square.0);
            inside ^= spans && crosses(wide(a), wide(b), p2, corner);
            a = b;
        }
    }
    inside
}

/// A vertex in one word, if it is near enough to the middle of its square.
pub(super) fn short_word(x: i64, y: i64) -> Option<u32> {
    let half = |units: i64| i16::try_from(units).ok().map(|units| u32::from(units as u16));
    Some(half(x)? | half(y)? << 16)
}

#[inline]
fn short_vertex(word: u32, middle: (i32, i32)) -> (i32, i32) {
    let half = |bits: u32| i32::from(bits as u16 as i16);
    (middle.0 + half(word), middle.1 + half(word >> 16))
}

impl Test {
    /// Words that it takes.
    pub(super) const WORDS: usize = 5;

    pub(super) fn words(&self) -> [u32; Self::WORDS] {
        [self.x as u32, self.y as u32, self.kx.to_bits(), self.ky.to_bits(), self.outside.to_bits()]
    }

    fn of_words(words: &[u32; Self::WORDS]) -> Self {
        let [x, y, kx, ky, outside] = *words;
        let number = f32::from_bits;
        Self { x: x as i32, y: y as i32, kx: number(kx), ky: number(ky), outside: number(outside) }
    }

    /// Whether the circle holds the place; `None` when it is too near to the edge to tell, and has no room then.
    #[inline]
    fn ask(&self, p: (i32, i32), room: &mut Room) -> Option<bool> {
        let (u, v) = ((p.0 - self.x) as f32 * self.kx, (p.1 - self.y) as f32 * self.ky);
        let square = u * u + v * v;
        if square <= 1.0 {
            room.keep_in_disc(p, (u, v), (self.kx, self.ky));
            Some(true)
        } else if square > self.outside {
            let k = self.outside.sqrt().recip();
            room.keep_off_disc(p, (u * k, v * k), (self.kx * k, self.ky * k));
            Some(false)
        } else {
            room.close();
            None
        }
    }
}
