//! GeoJSON (RFC 7946) in and out: what an editor draws becomes shapes, and shapes become what an editor opens.
//!
//! Read are a FeatureCollection, a Feature or a bare geometry: Polygon and MultiPolygon (areas), Point with `radius` in
//! metres (circles), LineString with `width` in metres (corridors); both numbers stand among the properties, or in the
//! geometry. Ids come from the feature's `id` or `properties.id`, else they are `feature-N`, counted from 1.
//!
//! Mended, with a note: rings that are not closed, rings drawn in the other direction, vertices repeated in a row,
//! parts cut at the antimeridian (joined again). Refused: everything else that [`ShapeError`] names; a ring that
//! crosses itself is never repaired, because a repair would have to guess what was meant.
//!
//! Promise: one look tells all faults, each with its feature and a remedy; size and depth of what is read are bounded;
//! what [`export`] writes is read back as the same shapes.

mod cut;
mod read;
mod write;

use super::position::PositionError;
use super::shape::{Shape, ShapeError};
use serde_json::{Map, Value};
use std::fmt;

pub use read::{geometry, import};
pub use write::{export, export_geometry};

/// Largest text read, in bytes. Read, it takes some ten times as much memory.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most features in one text.
pub const FEATURES_MAX: usize = 100_000;

/// One feature that became a shape.
#[derive(Clone, PartialEq)]
pub struct Feature {
    /// Its id, unique in its text.
    pub id: String,
    /// What it covers.
    pub shape: Shape,
    /// Everything else that stood with it, except its id, `radius` and `width`.
    pub properties: Map<String, Value>,
}

/// What came of a text.
#[derive(Default)]
pub struct Import {
    /// The features that are sound, in their order.
    pub features: Vec<Feature>,
    /// Those that are not, in their order; when the whole text cannot be read, one that names none.
    pub faults: Vec<Fault>,
    /// What was mended, in the order of the features.
    pub notes: Vec<Note>,
}

/// Which feature something is said about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Its place in the text, from 0.
    pub index: usize,
    /// Its id.
    pub id: String,
}

/// Why a feature, or the whole text, was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The feature; `None` for the whole text.
    pub feature: Option<Which>,
    /// What is wrong, and what to do.
    pub reason: Reason,
}

/// Something that was mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The feature.
    pub feature: Which,
    /// What was done.
    pub mended: Mended,
}

/// What was mended in a geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// So many rings did not end where they began.
    Closed(usize),
    /// So many rings ran the other way: outlines run counter-clockwise, holes clockwise.
    Reoriented(usize),
    /// So many vertices repeated the one before.
    RepeatsDropped(usize),
    /// Parts that were cut at the antimeridian are one again; the cut is no edge.
    SeamJoined,
}

/// Why something was refused. Each says what to change.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum Reason {
    #[error("the text has more than {BYTES_MAX} bytes: split it into files")]
    TooLarge,
    #[error("the text has more than {FEATURES_MAX} features: split it into files")]
    TooManyFeatures,
    #[error("brackets are nested too deep: this is no GeoJSON")]
    TooDeep,
    #[error("this is not JSON ({0}): export it again as GeoJSON")]
    NotJson(String),
    #[error("this is not GeoJSON: it needs a \"type\" of FeatureCollection, Feature or a geometry")]
    NotGeoJson,
    #[error("a feature needs a geometry: draw one, or remove the feature")]
    NoGeometry,
    #[error("a {0} cannot be a region: use Polygon, MultiPolygon, Point with radius or LineString with width")]
    Unsupported(String),
    #[error("the geometry has no coordinates: draw it, or remove the feature")]
    Empty,
    #[error(
        "the coordinates of a {0} do not have its form: positions are [longitude, latitude], rings lists of them"
    )]
    BadCoordinates(&'static str),
    #[error("a Point needs a radius, a number of metres, among its properties")]
    RadiusMissing,
    #[error("a LineString needs a width, a number of metres, among its properties")]
    WidthMissing,
    #[error("an id is 1 to 96 printable ASCII characters without space, '/', '#', quotes or '\\': rename it")]
    BadId,
    #[error("another feature before it has the same id: rename one of them")]
    DuplicateId,
    #[error(transparent)]
    Position(#[from] PositionError),
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl Import {
    /// The features, if all are sound.
    pub fn all(self) -> Result<(Vec<Feature>, Vec<Note>), Vec<Fault>> {
        if self.faults.is_empty() { Ok((self.features, self.notes)) } else { Err(self.faults) }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "feature {} (\"{}\")", self.index, self.id)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.feature {
            Some(which) => write!(f, "{which}: {}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(n) => write!(f, "closed {n} of its rings"),
            Self::Reoriented(n) => write!(f, "turned {n} of its rings round: outlines run counter-clockwise"),
            Self::RepeatsDropped(n) => write!(f, "dropped {n} vertices that repeat the one before"),
            Self::SeamJoined => f.write_str("joined what was cut at the antimeridian"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.feature, self.mended)
    }
}

#[cfg(test)]
mod tests;
