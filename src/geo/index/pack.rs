//! Packing: from the regions of one cell to its block.
//!
//! Promise: a block depends on its cell and its regions alone, so an edited block equals one packed afresh.

use super::block::{
    Block, CORNER_INSIDE, DISC, FARTHEST, FULL, KIND_BITS, MEASURE, PIECE, RIM, SHORT, SPLIT_BITS, short_word,
};
use super::circle::{Disc, Reach};
use super::grid::{Cell, Extent, Spot};
use super::outline::{Edge, Form, Meaning, Outline, parity};
use crate::geo::region::Region;
use std::ops::Range;
use std::sync::Arc;

/// Finest split: 16 by 16 squares, of 46 m in the finest cells.
const SPLIT_MAX: u32 = 4;
/// A cell is split until on average so much load is left for a square. From 4 to 32 look-ups took the same time within
/// what the machine's noise lets one see; 8 takes a tenth more memory, 32 a smaller part less.
const LOAD_MAX: usize = 16;
/// What a circle and an entry that must be measured cost, in edges.
const DISC_LOAD: usize = 4;
const MEASURE_LOAD: usize = 16;

/// An entry on its way into a square.
struct Entry {
    /// The square's number, then the kind, then the region's number: the order in which entries are packed.
    order: u64,
    start: usize,
    end: usize,
}

struct Packer {
    cell: Cell,
    split: u32,
    fulls: Vec<u32>,
    entries: Vec<Entry>,
    words: Vec<u32>,
}

/// An outline in this cell.
struct Local {
    outline: Outline,
    edges: Vec<Edge>,
}

enum Part {
    Disc(Disc),
    Local(Local),
}

impl Block {
    /// Packs the regions that are put in a cell, in the order of their ids. What the cell's block of before has of
    /// them is copied where it can be.
    pub(super) fn pack(cell: Cell, regions: Vec<Arc<Region>>, old: Option<&Self>) -> Self {
        let mut known = old.map_or(Vec::new(), |old| old.numbers_in(&regions));
        let mut parts: Vec<Option<Part>> = (0..regions.len()).map(|_| None).collect();
        let mut loads: Vec<u32> = vec![0; regions.len()];
        if let Some(old) = old {
            for (number, &load) in known.iter().zip(old.loads()).filter_map(|(n, load)| Some(((*n)?, load))) {
                loads[number as usize] = load;
            }
        }
        let mut is_known = vec![false; regions.len()];
        known.iter().flatten().for_each(|&number| is_known[number as usize] = true);
        for i in (0..regions.len()).filter(|&i| !is_known[i]) {
            let part = Part::of(&regions[i], &cell);
            loads[i] = part.load(&cell) as u32;
            parts[i] = Some(part);
        }
        let load = loads.iter().map(|&load| load as usize).sum::<usize>();
        let finest = SPLIT_MAX.min(cell.shift);
        let split = (0..finest).find(|split| load <= LOAD_MAX << (2 * split)).unwrap_or(finest);
        let mut packer = Packer { cell, split, fulls: Vec::new(), entries: Vec::new(), words: Vec::new() };
        match old.filter(|old| old.split() == split) {
            Some(old) => packer.keep(old, &known),
            None => known.clear(),
        }
        for i in 0..regions.len() {
            let make = || Part::of(&regions[i], &cell);
            let part = parts[i].take().or_else(|| (!is_known[i] || known.is_empty()).then(make));
            match part {
                Some(Part::Disc(disc)) => packer.add_disc(i as u32, &disc),
                Some(Part::Local(local)) => packer.add_outline(i as u32, &local),
                None => {}
            }
        }
        Self { key: cell.key(), regions: regions.into(), words: packer.finish(&loads) }
    }

    /// For each of its regions the place in another list that is sorted alike, if it is the very same there.
    fn numbers_in(&self, regions: &[Arc<Region>]) -> Vec<Option<u32>> {
        let mut others = (0..).zip(regions).peekable();
        let mut number_of = |region: &Arc<Region>| {
            while others.next_if(|(_, other)| other.id < region.id).is_some() {}
            others.peek().filter(|(_, other)| Arc::ptr_eq(other, region)).map(|(number, _)| *number)
        };
        self.regions.iter().map(&mut number_of).collect()
    }
}

impl Part {
    fn of(region: &Region, cell: &Cell) -> Self {
        match Form::of(region) {
            Form::Disc(disc) => Self::Disc(disc),
            Form::Outline(outline) => {
                let edges = outline.edges_at(&cell.extent());
                Self::Local(Local { outline, edges })
            }
        }
    }

    fn load(&self, cell: &Cell) -> usize {
        match self {
            Self::Disc(disc) => {
                let distances = disc.distances(&cell.extent());
                let edges = disc.radii().iter().filter(|&&radius| Disc::reach(radius, distances) == Reach::Through);
                edges.count() * DISC_LOAD
            }
            Self::Local(local) if local.outline.meaning == Meaning::Area => local.edges.len(),
            Self::Local(local) => MEASURE_LOAD * local.edges.len().min(1),
        }
    }
}

