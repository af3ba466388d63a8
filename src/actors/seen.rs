//! A fix on its way between nodes: [`Seen`] and back.

use crate::cluster::link::Seen;
use crate::geo::position::{Fix, Position};

/// What another node is told of a fix.
pub fn of(fix: &Fix) -> Seen {
    Seen {
        lon: fix.position().lon(),
        lat: fix.position().lat(),
        accuracy: fix.accuracy(),
        time: fix.time(),
        speed: fix.speed(),
        heading: fix.heading(),
        altitude: fix.altitude(),
        mock: fix.mock(),
    }
}

/// The fix again; `None`: it is none, so no node of ours has sent it.
pub fn fix(seen: &Seen) -> Option<Fix> {
    let position = Position::new(seen.lon, seen.lat).ok()?;
    let mut fix = Fix::new(position, seen.time).with_mock(seen.mock).with_accuracy(seen.accuracy).ok()?;
    if let Some(speed) = seen.speed {
        fix = fix.with_speed(speed);
    }
    if let Some(heading) = seen.heading {
        fix = fix.with_heading(heading).ok()?;
    }
    if let Some(altitude) = seen.altitude {
        fix = fix.with_altitude(altitude);
    }
    Some(fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Meters, MetersPerSecond, Timestamp};

    #[test]
    fn a_fix_arrives_as_it_was() {
        let place = Position::new(24.941_234_5, 60.171_234_5).expect("on earth");
        let bare = Fix::new(place, Timestamp::from_millis(1_783_155_600_123));
        let full = bare
            .with_accuracy(Meters::lossy(7.25))
            .and_then(|fix| fix.with_speed(MetersPerSecond::lossy(1.4)).with_heading(271.5))
            .expect("sound")
            .with_altitude(Meters::lossy(-3.5))
            .with_mock(true);
        for sent in [bare, full] {
            let text = serde_json::to_string(&of(&sent)).expect("plain data");
            assert_eq!(serde_json::from_str(&text).ok().as_ref().and_then(fix), Some(sent), "{text}");
        }
    }
}
