//! What Traccar Client and OsmAnd post: keys in the query, as a form, or as JSON, of one fix or of several.
//!
//! By the app's own sources (traccar-client 10, traccar-client-sdk) and Traccar's `OsmAndProtocolDecoder`: `timestamp`
//! in seconds below 2^31, else in milliseconds, or as text; `speed` in knots, in JSON in metres a second, -1 if unknown.
//! Promise: whatever it is, it is read as far as it can be.

use super::super::fix::RawFix;
use super::Post;
use actix_web::web::Query;
use serde_json::Value;
use std::collections::BTreeMap;

/// Metres a second in a knot.
const KNOT: f64 = 0.514_444;
/// A time below this is one in seconds.
const SECONDS_MAX: i64 = 1 << 31;

/// The device's id, if one is given, and what it sent.
pub(super) fn read(kind: &str, query: &str, body: &[u8]) -> (Option<String>, Post) {
    let mut post = Post::default();
    let asked = pairs(query);
    let json = kind.to_ascii_lowercase().starts_with("application/json");
    let said: Vec<Said> = if json {
        match serde_json::from_slice(body) {
            Ok(Value::Array(all)) => all.iter().map(Said::of_json).collect(),
            Ok(one) => vec![Said::of_json(&one)],
            Err(_) => {
                post.unreadable += 1;
                Vec::new()
            }
        }
    } else if query.contains("lat") || query.contains("location") {
        vec![Said(asked.clone())]
    } else {
        vec![Said(pairs(&String::from_utf8_lossy(body)))]
    };
    let id = |said: &Said| ["id", "deviceid", "device_id"].iter().find_map(|key| said.0.get(*key)).cloned();
    let device = said.iter().find_map(id).or_else(|| id(&Said(asked)));
    // Without a place it is a heartbeat.
    for said in said.iter().filter(|said| said.has_place()) {
        post.add(said.fix());
    }
    (device, post)
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    Query::<BTreeMap<String, String>>::from_query(query).map(Query::into_inner).unwrap_or_default()
}

/// Keys and their texts; nested JSON is flattened to the same keys.
#[derive(Debug)]
struct Said(BTreeMap<String, String>);

