//! The index: which regions hold a place, and how far may one go before that changes? Never changed once made; an
//! edit makes another that shares nearly all with it.
//!
//! The earth is cut into cells of four sizes, and each region decides by itself which cells it is put in, so an index
//! after any edits is the index that a fresh build makes. A cell keeps what its places must be asked, packed: regions
//! that hold it whole, circles, the few edges that pass through each square of it. The cost of an answer hardly
//! depends on how many regions there are or on how many vertices they have.
//! Promises: [`RegionIndex::look`] is exact, with edges counted as inside, and its box never reaches over an edge of a
//! region or a ring; [`RegionIndex::near`] and [`RegionIndex::between`] never miss a region, and what they return must
//! still be measured. Why it is made so: docs/adr/0009-own-region-index.md.

mod block;
mod circle;
mod cross;
mod grid;
mod measure;
mod outline;
mod pack;
mod room;
mod table;
#[cfg(test)]
mod tests;

pub use grid::SafeBox;

use super::metric::{Bounds, Envelope};
use super::position::Position;
use super::region::Region;
use crate::ids::RegionId;
use crate::units::Meters;
use block::Block;
use grid::{Cell, Extent, Grid, LEVELS, Spot};
use outline::Form;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use table::{Edit, Entry, Table};

/// A way across more of the finest cells than this, from side to side, is looked for region by region.
const WAY_CELLS_MAX: i64 = 16;

/// All regions of a server, immutable; cheap to clone.
#[derive(Clone)]
pub struct RegionIndex {
    grid: Grid,
    regions: Table<Named>,
    /// By level, the finest first.
    cells: [Table<Block>; LEVELS],
    generation: u64,
}

/// A change of one region.
#[derive(Clone)]
pub enum Change {
    /// It is there from now on, in place of one with the same id.
    Put(Region),
    /// It is gone.
    Remove(RegionId),
}

/// A region under its id.
#[derive(Clone)]
struct Named(Arc<Region>);

impl Entry for Named {
    type Key = RegionId;

