//! Where a run happened: streets, places, and how many fixes fell into each cell of a grid.
//!
//! The walkers of a load test are made up, so their positions are nobody's. A server that real people play on is never
//! loaded by this program.

use serde::{Deserialize, Serialize};

/// Most points of all streets together: a district of a city; 100,000 are 2 MB of JSON.
pub const STREET_POINTS_MAX: usize = 100_000;
/// Most places: more cannot be told apart in one picture.
pub const PLACES_MAX: usize = 2_000;
/// Most cells of the grid: 200 by 200, finer than the picture shows.
pub const CELLS_MAX: usize = 40_000;

/// A map of the run; degrees, longitude first as in GeoJSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Map {
    /// Lines of streets.
    pub streets: Vec<Vec<(f64, f64)>>,
    /// Where something could be won.
    pub places: Vec<Place>,
    /// Cells with at least one fix.
    pub heat: Vec<Cell>,
    /// Side of a cell, in degrees of longitude and latitude.
    pub cell: (f64, f64),
}

/// A place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Degrees.
    pub lon: f64,
    /// Degrees.
    pub lat: f64,
    /// How many awards were won there.
    #[serde(default)]
    pub awards: u64,
}

/// A cell of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its centre, in degrees.
    pub lon: f64,
    /// Its centre, in degrees.
    pub lat: f64,
    /// Fixes in it.
    pub count: u64,
}

/// Why a map cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a map with {found} {what} is too large, {most} at most: give fewer streets or larger cells")]
pub struct MapError {
    what: &'static str,
    found: usize,
    most: usize,
}

impl Map {
    /// Whether it keeps the bounds.
    pub fn check(&self) -> Result<(), MapError> {
        let bounds = [
            ("points of streets", self.streets.iter().map(Vec::len).sum(), STREET_POINTS_MAX),
            ("places", self.places.len(), PLACES_MAX),
            ("cells", self.heat.len(), CELLS_MAX),
        ];
        match bounds.into_iter().find(|(_, found, most)| found > most) {
            Some((what, found, most)) => Err(MapError { what, found, most }),
            None => Ok(()),
        }
    }
}
