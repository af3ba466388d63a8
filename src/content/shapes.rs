//! The shape of a place: from what is written to what fences read and to what the player's map draws.
//!
//! Whether a shape is sound is `geo`'s to say (its constructors check); here its answer gets a spot in the file and
//! words for people who do not program.
//! Promise: an [`Outline`] has a sound shape and a GeoJSON geometry of the very same numbers.

use super::code::{self, Code};
use super::file::{Geometry, GeometryKind, Place};
use super::report::Fault;
use super::spot::{At, Spot};
use super::values::{Coords, Length};
use crate::geo::geojson::export_geometry;
use crate::geo::position::Position;
use crate::geo::shape::{Shape, ShapeError};
use crate::units::Meters;
use serde_json::{Value, json};

/// Longitude and latitude in degrees.
type LonLat = [f64; 2];
/// Corners in a row.
type Ring = Vec<At<LonLat>>;
/// Metres in a degree of latitude; good enough to tell a small place from a large one.
const DEGREE_M: f64 = 111_320.0;

/// Where a place is.
pub(super) struct Outline {
    /// For fences.
    pub shape: Shape,
    /// For the player's map. A circle is a `Point` with a `radius`, a way a `LineString` with a `width`.
    pub geojson: Value,
    /// Its size in the measure in which quest makers give it: radius, width, or the shorter side of its box.
    pub size: f64,
    /// For a way: how far from its line it reaches.
    pub reach: Option<f64>,
}

impl Outline {
    /// The outline of the place called `name`.
    pub(super) fn of(name: &At<String>, place: &Place) -> Result<Self, Fault> {
        let circle = place.center.as_ref().map(|at| at.spot).or(place.radius.as_ref().map(|at| at.spot));
        let way = place.line.as_ref().map(|at| at.spot).or(place.width.as_ref().map(|at| at.spot));
        let area = place.polygon.as_ref().map(|at| at.spot);
        let pasted = place.geojson.as_ref().map(|at| at.spot);
        let mut shapes: Vec<Spot> = [circle, area, way, pasted].into_iter().flatten().collect();
        shapes.sort();
        if let [_, second, ..] = shapes.as_slice() {
            let message = format!("place \"{}\" has two shapes", name.value);
            return Err(Fault::new(code::PLACE_WITH_TWO_SHAPES, *second, message).help("keep one of them"));
        }
        if let Some(geometry) = &place.geojson {
            return Self::pasted(name, geometry);
        }
        match (&place.center, &place.radius, &place.polygon, &place.line, &place.width) {
            (Some(center), Some(radius), ..) => Self::circle(name, center, radius),
            (_, _, Some(corners), ..) => Self::area(name, corners.spot, vec![rings_of(corners)?]),
            (_, _, _, Some(line), Some(width)) => Self::way(name, line, width),
            _ => {
                let message = format!("place \"{}\" has no complete shape", name.value);
                let help = "add center and radius, or polygon, or line and width, or geojson";
                Err(Fault::new(code::PLACE_WITHOUT_SHAPE, name.spot, message).help(help))
            }
        }
    }

    fn circle(name: &At<String>, center: &At<LonLat>, radius: &At<Length>) -> Result<Self, Fault> {
        let shape = Shape::circle(position(center)?, Meters::lossy(radius.0))
            .map_err(|error| shape_fault(name, radius.spot, error))?;
        let geojson = json!({ "type": "Point", "coordinates": center.value, "radius": radius.0 });
        Ok(Self { shape, geojson, size: radius.0, reach: None })
    }

    /// An area of one or several parts; one part without anything else is written as it was drawn.
    fn area(name: &At<String>, spot: Spot, parts: Vec<Vec<Ring>>) -> Result<Self, Fault> {
        let ring = |ring: &Ring| ring.iter().map(position).collect::<Result<Vec<_>, _>>();
        let part = |rings: &Vec<Ring>| rings.iter().map(ring).collect::<Result<Vec<_>, _>>();
        let positions = parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let shape = Shape::multi_polygon(positions).map_err(|error| shape_fault(name, spot, error))?;
        let side = |rings: &Vec<Ring>| rings.first().map_or(0.0, |shell| shorter_side(&closed(shell)));
        let size = parts.iter().map(side).fold(0.0, f64::max);
        let geojson = match parts.as_slice() {
            [rings] => {
                let rings: Vec<Vec<LonLat>> = rings.iter().map(|ring| closed(ring)).collect();
                json!({ "type": "Polygon", "coordinates": rings })
            }
            _ => export_geometry(&shape),
        };
        Ok(Self { shape, geojson, size, reach: None })
    }