impl Said {
    fn of_json(value: &Value) -> Self {
        let mut said = BTreeMap::new();
        let mut take = |object: &Value| {
            for (key, value) in object.as_object().into_iter().flatten() {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(_) | Value::Bool(_) => value.to_string(),
                    Value::Null | Value::Array(_) | Value::Object(_) => continue,
                };
                said.insert(key.clone(), text);
            }
        };
        take(value);
        let (location, coords) = (&value["location"], &value["location"]["coords"]);
        take(location);
        if coords.is_object() {
            take(coords);
            // This form says metres a second where the others say knots.
            if let Some(speed) = said.remove("speed") {
                said.insert("metres_a_second".to_owned(), speed);
            }
        }
        Self(said)
    }

    fn text(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.0.get(*key)).map(|text| text.trim())
    }

    fn number(&self, keys: &[&str]) -> Option<f64> {
        self.text(keys)?.parse().ok()
    }

    fn has_place(&self) -> bool {
        self.text(&["lat", "latitude", "location"]).is_some()
    }

    fn place(&self) -> Option<(f64, f64)> {
        match self.number(&["lat", "latitude"]).zip(self.number(&["lon", "longitude"])) {
            Some(place) => Some(place),
            None => {
                let (lat, lon) = self.text(&["location"])?.split_once(',')?;
                Some((lat.trim().parse().ok()?, lon.trim().parse().ok()?))
            }
        }
    }

    fn time(&self) -> Option<i64> {
        let text = self.text(&["timestamp"])?;
        if let Ok(number) = text.parse::<i64>() {
            return Some(if number < SECONDS_MAX { number.checked_mul(1_000)? } else { number });
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(instant.as_millisecond());
        }
        // Without a zone it is the server's, and ours is UTC.
        let local: jiff::civil::DateTime = text.parse().ok()?;
        Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
    }

    /// `None`: it says that it is not valid, or cannot be read.
    fn fix(&self) -> Option<RawFix> {
        if self.text(&["valid"]).is_some_and(|valid| valid != "true" && valid != "1") {
            return None;
        }
        let (lat, lon) = self.place()?;
        let t = match self.text(&["timestamp"]) {
            None => None,
            Some(_) => Some(self.time()?),
        };
        let speed = self.number(&["metres_a_second"]).or_else(|| Some(self.number(&["speed"])? * KNOT));
        Some(RawFix {
            t,
            acc: self.number(&["accuracy"]).filter(|acc| *acc >= 0.0),
            speed,
            heading: self.number(&["bearing", "heading"]).filter(|degrees| (0.0..=360.0).contains(degrees)),
            alt: self.number(&["altitude"]),
            mock: Some(self.text(&["mock"]) == Some("true")),
            ..RawFix::at(lat, lon)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn one(kind: &str, query: &str, body: &str) -> (Option<String>, RawFix) {
        let (device, mut post) = read(kind, query, body.as_bytes());
        assert_eq!((post.fixes.len(), post.unreadable), (1, 0), "{query}{body}");
        (device, post.fixes.remove(0))
    }

    #[test]
    fn the_three_forms_say_the_same() {
        let keys =
            "id=TOKEN&timestamp=1783155600&lat=60.17&lon=24.94&speed=2.72&bearing=90&altitude=12&accuracy=8&batt=77";
        let json = r#"{"device_id":"TOKEN","location":{"timestamp":"2026-07-04T09:00:00.000Z","coords":{"latitude":60.17,
            "longitude":24.94,"accuracy":8,"speed":1.3992877,"heading":90,"altitude":12},"is_moving":true,"odometer":5.5,
            "event":"motionchange","battery":{"level":0.77,"is_charging":false},"activity":{"type":"walking"},"extras":{}}}"#;
        let flat = r#"[{"id":"TOKEN","timestamp":1783155600000,"lat":"60.17","lon":"24.94","speed":2.72,"bearing":90,
            "altitude":12,"accuracy":8}]"#;
        let asked = one("", keys, "");
        for other in [one(FORM, "", keys), one("application/json", "", json), one("application/json", "", flat)] {
            assert_eq!(other.0.as_deref(), Some("TOKEN"));
            let (fix, like) = (&other.1, &asked.1);
            assert_eq!((fix.lat, fix.lon, fix.t, fix.acc), (like.lat, like.lon, Some(1_783_155_600_000), Some(8.0)));
            assert_eq!((fix.heading, fix.alt, fix.seq), (Some(90.0), Some(12.0), None));
            let (speed, wanted) = (fix.speed.expect("given"), like.speed.expect("given"));
            assert!((speed - wanted).abs() < 1e-3 && (speed - 1.399).abs() < 1e-3, "{speed} {wanted}");
        }
    }

    #[test]
    fn times_come_in_four_forms_and_a_place_in_two() {
        for time in ["1783155600", "1783155600000", "2026-07-04T11:00:00%2B02:00", "2026-07-04%2009:00:00"] {
            let (_, fix) = one("", &format!("id=T&location=60.17,24.94&timestamp={time}"), "");
            assert_eq!((fix.t, fix.lat, fix.lon), (Some(1_783_155_600_000), 60.17, 24.94), "{time}");
        }
    }

    #[test]
    fn heartbeats_are_no_fixes_and_nonsense_is_counted() {
        for (kind, query, body, fixes, unreadable) in [
            ("", "id=T", "", 0, 0),
            (FORM, "", "id=T&timestamp=1783155600&batt=5", 0, 0),
            ("", "id=T&lat=60&lon=24&timestamp=yesterday", "", 0, 1),
            ("", "id=T&lat=sixty&lon=24", "", 0, 1),
            ("", "id=T&lat=60&lon=24&valid=false", "", 0, 1),
            ("application/json", "id=T", "{", 0, 1),
            ("application/json", "", "[1, {\"id\":\"T\",\"lat\":1,\"lon\":2}, {\"lat\":\"x\"}]", 1, 1),
            (FORM, "id=T", "\u{0}\u{1}", 0, 0),
        ] {
            let (_, post) = read(kind, query, body.as_bytes());
            assert_eq!((post.fixes.len(), post.unreadable), (fixes, unreadable), "{kind} {query} {body}");
        }
    }

    #[test]
    fn what_a_phone_does_not_know_is_left_out() {
        let json = r#"{"location":{"coords":{"latitude":1,"longitude":2,"accuracy":-1,"speed":-1,"heading":-1},"mock":true}}"#;
        let (device, fix) = one("application/json; charset=utf-8", "id=T", json);
        assert_eq!(
            (device.as_deref(), fix.acc, fix.heading, fix.t, fix.mock),
            (Some("T"), None, None, None, Some(true))
        );
    }
}
