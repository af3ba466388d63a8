//! A region as the index sees it: edges on the grid, how far from them something still depends on the place, and
//! whether the edges enclose anything. From these follows which cells a region is put in.
//!
//! Promise: the cells depend on the region alone, so an index after edits equals one built afresh; and all places
//! outside a region's cells are outside the region and its rings.

use super::circle::Disc;
use super::cross::crosses;
use super::grid::{Cell, Extent, Grid, LEVELS, Spot};
use crate::geo::metric::{Envelope, FULL_TURN};
use crate::geo::region::Region;
use crate::geo::shape::Shape;

/// A piece of an outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) a: Spot,
    pub(super) b: Spot,
}

impl Edge {
    /// Whether it crosses the way between the south-west corners of two places' squares.
    fn crosses(&self, from: Spot, to: Spot) -> bool {
        let double = |p: Spot| (i128::from(2 * p.x), i128::from(2 * p.y));
        let corner = |p: Spot| (i128::from(2 * p.x - 1), i128::from(2 * p.y - 1));
        crosses(double(self.a), double(self.b), corner(from), corner(to))
    }

    pub(super) fn extent(&self) -> Extent {
        Extent {
            west: self.a.x.min(self.b.x),
            south: self.a.y.min(self.b.y),
            east: self.a.x.max(self.b.x),
            north: self.a.y.max(self.b.y),
        }
    }
}

/// Whether the corner of `from`'s square lies inside if that of `to`'s square does.
pub(super) fn parity<'e>(edges: impl Iterator<Item = &'e Edge>, from: Spot, to: Spot) -> bool {
    edges.fold(false, |odd, edge| odd ^ edge.crosses(from, to))
}

/// What the edges of a region mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// They are all there is: inside is even-odd.
    Area,
    /// They enclose an area, and rings follow them outside.
    Ringed,
    /// They are a line, and what lies near it is inside.
    Line,
}

/// The grid's view of a polygon, a multi-polygon or a corridor.
pub(super) struct Outline {
    pub(super) meaning: Meaning,
    /// Metres from an edge within which a place must be measured.
    pub(super) reach: f64,
    /// Each copy that comes into the world, in the shape's own order.
    pub(super) edges: Vec<Edge>,
    /// Of all copies of the edges.
    pub(super) extent: Extent,
    /// Of one copy of the region with its rings, unwrapped.
    grown: Extent,
}

/// What a region is put into cells as.
pub(super) enum Form {
    Disc(Disc),
    Outline(Outline),
}

/// A box in degrees that holds a region with its rings.
pub(super) fn envelope(region: &Region) -> Envelope {
    let (bounds, margin) = region.shape.bounds_and_margin();
    // A per cent and a metre more than it takes: far from an edge a distance is only good to some per mille.
    bounds.envelope(if region.rings.is_empty() { margin } else { margin + region.reach().get() * 1.01 + 1.0 })
}

impl Form {
    pub(super) fn of(region: &Region) -> Self {
        let grown = Extent::of(&envelope(region));
        let reach = region.reach().get().max(0.0);
        let (meaning, metres) = match &region.shape {
            Shape::Circle(circle) => return Self::Disc(Disc::new(circle, region, grown)),
            Shape::Corridor(corridor) => (Meaning::Line, corridor.width().get() / 2.0 + reach),
            Shape::Area(_) if region.rings.is_empty() => (Meaning::Area, 0.0),
            Shape::Area(_) => (Meaning::Ringed, reach),
        };
        let reach = if metres > 0.0 { metres * 1.01 + 1.0 } else { 0.0 };
        let (mut edges, mut extent) = (Vec::with_capacity(64), Extent::NONE);
        for turns in grown.turns() {
            region.shape.each_edge(|a, b| {
                let edge = Edge { a: Spot::turned(a, turns), b: Spot::turned(b, turns) };
                extent = extent.joined(&edge.extent());
                edges.push(edge);
            });
        }
        Self::Outline(Outline { meaning, reach, edges, extent, grown })
    }

