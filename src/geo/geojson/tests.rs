//! What is read, mended, refused, and written back.

use super::*;
use crate::geo::position::Position;
use serde_json::json;

fn one(geometry: &Value) -> Import {
    import(&geometry.to_string())
}

fn shape(geometry: &Value) -> Shape {
    let import = one(geometry);
    assert_eq!(import.faults, []);
    import.features[0].shape.clone()
}

fn square(west: f64, south: f64, size: f64) -> Value {
    let (east, north) = (west + size, south + size);
    json!([[west, south], [east, south], [east, north], [west, north], [west, south]])
}

fn holds(shape: &Shape, lon: f64, lat: f64) -> bool {
    shape.holds(&Position::new(lon, lat).expect("on earth"))
}

#[test]
fn all_kinds_are_read_with_their_ids_and_properties() {
    let feature = |id: Value, geometry: Value, properties: Value| json!({ "type": "Feature", "id": id, "geometry": geometry, "properties": properties });
    let text = json!({ "type": "FeatureCollection", "features": [
        feature(json!("park"), json!({ "type": "Polygon", "coordinates": [square(0.0, 0.0, 0.01)] }), json!({ "name": "Park", "fence": { "confirm": 3 } })),
        feature(json!(7), json!({ "type": "Point", "coordinates": [1, 1, 12.5] }), json!({ "radius": 50 })),
        feature(Value::Null, json!({ "type": "LineString", "coordinates": [[2, 2], [2, 2.01]] }), json!({ "id": "trail", "width": 40.0 })),
        feature(Value::Null, json!({ "type": "MultiPolygon", "coordinates": [[square(3.0, 0.0, 0.1)], [square(3.2, 0.0, 0.1)]] }), Value::Null),
    ] });
    let (features, notes) = import(&format!("\u{feff}{text}")).all().unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(notes, []);
    let ids: Vec<&str> = features.iter().map(|feature| feature.id.as_str()).collect();
    assert_eq!(ids, ["park", "7", "trail", "feature-4"]);
    assert_eq!(Value::Object(features[0].properties.clone()), json!({ "name": "Park", "fence": { "confirm": 3 } }));
    assert!(features[1].properties.is_empty() && features[1].shape.size().get() == 50.0);
    assert!(matches!(&features[2].shape, Shape::Corridor(corridor) if corridor.width().get() == 40.0));
    assert!(holds(&features[3].shape, 3.25, 0.05) && !holds(&features[3].shape, 3.15, 0.05));
    let again = import(&export(&features).to_string());
    assert!(again.features == features && again.notes.is_empty());
}

#[test]
fn what_is_mended_is_told() {
    let mended = |rings: Value| {
        let import = one(&json!({ "type": "Polygon", "coordinates": rings }));
        assert_eq!(import.faults, []);
        import.notes.into_iter().map(|note| note.mended).collect::<Vec<_>>()
    };
    assert_eq!(mended(json!([[[0, 0], [1, 0], [1, 1]]])), [Mended::Closed(1)]);
    assert_eq!(mended(json!([[[0, 0], [1, 1], [1, 0], [0, 0]]])), [Mended::Reoriented(1)]);
    assert_eq!(mended(json!([[[0, 0], [1, 0], [1, 0], [1, 0], [1, 1], [0, 0]]])), [Mended::RepeatsDropped(2)]);
    let hole = square(0.2, 0.2, 0.1);
    assert_eq!(mended(json!([square(0.0, 0.0, 1.0), hole])), [Mended::Reoriented(1)]);
    let cut =
        json!({ "type": "MultiPolygon", "coordinates": [[square(179.0, 0.0, 1.0)], [square(-180.0, 0.0, 1.0)]] });
    let import = one(&cut);
    assert_eq!(import.notes[0].to_string(), "feature 0 (\"feature-1\"): joined what was cut at the antimeridian");
    let shape = &import.features[0].shape;
    assert!(shape.signed_distance(&Position::new(180.0, 0.5).expect("on earth")).get() > 55_000.0);
    assert_eq!(export_geometry(shape)["type"], "MultiPolygon");
}