impl Packer {
    fn add(&mut self, square: usize, number: u32, kind: u32, words: &[u32]) {
        let start = self.words.len();
        self.words.push(number << KIND_BITS | kind);
        self.words.extend_from_slice(words);
        self.enter(square, number, kind, start);
    }

    /// The words from `start` on are an entry.
    fn enter(&mut self, square: usize, number: u32, kind: u32, start: usize) {
        let order = (square as u64) << 40 | u64::from(kind) << 36 | u64::from(number);
        self.entries.push(Entry { order, start, end: self.words.len() });
    }

    /// Takes over the entries of an older block that is split alike, of the regions that have a new number.
    fn keep(&mut self, old: &Block, numbers: &[Option<u32>]) {
        self.fulls.extend(old.fulls().iter().filter_map(|&full| numbers[full as usize]));
        for square in 0..1 << (2 * self.split) {
            old.entries(square, |number, kind, rest| {
                if let Some(number) = numbers[number as usize] {
                    self.add(square, number, kind, rest);
                }
            });
        }
    }

    fn square(&self, column: i64, row: i64) -> Extent {
        self.cell.square(self.split, column, row)
    }

    fn number_of(&self, column: i64, row: i64) -> usize {
        ((row << self.split) + column) as usize
    }

    /// The columns and rows of the squares that a box touches.
    fn squares(&self, extent: &Extent) -> (Range<i64>, Range<i64>) {
        let (shift, last) = (self.cell.shift - self.split, (1 << self.split) - 1);
        let place = |at: i64, from: i64| (at - from) >> shift;
        let range = |low: i64, high: i64, from: i64| place(low, from).max(0)..place(high, from).min(last) + 1;
        (range(extent.west, extent.east, self.cell.west), range(extent.south, extent.north, self.cell.south))
    }

    fn add_disc(&mut self, number: u32, disc: &Disc) {
        let distances = disc.distances(&self.cell.extent());
        if disc.radii().iter().enumerate().all(|(i, &radius)| match Disc::reach(radius, distances) {
            Reach::Inside => true,
            Reach::Outside => i > 0,
            Reach::Through => false,
        }) {
            self.fulls.push(number);
            return;
        }
        let parts = disc.grown.turns().map(|turns| self.squares(&disc.grown.turned(turns)));
        let parts: Vec<(Range<i64>, Range<i64>)> = parts.collect();
        let mut seen: Vec<usize> = Vec::new();
        for (columns, rows) in parts {
            for (row, column) in rows.flat_map(|row| columns.clone().map(move |column| (row, column))) {
                let square = self.number_of(column, row);
                if !seen.contains(&square) {
                    self.add_disc_at(number, disc, square, &self.square(column, row));
                }
                // Only a circle round a pole comes twice to one square.
                if disc.grown.turns().count() > 1 {
                    seen.push(square);
                }
            }
        }
    }

    fn add_disc_at(&mut self, number: u32, disc: &Disc, square: usize, extent: &Extent) {
        let distances = disc.distances(extent);
        let reach = |radius: f64| Disc::reach(radius, distances);
        let widest = reach(disc.radii()[0]);
        let through: Vec<f64> =
            disc.radii().iter().copied().filter(|&radius| reach(radius) == Reach::Through).collect();
        let tests: Option<Vec<_>> = through.iter().map(|&radius| disc.test(radius, &self.cell, extent)).collect();
        if through.is_empty() {
            if widest == Reach::Inside {
                self.add(square, number, FULL, &[]);
            }
            return;
        }
        let Some(tests) = tests else { return self.add(square, number, MEASURE, &[]) };
        for (i, test) in tests.iter().enumerate() {
            let decides = i == 0 && widest == Reach::Through;
            self.add(square, number, if decides { DISC } else { RIM }, &test.words());
        }
        if widest == Reach::Inside {
            self.add(square, number, FULL, &[]);
        }
    }