    fn hash(key: &RegionId) -> u64 {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        let hash = key.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
        (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    fn key(&self) -> &RegionId {
        &self.0.id
    }
}

/// A region comes into a cell or leaves it.
struct Touch {
    level: usize,
    key: u64,
    region: Arc<Region>,
    comes: bool,
}

impl RegionIndex {
    /// Builds the index; of several regions with one id the last one counts.
    pub fn build(regions: Vec<Region>) -> Self {
        Self::on_grid(Grid::EARTH, regions)
    }

    fn on_grid(grid: Grid, regions: Vec<Region>) -> Self {
        let cells = std::array::from_fn(|_| Table::empty());
        let nothing = Self { grid, regions: Table::empty(), cells, generation: 0 };
        nothing.with(regions.into_iter().map(Change::Put).collect())
    }

    /// The index after some changes, made in order; this one stays as it is.
    pub fn with(&self, changes: Vec<Change>) -> Self {
        let last: BTreeMap<RegionId, Option<Arc<Region>>> = changes
            .into_iter()
            .map(|change| match change {
                Change::Put(region) => (region.id.clone(), Some(Arc::new(region))),
                Change::Remove(id) => (id, None),
            })
            .collect();
        let mut touches = Vec::new();
        for (id, new) in &last {
            let sides = [(self.get(id), false), (new.as_ref(), true)];
            for (region, comes) in sides.into_iter().filter_map(|(region, comes)| Some((region?, comes))) {
                let cells = Form::of(region).cells(&self.grid).into_iter();
                touches.extend(cells.map(|(level, key)| Touch { level, key, region: region.clone(), comes }));
            }
        }
        let named = |(key, region): (RegionId, Option<Arc<Region>>)| Edit { key, entry: region.map(Named) };
        Self {
            grid: self.grid,
            regions: self.regions.edited(last.into_iter().map(named).collect()),
            cells: self.touched(touches),
            generation: next_generation(),
        }
    }

    /// The cells after regions came and went: each touched one is packed once.
    fn touched(&self, mut touches: Vec<Touch>) -> [Table<Block>; LEVELS] {
        touches.sort_by_key(|touch| (touch.level, touch.key));
        let mut edits: [Vec<Edit<Block>>; LEVELS] = std::array::from_fn(|_| Vec::new());
        for of_cell in touches.chunk_by(|a, b| (a.level, a.key) == (b.level, b.key)) {
            let (level, key) = (of_cell[0].level, of_cell[0].key);
            let block = self.cells[level].get(&key);
            let old = block.map_or(&[][..], |block| &block.regions);
            let stays = |region: &Arc<Region>| !of_cell.iter().any(|touch| touch.region.id == region.id);
            let mut regions: Vec<Arc<Region>> = old.iter().filter(|region| stays(region)).cloned().collect();
            regions.extend(of_cell.iter().filter(|touch| touch.comes).map(|touch| touch.region.clone()));
            regions.sort_by(|a, b| a.id.cmp(&b.id));
            let cell = Cell::of_key(level, self.grid.shifts[level], key);
            let entry = (!regions.is_empty()).then(|| Block::pack(cell, regions, block));
            edits[level].push(Edit { key, entry });
        }
        let mut edits = edits.into_iter();
        std::array::from_fn(|level| self.cells[level].edited(edits.next().unwrap_or_default()))
    }

    /// The region of that name.
    pub fn get(&self, id: &RegionId) -> Option<&Arc<Region>> {
        self.regions.get(id).map(|named| &named.0)
    }

    /// How many regions there are.
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All regions in the order of their ids; sorts them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Region>> {
        let mut regions: Vec<&Arc<Region>> = self.regions.iter().map(|named| &named.0).collect();
        regions.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        regions.into_iter()
    }

    /// Differs between any two indexes that were not cloned from one another: what was learned from another
    /// generation, such as a safe box, holds no longer.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Pushes all regions that hold the place when grown by their reach, each once, in no promised order. Returns a
    /// box round the place in which no edge of a region or a ring lies, so that each place in it gets the same
    /// answer; a place on an edge, or too near to tell, gets a box that holds nothing.
    pub fn look<'a>(&'a self, place: &Position, found: &mut Vec<&'a Arc<Region>>) -> SafeBox {
        let (spot, mut world) = (Spot::of(place), Extent::WORLD);
        if !self.is_empty() {
            // A pole is one place of all longitudes, and lies in a cell of each: no box holds it, and all are asked.
            if spot.y == world.south || spot.y == world.north {
                found.extend(self.near(place, Meters::ZERO).filter(|region| measure::holds(region, place)));
                return SafeBox::default();
            }
            (world.south, world.north) = (world.south + 1, world.north - 1);
        }
        let mut safe = Some(world);
        for (level, table) in self.cells.iter().enumerate().filter(|(_, table)| table.len() > 0) {
            let cell = self.grid.cell(level, spot);
            let room = match table.get(&cell.key()) {
                Some(block) => block.look(&cell, spot, place, found),
                None => Some(cell.extent()),
            };
            safe = safe.and_then(|safe| safe.common(&room?));
        }
        safe.map_or(SafeBox::default(), |safe| SafeBox::of(&safe))
    }

    /// The regions that, with their rings, may come within `halo` metres of a place, each once, in the order of their
    /// ids.
    pub fn near(&self, place: &Position, halo: Meters) -> impl Iterator<Item = &Arc<Region>> {
        self.within(&Bounds::from(place.grid()).envelope(halo.get().max(0.0))).into_iter()
    }

    /// The regions of which the straight way between two places may touch the edge, or that of a ring, each once, in the
    /// order of their ids. A region that holds all of the way is not among them.
    pub fn between(&self, from: &Position, to: &Position) -> impl Iterator<Item = &Arc<Region>> {
        let start = from.grid();
        let end = to.grid().turned_toward(start.x);
        let envelope = Bounds::from(start).union(end.into()).envelope(0.0);
        let asked = Extent::of(&envelope);
        let finest = self.grid.shifts[0];
        let cells = ((asked.east - asked.west) >> finest) + ((asked.north - asked.south) >> finest);
        let mut found = Vec::new();
        if cells > WAY_CELLS_MAX {
            found = self.within(&envelope);
        } else {
            for (level, table) in self.cells.iter().enumerate().filter(|(_, table)| table.len() > 0) {
                for part in asked.turns().filter_map(|turns| asked.turned(turns).common(&Extent::WORLD)) {
                    let cells = self.grid.cells(level, part);
                    let blocks = cells.filter_map(|cell| Some((cell, table.get(&cell.key())?)));
                    blocks.for_each(|(cell, block)| block.edges_in(&cell, &part, &mut found));
                }
            }
            found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            found.dedup_by(|a, b| Arc::ptr_eq(a, b));
        }
        found.into_iter()
    }

    fn within(&self, envelope: &Envelope) -> Vec<&Arc<Region>> {
        let asked = Extent::of(envelope);
        let mut found: Vec<&Arc<Region>> = Vec::new();
        for (level, table) in self.cells.iter().enumerate().filter(|(_, table)| table.len() > 0) {
            for part in asked.turns().filter_map(|turns| asked.turned(turns).common(&Extent::WORLD)) {
                self.collect(level, table, &part, &mut found);
            }
        }
        found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| Arc::ptr_eq(a, b));
        found.retain(|region| {
            let extent = Extent::of(&outline::envelope(region));
            (-2..=2).any(|turns| extent.turned(turns).common(&asked).is_some())
        });
        found
    }

    /// The regions in the cells of a level that a box in the world touches.
    fn collect<'a>(&'a self, level: usize, table: &'a Table<Block>, part: &Extent, found: &mut Vec<&'a Arc<Region>>) {
        let shift = self.grid.shifts[level];
        let across = |low: i64, high: i64| ((high >> shift) - (low >> shift) + 1) as usize;
        if across(part.west, part.east).saturating_mul(across(part.south, part.north)) <= table.len() {
            let cells = self.grid.cells(level, *part);
            found.extend(cells.filter_map(|cell| table.get(&cell.key())).flat_map(|block| block.regions.iter()));
            return;
        }
        let near = |block: &&Block| Cell::of_key(level, shift, block.key).extent().common(part).is_some();
        found.extend(table.iter().filter(near).flat_map(|block| block.regions.iter()));
    }
}

fn next_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    // Nothing else is ordered by it: only that no number is given twice matters.
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