    /// What an editor drew.
    fn pasted(name: &At<String>, geometry: &At<Geometry>) -> Result<Self, Fault> {
        let corners = &geometry.coordinates;
        let missing = |what: &str| {
            let message = format!("place \"{}\" has no complete shape", name.value);
            Fault::new(code::PLACE_WITHOUT_SHAPE, geometry.spot, message)
                .help(format!("add {what} beside coordinates"))
        };
        match geometry.kind.value {
            GeometryKind::Point => {
                Self::circle(name, &pair(corners)?, geometry.radius.as_ref().ok_or_else(|| missing("radius"))?)
            }
            GeometryKind::LineString => {
                let line = At { value: ring_of(corners)?, spot: corners.spot };
                Self::way(name, &line, geometry.width.as_ref().ok_or_else(|| missing("width"))?)
            }
            GeometryKind::Polygon => Self::area(name, corners.spot, vec![part_of(corners)?]),
            GeometryKind::MultiPolygon => {
                let parts = list(corners)?.iter().map(part_of).collect::<Result<_, _>>()?;
                Self::area(name, corners.spot, parts)
            }
        }
    }

    fn way(name: &At<String>, line: &At<Vec<At<LonLat>>>, width: &At<Length>) -> Result<Self, Fault> {
        let positions = line.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        let shape = Shape::corridor(positions, Meters::lossy(width.0)).map_err(|error| {
            let spot = if matches!(error, ShapeError::Width) { width.spot } else { line.spot };
            shape_fault(name, spot, error)
        })?;
        let points: Vec<LonLat> = line.iter().map(|point| point.value).collect();
        let geojson = json!({ "type": "LineString", "coordinates": points, "width": width.0 });
        Ok(Self { shape, geojson, size: width.0, reach: Some(width.0 / 2.0) })
    }
}

/// A position on the earth.
pub(super) fn position(at: &At<LonLat>) -> Result<Position, Fault> {
    let [lon, lat] = at.value;
    Position::new(lon, lat).map_err(|error| {
        let swapped = lat.abs() > 90.0 && lat.abs() <= 180.0 && lon.abs() <= 90.0;
        let help =
            if swapped { "longitude comes first: [longitude, latitude]".to_owned() } else { error.to_string() };
        Fault::new(code::BAD_POSITION, at.spot, "this is not a position on the earth").help(help)
    })
}

fn shape_fault(name: &At<String>, spot: Spot, error: ShapeError) -> Fault {
    let name = &name.value;
    let (code, message): (Code, String) = match error {
        ShapeError::SelfCrossing => (code::SELF_CROSSING, format!("the sides of \"{name}\" cross each other")),
        ShapeError::RingsCross => (code::SELF_CROSSING, format!("two outlines of \"{name}\" cross each other")),
        ShapeError::TooFewVertices => (code::FEW_CORNERS, format!("\"{name}\" has too few different corners")),
        ShapeError::Radius | ShapeError::Width => (code::BAD_LENGTH, format!("\"{name}\" cannot be of that size")),
        _ => (code::BAD_SHAPE, format!("the shape of \"{name}\" cannot be used")),
    };
    Fault::new(code, spot, message).help(error.to_string())
}

/// One ring, or a list of rings: told apart by how deep the numbers lie.
fn rings_of(corners: &At<Coords>) -> Result<Vec<Ring>, Fault> {
    let nested = list(corners)?.first().is_some_and(|first| match &first.value {
        Coords::List(inner) => inner.first().is_some_and(|deep| matches!(deep.value, Coords::List(_))),
        Coords::Number(_) => false,
    });
    let rings = if nested { list(corners)? } else { std::slice::from_ref(corners) };
    rings.iter().map(ring_of).collect()
}

/// The rings of a polygon, in a list also when there is one.
fn part_of(rings: &At<Coords>) -> Result<Vec<Ring>, Fault> {
    list(rings)?.iter().map(ring_of).collect()
}

