//! From a GeoJSON file to the `places:` block of a quest file, so that places can be drawn in any map editor.
//!
//! Promise: the block reads back as the very shapes that were drawn; its ids are made from the names and are unique.

use crate::geo::geojson::{Feature, Mended, export_geometry, import};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Longest id of a place.
const ID_MAX: usize = 47;

/// The block for all features, or every fault of the file, a sentence each.
pub fn places(geojson: &str) -> Result<String, Vec<String>> {
    let (features, notes) =
        import(geojson).all().map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let mut block = String::from("places:\n");
    for note in notes.iter().filter(|note| !matches!(note.mended, Mended::Reoriented(_))) {
        let _ = writeln!(block, "  # {note}");
    }
    let mut taken = BTreeSet::new();
    for feature in &features {
        let name = feature.properties.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        let id = unique(&slug(name.unwrap_or(&feature.id)), &mut taken);
        let _ = writeln!(block, "  {id}:");
        if let Some(name) = name {
            // A string of JSON is one of YAML.
            let _ = writeln!(block, "    name: {}", Value::from(name));
        }
        write_shape(&mut block, feature);
    }
    Ok(block)
}

fn write_shape(block: &mut String, feature: &Feature) {
    let geometry = export_geometry(&feature.shape);
    let [coordinates, radius, width] = ["coordinates", "radius", "width"].map(|key| geometry.get(key));
    let _ = match (radius, width, coordinates) {
        (Some(radius), _, Some(center)) => writeln!(block, "    center: {center}\n    radius: {radius}"),
        (_, Some(width), Some(line)) => writeln!(block, "    line: {line}\n    width: {width}"),
        _ => writeln!(block, "    geojson: {geometry}"),
    };
}

/// The name in small letters, digits and dashes; accents are left out, other scripts with them.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.to_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            'ä' | 'å' | 'à' | 'á' | 'â' | 'ã' => slug.push('a'),
            'ö' | 'ø' | 'ò' | 'ó' | 'ô' | 'õ' => slug.push('o'),
            'é' | 'è' | 'ê' | 'ë' => slug.push('e'),
            'ü' | 'ú' | 'ù' | 'û' => slug.push('u'),
            'í' | 'ì' | 'î' | 'ï' => slug.push('i'),
            'ß' => slug.push_str("ss"),
            'ç' => slug.push('c'),
            'ñ' => slug.push('n'),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(ID_MAX - 4);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "place".to_owned() } else { slug.to_owned() }
}

fn unique(slug: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{slug}-{n}"));
    let id = std::iter::once(slug.to_owned()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or_default();
    taken.insert(id.clone());
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::publish;
    use serde_json::json;

    #[test]
    fn a_drawn_file_becomes_places_of_a_quest() {
        let feature = |name: Value, geometry: Value, size: Value| {
            let mut properties = size;
            properties["name"] = name;
            json!({ "type": "Feature", "properties": properties, "geometry": geometry })
        };
        let square = json!([[24.95, 60.16], [24.951, 60.16], [24.951, 60.161], [24.95, 60.161]]);
        let features = [
            feature(
                json!("Hämeentie: 3"),
                json!({ "type": "Point", "coordinates": [24.95, 60.16] }),
                json!({ "radius": 35 }),
            ),
            feature(json!("hämeentie 3"), json!({ "type": "Polygon", "coordinates": [square] }), json!({})),
            feature(Value::Null, json!({ "type": "LineString", "coordinates": square }), json!({ "width": 40 })),
        ];
        let block = places(&json!({ "type": "FeatureCollection", "features": features }).to_string()).expect("sound");
        assert!(block.contains("# feature 1 (\"feature-2\"): closed 1 of its rings"), "{block}");
        let steps = ["hameentie-3", "hameentie-3-2", "feature-3"]
            .map(|id| format!("- {{ id: at-{id}, visit: {{ at: {id} }} }}"));
        let quest = format!("schema: quest/v1\nid: q\ntitle: Q\n{block}steps:\n{}\n", steps.join("\n"));
        let published = publish(&quest, "q.yaml", 1, &|_| String::new()).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(published.regions.len(), 3);
        let faults = places(r#"{"type":"Point","coordinates":[1,2]}"#).expect_err("no radius");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("feature 0 (\"feature-1\"): a Point needs a radius"), "{faults:?}");
    }
}
