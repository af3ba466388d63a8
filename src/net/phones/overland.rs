//! What Overland posts: a batch of GeoJSON points, up to a thousand, which come late and out of order.
//!
//! By the app's README: `timestamp` as ISO 8601, `speed` in metres a second, `horizontal_accuracy` in metres, all -1 when
//! unknown; the batch comes again until the answer is `{"result":"ok"}`.

use super::super::fix::RawFix;
use super::Post;
use serde_json::Value;

pub(super) fn read(body: &[u8]) -> Post {
    let mut post = Post::default();
    let Ok(batch) = serde_json::from_slice::<Value>(body) else {
        post.unreadable += 1;
        return post;
    };
    for feature in batch["locations"].as_array().into_iter().flatten() {
        post.add(fix(feature));
    }
    post
}

fn fix(feature: &Value) -> Option<RawFix> {
    let (place, said) = (&feature["geometry"]["coordinates"], &feature["properties"]);
    let known = |key: &str| said[key].as_f64().filter(|value| *value >= 0.0);
    let time: jiff::Timestamp = said["timestamp"].as_str()?.parse().ok()?;
    Some(RawFix {
        t: Some(time.as_millisecond()),
        acc: known("horizontal_accuracy"),
        speed: known("speed"),
        heading: known("course"),
        alt: said["altitude"].as_f64(),
        ..RawFix::at(place[1].as_f64()?, place[0].as_f64()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_the_readme_is_read() {
        let body = r#"{"locations":[
            {"type":"Feature","geometry":{"type":"Point","coordinates":[-122.030581,37.3318]},
             "properties":{"timestamp":"2015-10-01T08:00:00-0700","altitude":0,"speed":4,"horizontal_accuracy":30,
             "vertical_accuracy":-1,"motion":["driving","stationary"],"pauses":false,"activity":"other_navigation",
             "battery_state":"charging","battery_level":0.8,"wifi":"","course":-1}},
            {"type":"Feature","geometry":{"type":"Point","coordinates":[24.94,60.17]},
             "properties":{"timestamp":"2026-07-04T09:00:00Z","speed":-1,"horizontal_accuracy":5}},
            {"type":"Feature","geometry":{"type":"Point","coordinates":["x"]},"properties":{}},
            7],
            "current":{"type":"Feature"},"trip":{}}"#;
        let post = read(body.as_bytes());
        assert_eq!((post.fixes.len(), post.unreadable), (2, 2));
        let (first, second) = (&post.fixes[0], &post.fixes[1]);
        assert_eq!((first.lat, first.lon, first.t), (37.3318, -122.030581, Some(1_443_711_600_000)));
        assert_eq!((first.acc, first.speed, first.heading, first.alt), (Some(30.0), Some(4.0), None, Some(0.0)));
        assert_eq!((second.acc, second.speed, second.t), (Some(5.0), None, Some(1_783_155_600_000)));
    }

    #[test]
    fn nonsense_has_no_fixes() {
        for (body, unreadable) in
            [("", 1), ("{}", 0), ("[]", 0), (r#"{"locations":5}"#, 0), (r#"{"locations":[null]}"#, 1)]
        {
            let post = read(body.as_bytes());
            assert_eq!((post.fixes.len(), post.unreadable), (0, unreadable), "{body}");
        }
    }
}
