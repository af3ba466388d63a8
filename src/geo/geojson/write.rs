//! From shapes to GeoJSON as RFC 7946 wants it: outlines counter-clockwise, rings closed, nothing across the
//! antimeridian, seven decimals.

use super::cut::cut;
use super::{Feature, Value};
use crate::geo::position::Position;
use crate::geo::shape::Shape;
use serde_json::{Map, json};

/// A FeatureCollection of all features.
pub fn export(features: &[Feature]) -> Value {
    json!({ "type": "FeatureCollection", "features": features.iter().map(feature).collect::<Vec<_>>() })
}

fn feature(feature: &Feature) -> Value {
    let mut properties = feature.properties.clone();
    let mut geometry = export_geometry(&feature.shape);
    if let Value::Object(members) = &mut geometry {
        for size in ["radius", "width"] {
            properties.extend(members.remove(size).map(|meters| (size.to_owned(), meters)));
        }
    }
    let mut members = Map::new();
    members.insert("type".to_owned(), json!("Feature"));
    members.insert("id".to_owned(), json!(feature.id));
    members.insert("properties".to_owned(), Value::Object(properties));
    members.insert("geometry".to_owned(), geometry);
    Value::Object(members)
}

/// The geometry of one shape. A circle is a Point with a `radius`, a corridor a LineString with a `width`.
pub fn export_geometry(shape: &Shape) -> Value {
    let pair = |p: Position| json!([p.lon(), p.lat()]);
    match shape {
        Shape::Circle(circle) => {
            json!({ "type": "Point", "coordinates": pair(*circle.center()), "radius": circle.radius().get() })
        }
        Shape::Corridor(corridor) => {
            let line: Vec<Value> = corridor.positions().map(pair).collect();
            json!({ "type": "LineString", "coordinates": line, "width": corridor.width().get() })
        }
        Shape::Area(area) => {
            let parts: Vec<Vec<Vec<Value>>> =
                cut(area).into_iter().map(|rings| rings.into_iter().map(closed).collect()).collect();
            match parts.as_slice() {
                [only] => json!({ "type": "Polygon", "coordinates": only }),
                several => json!({ "type": "MultiPolygon", "coordinates": several }),
            }
        }
    }
}

/// The ring, ending where it began.
fn closed(ring: Vec<(f64, f64)>) -> Vec<Value> {
    let first = ring.first().copied();
    ring.into_iter().chain(first).map(|(lon, lat)| json!([lon, lat])).collect()
}
