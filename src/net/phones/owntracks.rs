//! What OwnTracks posts in its HTTP mode, one message a request, and what it shows: team-mates on its map, and circles
//! of open steps, which the phone then watches by itself.
//!
//! By the app's booklet (`tech/json`, `tech/http`): `tst` in seconds, `vel` in kilometres an hour, zeros are left out.
//! What the phone says of fences that it has crossed is no proof, only the fix in it counts. Encrypted payloads are not
//! understood.

use super::super::fix::RawFix;
use super::Post;
use crate::actors::cards::PlayerDot;
use crate::actors::contract::{Wake, WakeCircle};
use crate::ids::stable_hash;
use crate::units::Timestamp;
use serde_json::{Value, json};

/// Metres a second in a kilometre an hour.
const KILOMETRE_AN_HOUR: f64 = 1.0 / 3.6;
/// 2020, in seconds: where the keys of circles begin, which look like times to the app.
const KEYS_BEGIN: u64 = 1_577_836_800;

pub(super) fn read(body: &[u8]) -> Post {
    let mut post = Post::default();
    // The app asks with an empty body what there is to show.
    if body.is_empty() {
        return post;
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(said) if ["location", "transition"].iter().any(|kind| said["_type"] == *kind) => post.add(fix(&said)),
        Ok(said) if said["_type"].is_string() => {}
        Ok(_) | Err(_) => post.unreadable += 1,
    }
    post
}

fn fix(said: &Value) -> Option<RawFix> {
    Some(RawFix {
        t: Some(said["tst"].as_i64()?.checked_mul(1_000)?),
        acc: said["acc"].as_f64().filter(|acc| *acc >= 0.0),
        speed: said["vel"].as_f64().filter(|vel| *vel >= 0.0).map(|vel| vel * KILOMETRE_AN_HOUR),
        heading: said["cog"].as_f64().filter(|degrees| (0.0..=360.0).contains(degrees)),
        alt: said["alt"].as_f64(),
        // Only what is said; a place on the equator or the meridian is left out by the app.
        ..RawFix::at(said["lat"].as_f64().unwrap_or(0.0), said["lon"].as_f64().unwrap_or(0.0))
    })
}

/// What the app is to show and to watch.
pub(super) fn answer(mates: &[PlayerDot], wake: Option<&Wake>, now: Timestamp) -> Value {
    let mut messages = Vec::new();
    for mate in mates {
        let (tid, topic) = (initials(mate.id.as_str()), format!("owntracks/team/{}", mate.id));
        messages.push(json!({
            "_type": "location", "tid": tid, "topic": topic, "lat": mate.lat, "lon": mate.lon,
            "acc": mate.acc.round(), "tst": now.as_millis() / 1_000,
        }));
        messages.push(json!({ "_type": "card", "tid": tid, "topic": topic, "name": mate.id }));
    }
    let open: Vec<Value> =
        wake.into_iter().flat_map(|wake| &wake.circles).filter(|circle| circle.open).map(waypoint).collect();
    if !open.is_empty() {
        messages.push(json!({
            "_type": "cmd", "action": "setWaypoints", "waypoints": { "_type": "waypoints", "waypoints": open }
        }));
    }
    Value::Array(messages)
}

/// The phone knows a waypoint again by `tst` (Android) or `desc` (iOS), so both are the same each time.
fn waypoint(circle: &WakeCircle) -> Value {
    let name = format!("{}: {}", circle.quest, circle.place);
    let key = KEYS_BEGIN + stable_hash(name.bytes()) % (1 << 27);
    json!({ "_type": "waypoint", "desc": name, "lat": circle.lat, "lon": circle.lon, "rad": circle.radius, "tst": key })
}

/// Two letters for the map: the last of the id, which differ more often than the first.
fn initials(id: &str) -> String {
    let letters: Vec<char> = id.chars().filter(|c| c.is_alphanumeric()).collect();
    letters[letters.len().saturating_sub(2)..].iter().flat_map(|c| c.to_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::contract::NextFix;
    use crate::ids::{PlaceId, PlayerId, QuestId};

    #[test]
    fn a_location_of_the_booklet_is_read() {
        let body = r#"{"_type":"location","lat":60.17,"lon":24.94,"tst":1783155600,"acc":13,"alt":15,"vac":4,"vel":18,
            "cog":271,"batt":78,"bs":1,"tid":"AD","t":"u","conn":"w","m":2,"topic":"owntracks/ada/phone","inregions":["a"]}"#;
        let fix = read(body.as_bytes()).fixes.remove(0);
        assert_eq!((fix.lat, fix.lon, fix.t, fix.acc), (60.17, 24.94, Some(1_783_155_600_000), Some(13.0)));
        assert_eq!((fix.speed, fix.heading, fix.alt), (Some(5.0), Some(271.0), Some(15.0)));
    }

    #[test]
    fn other_messages_are_taken_and_have_no_fix() {
        for kind in ["waypoint", "waypoints", "lwt", "status", "steps", "beacon", "card", "encrypted", "request", "x"]
        {
            let post = read(json!({ "_type": kind, "tst": 1 }).to_string().as_bytes());
            assert_eq!((post.fixes.len(), post.unreadable), (0, 0), "{kind}");
        }
        for (body, unreadable) in [("", 0), ("[]", 1), ("{}", 1), ("{", 1), (r#"{"_type":"location"}"#, 1)] {
            let post = read(body.as_bytes());
            assert_eq!((post.fixes.len(), post.unreadable), (0, unreadable), "{body}");
        }
    }

    #[test]
    fn team_mates_are_shown_and_open_steps_are_watched() {
        let bo = PlayerDot { id: PlayerId::new("bo-99").expect("an id"), team: None, lon: 24.9, lat: 60.1, acc: 7.6 };
        let circle = |place: &str, open| WakeCircle {
            quest: QuestId::new("walk").expect("an id"),
            place: PlaceId::new(place).expect("an id"),
            lat: 60.2,
            lon: 24.8,
            radius: 200,
            distance: 50,
            open,
        };
        let next = NextFix { distance: 10, after_s: None };
        let wake = Wake { circles: vec![circle("gate", true), circle("yard", false)], roam: None, next };
        let shown = answer(&[bo], Some(&wake), Timestamp::from_millis(1_783_155_600_000));
        assert_eq!(
            (&shown[0]["_type"], &shown[0]["tid"], &shown[0]["acc"]),
            (&json!("location"), &json!("99"), &json!(8.0))
        );
        assert_eq!((&shown[1]["_type"], &shown[1]["tid"]), (&json!("card"), &json!("99")));
        let waypoints = &shown[2]["waypoints"]["waypoints"];
        assert_eq!(waypoints.as_array().map(Vec::len), Some(1), "only what is open: {shown}");
        assert_eq!(waypoints[0]["desc"], "walk: gate");
        let again = answer(&[], Some(&wake), Timestamp::from_millis(1_783_155_700_000));
        assert_eq!(again[0]["waypoints"]["waypoints"][0]["tst"], waypoints[0]["tst"], "the same each time");
        assert_eq!(answer(&[], None, Timestamp::from_millis(0)), json!([]));
    }
}