#[test]
fn all_faults_are_told_at_once_with_feature_and_remedy() {
    let polygon = |ring: Value| json!({ "type": "Polygon", "coordinates": [ring] });
    let cases = [
        (polygon(json!([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]])), Reason::Shape(ShapeError::SelfCrossing)),
        (polygon(json!([[0, 0], [1, 1], [2, 2], [0, 0]])), Reason::Shape(ShapeError::ZeroArea)),
        (polygon(json!([[0, 0], [1, 1], [0, 0]])), Reason::Shape(ShapeError::TooFewVertices)),
        (polygon(json!([[0, 95], [1, 1], [0, 1]])), Reason::Position(PositionError::Latitude)),
        (polygon(json!([[0, 0], [500, 1], [0, 1]])), Reason::Position(PositionError::Longitude)),
        (polygon(json!([[0, "0"], [1, 1], [0, 1]])), Reason::BadCoordinates("Polygon")),
        (polygon(json!([[0], [1, 1], [0, 1]])), Reason::BadCoordinates("Polygon")),
        (json!({ "type": "Polygon", "coordinates": square(0.0, 0.0, 1.0) }), Reason::BadCoordinates("Polygon")),
        (json!({ "type": "Polygon", "coordinates": [] }), Reason::Empty),
        (json!({ "type": "MultiPolygon", "coordinates": [[]] }), Reason::Shape(ShapeError::TooFewVertices)),
        (
            json!({ "type": "Polygon", "coordinates": [square(0.0, 0.0, 1.0), square(2.0, 0.0, 1.0)] }),
            Reason::Shape(ShapeError::HoleOutside),
        ),
        (json!({ "type": "Point", "coordinates": [1, 1] }), Reason::RadiusMissing),
        (json!({ "type": "LineString", "coordinates": [[1, 1], [1, 2]] }), Reason::WidthMissing),
        (json!({ "type": "Point", "coordinates": [1, 1], "radius": 1e9 }), Reason::Shape(ShapeError::Radius)),
        (json!({ "type": "MultiPoint", "coordinates": [[1, 1]] }), Reason::Unsupported("MultiPoint".to_owned())),
        (
            json!({ "type": "GeometryCollection", "geometries": [] }),
            Reason::Unsupported("GeometryCollection".to_owned()),
        ),
        (Value::Null, Reason::NoGeometry),
        (json!({}), Reason::NotGeoJson),
    ];
    let feature =
        |(geometry, _): &(Value, Reason)| json!({ "type": "Feature", "geometry": geometry, "properties": {} });
    let mut features: Vec<Value> = cases.iter().map(feature).collect();
    let good = json!({ "type": "Point", "coordinates": [1, 1], "radius": 30 });
    for id in ["twin", "twin", "no spaces"] {
        features.push(json!({ "type": "Feature", "id": id, "geometry": good, "properties": {} }));
    }
    let import = import(&json!({ "type": "FeatureCollection", "features": features }).to_string());
    let reasons = cases.into_iter().map(|(_, reason)| reason).chain([Reason::DuplicateId, Reason::BadId]);
    assert!(import.faults.iter().map(|fault| fault.reason.clone()).eq(reasons), "{:?}", import.faults);
    assert_eq!(import.features.len(), 1);
    let first = "feature 0 (\"feature-1\"): the ring crosses or touches itself: redraw it, or split it into parts";
    assert_eq!(import.faults[0].to_string(), first);
}