    fn add_outline(&mut self, number: u32, local: &Local) {
        if local.edges.is_empty() {
            self.fulls.push(number);
            return;
        }
        let reach = local.outline.reach;
        let mut hits: Vec<(u32, u32)> = Vec::with_capacity(local.edges.len() * 2);
        for (i, edge) in (0..).zip(&local.edges) {
            self.hit(edge, reach, |square| hits.push((square as u32, i)));
        }
        hits.sort_unstable();
        // Squares beyond the outline's box have no edges and lie outside.
        let (columns, rows) = self.squares(&local.outline.extent.grown(1, reach));
        let corner = Spot { x: self.cell.west, y: self.cell.south };
        let is_area = local.outline.meaning != Meaning::Line;
        let edges = |of: &Range<usize>| hits[of.clone()].iter().map(|&(_, edge)| &local.edges[edge as usize]);
        let odd = |of: &Range<usize>, from: Spot, to: Spot| is_area && parity(edges(of), from, to);
        // The square that comes first in the row before: its corner, its edges, and whether the corner is inside.
        let mut first = (corner, 0..0, columns.start == 0 && rows.start == 0 && local.outline.holds_corner(corner));
        for row in rows {
            let mut before: Option<(Spot, Range<usize>, bool)> = None;
            for column in columns.clone() {
                let square = self.number_of(column, row);
                let Extent { west: x, south: y, .. } = self.square(column, row);
                let corner = Spot { x, y };
                let (last, of_last, last_inside) = before.as_ref().unwrap_or(&first);
                let inside = last_inside ^ odd(of_last, corner, *last);
                // Hits in squares beyond the side of the world are passed over.
                let start = of_last.end + hits[of_last.end..].iter().take_while(|hit| hit.0 < square as u32).count();
                let count = hits[start..].iter().take_while(|hit| hit.0 == square as u32).count();
                let here = (corner, start..start + count, inside);
                self.add_outline_at(number, local.outline.meaning, square, edges(&here.1), inside);
                if before.is_none() {
                    first = here.clone();
                }
                before = Some(here);
            }
        }
    }

    /// The squares that an edge matters in.
    fn hit(&self, edge: &Edge, reach: f64, mut found: impl FnMut(usize)) {
        let (columns, rows) = self.squares(&edge.extent().grown(1, reach));
        let single = reach <= 0.0 && columns.end - columns.start == 1 && rows.end - rows.start == 1;
        for (row, column) in rows.flat_map(|row| columns.clone().map(move |column| (row, column))) {
            if single || self.square(column, row).grown(1, reach).may_touch(edge.a, edge.b) {
                found(self.number_of(column, row));
            }
        }
    }

    fn add_outline_at<'e>(
        &mut self,
        number: u32,
        meaning: Meaning,
        square: usize,
        edges: impl Iterator<Item = &'e Edge> + Clone,
        inside: bool,
    ) {
        if edges.clone().next().is_none() {
            if inside {
                self.add(square, number, FULL, &[]);
            }
            return;
        }
        let start = self.words.len();
        let kinds: &[u32] = if meaning == Meaning::Area { &[SHORT, PIECE] } else { &[] };
        for &kind in kinds {
            self.words.extend([number << KIND_BITS | kind, 0]);
            if self.chains(square, kind, edges.clone()).is_some() {
                let count = (self.words.len() - start - 2) as u32;
                self.words[start + 1] = count | if inside { CORNER_INSIDE } else { 0 };
                return self.enter(square, number, kind, start);
            }
            self.words.truncate(start);
        }
        self.add(square, number, MEASURE, &[]);
    }

    /// Adds chains of vertices in the form of a kind; `None` when one lies too far off for it.
    fn chains<'e>(&mut self, square: usize, kind: u32, edges: impl Iterator<Item = &'e Edge>) -> Option<()> {
        let (column, row) = (square as i64 & ((1 << self.split) - 1), square as i64 >> self.split);
        let corner = self.square(column, row);
        let half = (1 << (self.cell.shift - self.split)) >> 1;
        let cell = self.cell;
        let add = |words: &mut Vec<u32>, p: Spot| {
            if kind == SHORT {
                words.push(short_word(p.x - corner.west - half, p.y - corner.south - half)?);
                return Some(());
            }
            let (x, y) = (p.x - cell.west, p.y - cell.south);
            words.extend((x.abs() < FARTHEST && y.abs() < FARTHEST).then_some([x as i32 as u32, y as i32 as u32])?);
            Some(())
        };
        let mut count = 0;
        let mut last = None;
        for edge in edges {
            if last != Some(edge.a) {
                count = self.words.len();
                self.words.push(1);
                add(&mut self.words, edge.a)?;
            }
            self.words[count] += 1;
            add(&mut self.words, edge.b)?;
            last = Some(edge.b);
        }
        Some(())
    }

    fn finish(mut self, loads: &[u32]) -> Arc<[u32]> {
        self.fulls.sort_unstable();
        self.entries.sort_by_key(|entry| entry.order);
        let squares = 1_usize << (2 * self.split);
        let mut words = Vec::with_capacity(2 + self.fulls.len() + squares + self.words.len() + loads.len());
        words.push((self.fulls.len() as u32) << SPLIT_BITS | self.split);
        words.extend_from_slice(&self.fulls);
        let first = words.len();
        words.resize(first + squares + 1, 0);
        let mut entries = self.entries.iter().peekable();
        for square in 0..squares {
            words[first + square] = words.len() as u32;
            while let Some(entry) = entries.next_if(|entry| (entry.order >> 40) as usize == square) {
                words.extend_from_slice(&self.words[entry.start..entry.end]);
            }
        }
        words[first + squares] = words.len() as u32;
        words.extend_from_slice(loads);
        words.into()
    }
}