fn ring_of(corners: &At<Coords>) -> Result<Ring, Fault> {
    list(corners)?.iter().map(pair).collect()
}

fn list(at: &At<Coords>) -> Result<&[At<Coords>], Fault> {
    match &at.value {
        Coords::List(items) => Ok(items),
        Coords::Number(_) => Err(not_corners(at.spot)),
    }
}

fn pair(at: &At<Coords>) -> Result<At<LonLat>, Fault> {
    match list(at)? {
        // Some editors write a height after the two.
        [At { value: Coords::Number(lon), .. }, At { value: Coords::Number(lat), .. }, height @ ..]
            if height.len() < 2 =>
        {
            Ok(At { value: [*lon, *lat], spot: at.spot })
        }
        _ => Err(not_corners(at.spot)),
    }
}

fn not_corners(spot: Spot) -> Fault {
    let help =
        "write [[longitude, latitude], ...], or a list of such rings; in geojson, lists as deep as its type wants";
    Fault::new(code::BAD_POSITION, spot, "this is not a list of corners").help(help)
}

/// The ring as GeoJSON wants it: ending where it began.
fn closed(ring: &[At<LonLat>]) -> Vec<LonLat> {
    let mut corners: Vec<LonLat> = ring.iter().map(|corner| corner.value).collect();
    if corners.first() != corners.last() {
        corners.extend(corners.first().copied());
    }
    corners
}

/// The shorter side of the box around a ring, in metres.
fn shorter_side(ring: &[LonLat]) -> f64 {
    let extent = |axis: usize| {
        let along = ring.iter().map(|corner| corner[axis]);
        let wide = along.clone().fold(f64::MIN, f64::max) - along.fold(f64::MAX, f64::min);
        // More than half a turn means that the ring lies across 180 degrees.
        if wide > 180.0 { 360.0 - wide } else { wide }
    };
    let latitude = ring.first().map_or(0.0, |corner| corner[1]);
    (extent(0) * DEGREE_M * latitude.to_radians().cos()).min(extent(1) * DEGREE_M)
}

#[cfg(test)]
mod tests {
    use crate::content::{Published, publish};

    fn published(shape: &str) -> Published {
        let head = "schema: quest/v1\nid: q\ntitle: Q\nsteps: [{ id: s, visit: { at: p } }]\nplaces:\n  p:";
        publish(&format!("{head} {{ {shape} }}\n"), "q.yaml", 1, &|_| String::new())
            .unwrap_or_else(|report| panic!("{report}"))
    }

    #[test]
    fn a_shape_pasted_from_an_editor_is_the_one_written_by_hand() {
        let ring = "[[24.95, 60.16], [24.951, 60.16], [24.951, 60.161], [24.95, 60.16]]";
        let line = "[[24.95, 60.16], [24.951, 60.16]]";
        for (pasted, by_hand) in [
            (
                "type: Point, coordinates: [24.95, 60.16], radius: 30m",
                "center: [24.95, 60.16], radius: 30".to_owned(),
            ),
            (&format!("type: LineString, coordinates: {line}, width: 40"), format!("line: {line}, width: 40")),
            (&format!("type: Polygon, coordinates: [{ring}], bbox: [1, 2, 3, 4]"), format!("polygon: {ring}")),
        ] {
            let (a, b) = (published(&format!("geojson: {{ {pasted} }}")), published(&by_hand));
            assert!(a.regions[0].shape == b.regions[0].shape);
            let outline = |p: &Published| p.quest.places.values().next().map(|place| place.outline.clone());
            assert_eq!(outline(&a), outline(&b));
        }
    }

    #[test]
    fn several_areas_are_one_place() {
        let [near, far] = [24.95, 24.96].map(|x| format!("[[[{x}, 60.16], [{x}1, 60.16, 7.5], [{x}1, 60.161]]]"));
        let two = published(&format!("geojson: {{ type: MultiPolygon, coordinates: [{near}, {far}] }}"));
        for (lon, inside) in [(24.9508, true), (24.9608, true), (24.955, false)] {
            let position = super::Position::new(lon, 60.1605).expect("on earth");
            assert_eq!(two.regions[0].shape.holds(&position), inside, "{lon}");
        }
        assert!(two.quest.places.values().all(|place| place.outline["type"] == "MultiPolygon"));
    }
}