#[test]
fn what_is_no_geojson_is_refused_as_a_whole() {
    let whole = |text: &str| match import(text).faults.as_slice() {
        [Fault { feature: None, reason }] => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(whole("{"), Reason::NotJson(_)));
    assert!(matches!(whole(r#"{"type":"Point","coordinates":[1e999,0]}"#), Reason::NotJson(_)));
    assert_eq!(whole("[]"), Reason::NotGeoJson);
    assert_eq!(whole(r#"{"type":"FeatureCollection"}"#), Reason::NotGeoJson);
    assert_eq!(whole(&"[".repeat(200)), Reason::TooDeep);
    assert_eq!(whole(&" ".repeat(BYTES_MAX + 1)), Reason::TooLarge);
    assert!(import(r#"{"type":"FeatureCollection","features":[]}"#).faults.is_empty());
}

/// What is written lies within -180 to 180 degrees in closed rings, and read back it is the same, or, where a cut had
/// to round, the same from then on.
fn round_trip(shape: &Shape) -> Value {
    let written = export_geometry(shape);
    let read = self::shape(&written);
    let again = export_geometry(&read);
    println!("{written}\n{again}");
    assert!(self::shape(&again) == read);
    written
}

#[test]
fn areas_over_the_antimeridian_are_cut_and_joined_again() {
    let polygon = |rings: Value| shape(&json!({ "type": "Polygon", "coordinates": rings }));
    let uncut = polygon(json!([[[170, 0], [-170, 0], [-170, 5], [170, 5], [170, 0]]]));
    let written = round_trip(&uncut);
    let parts = json!([
        [[[170.0, 0.0], [180.0, 0.0], [180.0, 5.0], [170.0, 5.0], [170.0, 0.0]]],
        [[[-180.0, 0.0], [-170.0, 0.0], [-170.0, 5.0], [-180.0, 5.0], [-180.0, 0.0]]],
    ]);
    assert_eq!(written["coordinates"], parts);
    let holed = polygon(json!([
        [[170, 0], [-170, 0], [-170, 5], [170, 5]],
        [[175, 1], [-175, 1], [-175, 2], [175, 2]],
        [[172, 3], [173, 3], [173, 4]],
    ]));
    let read = shape(&round_trip(&holed));
    for (lon, lat, inside) in [(180.0, 1.5, false), (180.0, 2.0, true), (172.8, 3.2, false), (-173.0, 1.5, true)] {
        assert!(holds(&holed, lon, lat) == inside && holds(&read, lon, lat) == inside, "{lon} {lat}");
    }
    // A star that touches the line, crosses it, and runs along it.
    let jagged = polygon(json!([[
        [179, 0],
        [180, 1],
        [179, 2],
        [-179, 3],
        [179, 4],
        [180, 5],
        [180, 6],
        [179, 7],
        [-178, 8],
        [178, 9],
        [178, 0]
    ]]));
    let read = shape(&round_trip(&jagged));
    for i in 0..400 {
        let (lon, lat) = (177.5 + f64::from(i % 20) * 0.25, 0.1 + f64::from(i / 20) * 0.45);
        let lon = if lon > 180.0 { lon - 360.0 } else { lon };
        let p = Position::new(lon, lat).expect("on earth");
        let s = jagged.signed_distance(&p).get();
        assert!(s.abs() < 0.02 || (s > 0.0) == read.holds(&p), "{lon} {lat}");
        assert!((s - read.signed_distance(&p).get()).abs() < 0.02 || s.abs() > 1_000.0, "{lon} {lat}");
    }
}

#[test]
fn polar_areas_are_written_along_their_pole() {
    let polygon = |rings: Value| shape(&json!({ "type": "Polygon", "coordinates": rings }));
    let arctic = polygon(json!([[[0, 80], [100, 70], [-100, 85]], [[10, 88], [130, 89], [-110, 88]]]));
    let written = round_trip(&arctic);
    assert_eq!(written["type"], "Polygon");
    let read = shape(&written);
    for (lon, lat) in [(0.0, 81.0), (180.0, 79.5), (180.0, 78.5), (-180.0, 88.1), (12.0, 90.0), (100.0, 69.9)] {
        assert_eq!(holds(&arctic, lon, lat), holds(&read, lon, lat), "{lon} {lat}");
    }
    let antarctic = polygon(json!([[[0, -80], [100, -70], [-100, -85]]]));
    let read = shape(&round_trip(&antarctic));
    assert!(holds(&read, 50.0, -90.0) && holds(&read, 180.0, -80.0) && !holds(&read, 0.0, -79.9));
    let band = polygon(json!([
        [[-180, -60], [180, -60], [180, 60], [-180, 60], [-180, -60]],
        [[170, -5], [-170, -5], [-170, 5], [170, 5], [170, -5]],
    ]));
    let read = shape(&round_trip(&band));
    assert!(
        !holds(&read, 180.0, 0.0) && holds(&read, 180.0, 6.0) && holds(&read, 0.0, 0.0) && !holds(&read, -175.0, 1.0)
    );
    let sector = polygon(json!([[[170, 80], [-170, 80], [-170, 90], [170, 90]]]));
    let read = shape(&round_trip(&sector));
    assert!(holds(&read, 0.0, 90.0) && holds(&read, 180.0, 85.0) && !holds(&read, 0.0, 89.0));
}
