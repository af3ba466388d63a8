//! Tests of the street graph, on the map that ships with the project.

use super::*;
use flate2::read::GzDecoder;
use std::io::Read;
use std::sync::OnceLock;

/// The example quest's places; for a polygon or a line, a point in its middle.
const PLACES: [(&str, f64, f64); 7] = [
    ("kivi", 24.94392, 60.171683),
    ("smiths", 24.940955, 60.168669),
    ("runeberg", 24.947617, 60.167485),
    ("amanda", 24.951399, 60.167586),
    ("crypt", 24.952114, 60.170682),
    ("senate", 24.95225, 60.16965),
    ("esplanadi", 24.9476, 60.16748),
];

fn helsinki() -> &'static Streets {
    static STREETS: OnceLock<Streets> = OnceLock::new();
    STREETS.get_or_init(|| {
        let packed = include_bytes!("../../../data/helsinki/centre.geojson.gz");
        let mut text = String::new();
        GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("unpacks");
        Streets::from_geojson(&text).expect("a map")
    })
}

fn length(way: &[LonLat]) -> f64 {
    way.windows(2).map(|pair| pair[0].meters_to(pair[1])).sum()
}

#[test]
fn helsinki_is_one_large_graph() {
    let streets = helsinki();
    assert!(streets.node_count() > 5_000, "only {} nodes", streets.node_count());
}

#[test]
fn every_place_is_near_a_street() {
    for (name, lon, lat) in PLACES {
        let at = LonLat::new(lon, lat);
        let gap = at.meters_to(helsinki().position(helsinki().nearest(at)));
        assert!(gap < 40.0, "{name} is {gap:.0} m from the nearest node");
    }
}

#[test]
fn places_are_joined_by_plausible_ways() {
    for (from_name, lon, lat) in PLACES {
        let from = LonLat::new(lon, lat);
        for (to_name, lon, lat) in PLACES {
            let to = LonLat::new(lon, lat);
            let way = helsinki().route_to_point(from, to);
            assert_eq!((way.first(), way.last()), (Some(&from), Some(&to)));
            let air = from.meters_to(to);
            // 80 m to spare for the ways to the nearest street at both ends, which rule between near places.
            assert!(
                length(&way) <= 2.0 * air + 80.0,
                "{from_name} to {to_name}: {:.0} m for {air:.0} m of air line",
                length(&way)
            );
        }
    }
}

#[test]
fn a_way_steps_only_along_streets() {
    let streets = helsinki();
    let way = streets.route(streets.node(17), streets.node(4_017));
    assert!(way.len() > 2);
    for pair in way.windows(2) {
        let (a, b) = (streets.nearest(pair[0]), streets.nearest(pair[1]));
        assert!(
            streets.edges_of(a.0).iter().any(|edge| edge.to == b.0),
            "a jump from {:?} to {:?}",
            pair[0],
            pair[1]
        );
    }
}

#[test]
fn any_two_nodes_are_joined_the_same_way_each_time() {
    let streets = helsinki();
    for number in (0..streets.node_count()).step_by(streets.node_count() / 40) {
        let (a, b) = (streets.node(number), streets.node(number * 7 + 13));
        let way = streets.route(a, b);
        assert_eq!(way.first(), Some(&streets.position(a)), "the way begins elsewhere");
        assert_eq!(way, streets.route(a, b));
    }
}

#[test]
fn the_way_is_the_shortest() {
    // A square: the short side through the middle, the long way round, and an island that must be left out.
    let text = r#"{"features":[
        {"properties":{"k":"road","c":"footway"},"geometry":{"type":"LineString","coordinates":[[0,0],[0.001,0]]}},
        {"properties":{"k":"road","c":"steps"},"geometry":{"type":"LineString","coordinates":[[0.001,0],[0.002,0]]}},
        {"properties":{"k":"road","c":"path"},"geometry":{"type":"LineString","coordinates":[[0,0],[0.001,0.001],[0.002,0]]}},
        {"properties":{"k":"road","c":"footway"},"geometry":{"type":"LineString","coordinates":[[1,1],[1.001,1]]}},
        {"properties":{"k":"road","c":"elevator"},"geometry":{"type":"LineString","coordinates":[[0,0],[1,1]]}},
        {"properties":{"k":"park"},"geometry":{"type":"Polygon","coordinates":[]}}]}"#;
    let streets = Streets::from_geojson(text).expect("a map");
    assert_eq!(streets.node_count(), 4);
    let (a, b) = (streets.nearest(LonLat::new(0.0, 0.0)), streets.nearest(LonLat::new(0.002, 0.0)));
    let way = streets.route(a, b);
    assert_eq!(way, [LonLat::new(0.0, 0.0), LonLat::new(0.001, 0.0), LonLat::new(0.002, 0.0)]);
    assert_eq!(streets.route(a, a).len(), 1);
    streets.nearest(LonLat::new(f64::NAN, f64::INFINITY));
}

#[test]
fn a_street_that_ends_beside_another_is_joined_to_it() {
    // 4.4 m short of the long street, whose nearest nodes are 111 m away; the other ends 22 m short and stays apart.
    let text = r#"{"features":[
        {"properties":{"k":"road","c":"footway"},"geometry":{"type":"LineString","coordinates":[[0,0],[0.002,0]]}},
        {"properties":{"k":"road","c":"footway"},"geometry":{"type":"LineString","coordinates":[[0.001,0.00004],[0.001,0.001]]}},
        {"properties":{"k":"road","c":"path"},"geometry":{"type":"LineString","coordinates":[[0.0015,0.0002],[0.0015,0.001]]}}]}"#;
    let streets = Streets::from_geojson(text).expect("a map");
    assert_eq!(streets.node_count(), 4);
    let (a, b) = (streets.nearest(LonLat::new(0.0, 0.0)), streets.nearest(LonLat::new(0.001, 0.001)));
    assert_eq!(streets.route(a, b).len(), 3);
}

#[test]
fn refuses_what_is_not_a_map_and_says_why() {
    assert!(matches!(Streets::from_geojson("\u{1f}"), Err(StreetsError::NotGeoJson(_))));
    assert!(matches!(Streets::from_geojson(r#"{"features":[]}"#), Err(StreetsError::NoRoads)));
    let bad = r#"{"features":[{"properties":{"k":"road","c":"path"},
        "geometry":{"type":"LineString","coordinates":[[0,0],[0,91]]}}]}"#;
    assert!(matches!(Streets::from_geojson(bad), Err(StreetsError::BadPoint { feature: 1 })));
}

#[test]
fn an_export_of_openstreetmap_is_read_as_it_is() {
    let road = |class: &str| {
        format!(
            r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{{"highway":"{class}"}},
            "geometry":{{"type":"LineString","coordinates":[[24.94,60.17],[24.941,60.17]]}}}}]}}"#
        )
    };
    let street = Streets::from_geojson(&road("footway")).expect("a street");
    assert_eq!((street.node_count(), street.pieces().len()), (2, 1));
    assert!(matches!(Streets::from_geojson(&road("motorway")), Err(StreetsError::NoRoads)));
}
