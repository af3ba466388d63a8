//! Packing: from the regions of one cell to its block.
//!
//! Promise: a block depends on its cell and its regions alone, so an edited block equals one packed afresh.

use super::block::{Block, CORNER_INSIDE, DISC, FARTHEST, FULL, KIND_BITS, MEASURE, PIECE, RIM, SPLIT_BITS};
use super::circle::{Disc, Reach};
use super::grid::{Cell, Extent, Spot};
use super::outline::{Edge, Form, Meaning, Outline, parity};
use crate::geo::region::Region;
use std::ops::Range;
use std::sync::Arc;

/// Finest split: 16 by 16 squares, of 46 m in the finest cells.
const SPLIT_MAX: u32 = 4;
/// A cell is split until on average so much load is left for a square; twice as much made look-ups slower by a
/// third, half as much made blocks larger for nothing.
const LOAD_MAX: usize = 8;
/// What a circle and an entry that must be measured cost, in edges.
const DISC_LOAD: usize = 4;
const MEASURE_LOAD: usize = 16;

/// An entry on its way into a square.
struct Entry {
    /// The square's number and, in the lowest bits, the kind: the order in which entries are packed.
    order: u32,
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
    /// Packs the regions that are put in a cell, in the order of their ids.
    pub(super) fn pack(cell: Cell, regions: Vec<Arc<Region>>) -> Self {
        let parts: Vec<Part> = regions.iter().map(|region| Part::of(region, &cell)).collect();
        let load: usize = parts.iter().map(|part| part.load(&cell)).sum();
        let finest = SPLIT_MAX.min(cell.shift);
        let split = (0..finest).find(|split| load <= LOAD_MAX << (2 * split)).unwrap_or(finest);
        let mut packer = Packer { cell, split, fulls: Vec::new(), entries: Vec::new(), words: Vec::new() };
        for (number, part) in (0..).zip(&parts) {
            match part {
                Part::Disc(disc) => packer.add_disc(number, disc),
                Part::Local(local) => packer.add_outline(number, local),
            }
        }
        Self { key: cell.key(), regions: regions.into(), words: packer.finish() }
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
        let order = (square as u32) << KIND_BITS | kind;
        self.entries.push(Entry { order, start, end: self.words.len() });
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
        let mut hits: Vec<(usize, usize)> = Vec::new();
        for (i, edge) in local.edges.iter().enumerate() {
            self.hit(edge, reach, |square| hits.push((square, i)));
        }
        hits.sort_unstable();
        // Squares beyond the outline's box have no edges and lie outside.
        let (columns, rows) = self.squares(&local.outline.extent.grown(1, reach));
        let clipped = columns.start == 0 && rows.start == 0;
        let corner = Spot { x: self.cell.west, y: self.cell.south };
        let is_area = local.outline.meaning != Meaning::Line;
        let mut first_inside = clipped && local.outline.holds_corner(corner);
        let mut first_edges: Vec<Edge> = Vec::new();
        let mut hits = hits.into_iter().peekable();
        for row in rows {
            let mut before: Option<(Spot, Vec<Edge>, bool)> = None;
            for column in columns.clone() {
                let square = self.number_of(column, row);
                let extent = self.square(column, row);
                let corner = Spot { x: extent.west, y: extent.south };
                let inside = match &before {
                    Some((west, edges, inside)) => inside ^ (is_area && parity(edges.iter(), corner, *west)),
                    None => {
                        let south = Spot { x: corner.x, y: corner.y - (extent.north - extent.south + 1) };
                        first_inside ^ (is_area && parity(first_edges.iter(), corner, south))
                    }
                };
                let mut edges: Vec<Edge> = Vec::new();
                // Hits in squares beyond the side of the world are passed over.
                while let Some((at, edge)) = hits.next_if(|(at, _)| *at <= square) {
                    edges.extend((at == square).then(|| local.edges[edge]));
                }
                self.add_outline_at(number, local.outline.meaning, square, &edges, inside);
                if before.is_none() {
                    (first_inside, first_edges) = (inside, edges.clone());
                }
                before = Some((corner, edges, inside));
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

    fn add_outline_at(&mut self, number: u32, meaning: Meaning, square: usize, edges: &[Edge], inside: bool) {
        if edges.is_empty() {
            if inside {
                self.add(square, number, FULL, &[]);
            }
            return;
        }
        let chains = if meaning == Meaning::Area { self.chains(edges) } else { None };
        match chains {
            Some(mut words) => {
                let count = words.len() as u32 - 1;
                words[0] = count | if inside { CORNER_INSIDE } else { 0 };
                self.add(square, number, PIECE, &words);
            }
            None => self.add(square, number, MEASURE, &[]),
        }
    }

    /// A free word, then chains of vertices from the cell's corner; `None` when one lies too far off.
    fn chains(&self, edges: &[Edge]) -> Option<Vec<u32>> {
        let relative = |p: Spot| {
            let (x, y) = (p.x - self.cell.west, p.y - self.cell.south);
            (x.abs() < FARTHEST && y.abs() < FARTHEST).then_some([x as i32 as u32, y as i32 as u32])
        };
        let mut words = vec![0];
        let mut count = 0;
        let mut last = None;
        for edge in edges {
            if last != Some(edge.a) {
                count = words.len();
                words.push(1);
                words.extend(relative(edge.a)?);
            }
            words[count] += 1;
            words.extend(relative(edge.b)?);
            last = Some(edge.b);
        }
        Some(words)
    }

    fn finish(mut self) -> Arc<[u32]> {
        self.entries.sort_by_key(|entry| entry.order);
        let squares = 1_usize << (2 * self.split);
        let mut words = Vec::with_capacity(2 + self.fulls.len() + squares + self.words.len());
        words.push((self.fulls.len() as u32) << SPLIT_BITS | self.split);
        words.extend_from_slice(&self.fulls);
        let first = words.len();
        words.resize(first + squares + 1, 0);
        let mut entries = self.entries.iter().peekable();
        for square in 0..squares {
            words[first + square] = words.len() as u32;
            while let Some(entry) = entries.next_if(|entry| (entry.order >> KIND_BITS) as usize == square) {
                words.extend_from_slice(&self.words[entry.start..entry.end]);
            }
        }
        words[first + squares] = words.len() as u32;
        words.into()
    }
}
