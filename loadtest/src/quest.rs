//! What is played under load: the demo's quest, and a plain one whose places lie in a row, one after the other.

use crate::wire::Spot;
use std::fmt::Write as _;

/// The demo's quest.
pub const DEMO: &str = include_str!("../../quests/helsinki.yaml");
/// Its id.
pub const DEMO_ID: &str = "bronze-and-granite";
/// The id of the quest of places in a row.
pub const ROW_ID: &str = "load-row";
/// Places that a row may have.
pub const PLACES_MAX: u32 = 200;

/// Where the row begins; north of it and south of it is nothing.
const FIRST: (f64, f64) = (24.70, 60.20);
/// Degrees of longitude from place to place: 88 m.
const STEP: f64 = 0.0016;
/// Metres a second that a player claims who goes half a step in a second.
const HOP_SPEED: f64 = 45.0;

/// A quest of so many places, each a step that one member's arrival completes for the team, in any order.
pub fn of_places(places: u32) -> String {
    let mut text = String::from(
        "schema: quest/v1\nid: load-row\ntitle: A row of places\nplay: { mode: team, team_size: [1, 60] }\nsafety: { max_speed: 60 }\nplaces:\n",
    );
    // Writing to a String cannot fail.
    for place in 1..=places {
        let Spot { lon, lat, .. } = at_place(place);
        let _ = writeln!(text, "  p{place}: {{ center: [{lon:.6}, {lat:.6}], radius: 20 }}");
    }
    text.push_str("steps:\n");
    for place in 1..=places {
        let _ = writeln!(text, "  - {{ id: s{place}, visit: {{ at: p{place} }}, points: 10 }}");
    }
    // So that no run is over while the load goes on.
    text.push_str("  - { id: never, answer: { question: Done?, accept: [never] } }\n");
    text
}

/// The number of the place whose step this is.
pub fn place_of_step(step: &str) -> Option<u32> {
    step.strip_prefix('s')?.parse().ok()
}

/// In the middle of a place.
pub fn at_place(place: u32) -> Spot {
    Spot { lon: FIRST.0 + STEP * f64::from(place), lat: FIRST.1, speed: HOP_SPEED }
}

/// Half way from a place to the next: 24 m outside of both.
pub fn after_place(place: u32) -> Spot {
    Spot { lon: FIRST.0 + STEP * (f64::from(place) + 0.5), lat: FIRST.1, speed: HOP_SPEED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_a_quest_without_a_warning() {
        let read = waystone::content::publish(&of_places(PLACES_MAX), "row", 1, &|_| String::new());
        assert!(read.is_ok(), "{}", read.err().map_or_else(String::new, |report| report.to_string()));
        assert_eq!(place_of_step("s17"), Some(17));
        assert_eq!(place_of_step("never"), None);
    }
}