    /// The cells that the region is put in, each once, as level and key.
    pub(super) fn cells(&self, grid: &Grid) -> Vec<(usize, u64)> {
        let grown = match self {
            Self::Disc(disc) => disc.grown,
            Self::Outline(outline) => outline.grown,
        };
        let level = grid.level_for(&grown);
        let parts = grown.turns().filter_map(|turns| grown.turned(turns).common(&Extent::WORLD));
        let mut cells: Vec<Cell> = parts.flat_map(|part| grid.cells(level, part)).collect();
        cells.sort_unstable_by_key(Cell::key);
        cells.dedup();
        let mut found = Vec::new();
        for cell in cells {
            match self {
                Self::Disc(disc) => {
                    if disc.touches(&cell.extent()) {
                        found.push((level, cell.key()));
                    }
                }
                Self::Outline(outline) => outline.put(grid, cell, &mut found),
            }
        }
        found
    }
}

impl Outline {
    /// Whether the south-west corner of a place's square lies inside, from nothing but the edges.
    pub(super) fn holds_corner(&self, spot: Spot) -> bool {
        // So far west that no copy of any shape gets there.
        let nowhere = Spot { x: -4 * FULL_TURN, y: spot.y };
        self.meaning != Meaning::Line && parity(self.edges.iter(), spot, nowhere)
    }

    /// The edges that matter in a box.
    pub(super) fn edges_at(&self, extent: &Extent) -> Vec<Edge> {
        let near = extent.grown(1, self.reach);
        self.edges.iter().filter(|edge| near.may_touch(edge.a, edge.b)).copied().collect()
    }

    /// Whether rings are so wide that they would fill finer cells; near a pole all are.
    fn reaches_over(&self, grid: &Grid, cell: &Cell) -> bool {
        let finer = grid.cell(cell.level - 1, cell_corner(cell)).extent();
        let (north, width) = (cell.extent().north, finer.east - finer.west);
        let wide = [cell.south, north].map(|south| Extent { south, north: south, ..finer }.grown(1, self.reach));
        wide.iter().any(|wide| wide.east - wide.west > 3 * width || wide.north - wide.south > 2 * width)
    }

    fn put(&self, grid: &Grid, cell: Cell, found: &mut Vec<(usize, u64)>) {
        let edges = self.edges_at(&cell.extent());
        let inside = if edges.len() > grid.edges_max && cell.level > 0 || edges.is_empty() {
            self.holds_corner(cell_corner(&cell))
        } else {
            false
        };
        self.divide(grid, cell, &edges, inside, found);
    }

    /// Puts the region in a cell that these edges come near, or in finer ones. `inside` is the cell's corner.
    fn divide(&self, grid: &Grid, cell: Cell, edges: &[Edge], inside: bool, found: &mut Vec<(usize, u64)>) {
        if edges.is_empty() {
            if inside {
                found.push((cell.level, cell.key()));
            }
            return;
        }
        if edges.len() <= grid.edges_max || cell.level == 0 || self.reaches_over(grid, &cell) {
            found.push((cell.level, cell.key()));
            return;
        }
        debug_assert!(cell.level < LEVELS);
        let corner = cell_corner(&cell);
        let Some(part) = cell.extent().common(&Extent::WORLD) else { return };
        for finer in grid.cells(cell.level - 1, part) {
            let near = finer.extent().grown(1, self.reach);
            let within: Vec<Edge> = edges.iter().filter(|edge| near.may_touch(edge.a, edge.b)).copied().collect();
            let odd = self.meaning != Meaning::Line && parity(edges.iter(), cell_corner(&finer), corner);
            self.divide(grid, finer, &within, inside ^ odd, found);
        }
    }
}

fn cell_corner(cell: &Cell) -> Spot {
    Spot { x: cell.west, y: cell.south }
}
