//! From GeoJSON to shapes.

use super::{BYTES_MAX, FEATURES_MAX, Fault, Feature, Import, Mended, Note, Reason, Which};
use crate::geo::position::Position;
use crate::geo::ring;
use crate::geo::shape::Shape;
use crate::ids::RegionId;
use crate::units::Meters;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Reads all features of a text. Never fails as a whole for one of them.
pub fn import(text: &str) -> Import {
    let whole = |reason| Import { faults: vec![Fault { feature: None, reason }], ..Import::default() };
    if text.len() > BYTES_MAX {
        return whole(Reason::TooLarge);
    }
    // An editor under Windows may put a byte order mark in front.
    let value: Value = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(value) => value,
        Err(error) => {
            let said = error.to_string();
            let deep = said.starts_with("recursion limit");
            return whole(if deep { Reason::TooDeep } else { Reason::NotJson(said) });
        }
    };
    let of_type = value.get("type").and_then(Value::as_str);
    let features = match (of_type, value.get("features")) {
        (Some("FeatureCollection"), Some(Value::Array(features))) => features.as_slice(),
        (Some("FeatureCollection") | None, _) => return whole(Reason::NotGeoJson),
        (Some(_), _) => std::slice::from_ref(&value),
    };
    if features.len() > FEATURES_MAX {
        return whole(Reason::TooManyFeatures);
    }
    let (mut import, mut taken) = (Import::default(), BTreeSet::new());
    for (index, feature) in features.iter().enumerate() {
        let mut mended = Vec::new();
        let (id, read) = read_feature(feature, index, &mut mended);
        let which = || Which { index, id: id.clone() };
        match read {
            Ok(_) if !taken.insert(id.clone()) => {
                import.faults.push(Fault { feature: Some(which()), reason: Reason::DuplicateId });
            }
            Ok((shape, properties)) => {
                import.notes.extend(mended.into_iter().map(|mended| Note { feature: which(), mended }));
                import.features.push(Feature { id, shape, properties });
            }
            Err(reason) => {
                taken.insert(id.clone());
                import.faults.push(Fault { feature: Some(which()), reason });
            }
        }
    }
    import
}

type Read = Result<(Shape, Map<String, Value>), Reason>;

/// A feature's id and shape; a bare geometry is a feature without properties.
fn read_feature(value: &Value, index: usize, mended: &mut Vec<Mended>) -> (String, Read) {
    let is_feature = value.get("type").and_then(Value::as_str) == Some("Feature");
    let mut properties = match value.get("properties") {
        Some(Value::Object(map)) if is_feature => map.clone(),
        _ => Map::new(),
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let own = value.get("id").filter(|_| is_feature).and_then(text);
    let id = own.or_else(|| properties.get("id").and_then(text)).unwrap_or_else(|| format!("feature-{}", index + 1));
    let geometry_value = if is_feature { value.get("geometry").unwrap_or(&Value::Null) } else { value };
    let read = match geometry_value {
        _ if RegionId::new(&id).is_err() => Err(Reason::BadId),
        Value::Null => Err(Reason::NoGeometry),
        found => shape_of(found, &properties, mended),
    };
    for own in ["id", "radius", "width"] {
        properties.remove(own);
    }
    (id, read.map(|shape| (shape, properties)))
}

/// The shape of one geometry object, whose `radius` or `width` stands in it, and what was mended.
pub fn geometry(value: &Value) -> Result<(Shape, Vec<Mended>), Reason> {
    let mut mended = Vec::new();
    shape_of(value, &Map::new(), &mut mended).map(|shape| (shape, mended))
}

fn shape_of(value: &Value, properties: &Map<String, Value>, mended: &mut Vec<Mended>) -> Result<Shape, Reason> {
    let of_type = value.get("type").and_then(Value::as_str).ok_or(Reason::NotGeoJson)?;
    let coordinates = value.get("coordinates").unwrap_or(&Value::Null);
    let meters = |name: &str| {
        let number = properties.get(name).or_else(|| value.get(name)).and_then(Value::as_f64);
        number.filter(|number| number.is_finite()).map(Meters::lossy)
    };
    if coordinates.as_array().is_some_and(Vec::is_empty) {
        return Err(Reason::Empty);
    }
    let shape = match of_type {
        "Point" => {
            let center = position(coordinates, "Point")?;
            Shape::circle(center, meters("radius").ok_or(Reason::RadiusMissing)?)
        }
        "LineString" => {
            let line = positions(coordinates, "LineString")?;
            Shape::corridor(line, meters("width").ok_or(Reason::WidthMissing)?)
        }
        "Polygon" => {
            let rings = rings(coordinates, "Polygon")?;
            note_rings(std::slice::from_ref(&rings), mended);
            Shape::polygon(rings)
        }
        "MultiPolygon" => {
            let parts = list(coordinates, "MultiPolygon")?.iter().map(|part| rings(part, "MultiPolygon"));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            note_rings(&parts, mended);
            Shape::multi_polygon(parts)
        }
        other => return Err(Reason::Unsupported(other.chars().take(40).collect())),
    }?;
    if let Shape::Area(area) = &shape
        && area.is_joined()
    {
        mended.push(Mended::SeamJoined);
    }
    Ok(shape)
}

fn list<'v>(value: &'v Value, of: &'static str) -> Result<&'v [Value], Reason> {
    value.as_array().map(Vec::as_slice).ok_or(Reason::BadCoordinates(of))
}

fn rings(value: &Value, of: &'static str) -> Result<Vec<Vec<Position>>, Reason> {
    list(value, of)?.iter().map(|ring| positions(ring, of)).collect()
}

fn positions(value: &Value, of: &'static str) -> Result<Vec<Position>, Reason> {
    list(value, of)?.iter().map(|pair| position(pair, of)).collect()
}

/// Longitude and latitude; a height after them is let go.
fn position(value: &Value, of: &'static str) -> Result<Position, Reason> {
    match list(value, of)? {
        [lon, lat, ..] => {
            let number = |value: &Value| value.as_f64().ok_or(Reason::BadCoordinates(of));
            Ok(Position::new(number(lon)?, number(lat)?)?)
        }
        _ => Err(Reason::BadCoordinates(of)),
    }
}

/// What the constructors will mend without a word.
fn note_rings(parts: &[Vec<Vec<Position>>], mended: &mut Vec<Mended>) {
    let (mut open, mut turned, mut repeats) = (0, 0, 0);
    for (i, ring) in parts.iter().flat_map(|rings| rings.iter().enumerate()) {
        open += usize::from(ring.first() != ring.last());
        repeats += ring.windows(2).filter(|pair| pair[0] == pair[1]).count();
        turned += usize::from(ring::runs_clockwise(ring) == Some(i == 0));
    }
    let told = [Mended::Closed(open), Mended::Reoriented(turned), Mended::RepeatsDropped(repeats)];
    let some = [open, turned, repeats].map(|n| n > 0);
    mended.extend(told.into_iter().zip(some).filter(|(_, some)| *some).map(|(told, _)| told));
}
