//! Which of a player's devices is believed about where the player is: one at a time, and of two the newer.
//!
//! A player may have the game open on one phone and a tracking app on another, at home on the charger. Judged by turns
//! they would make the player leap. So a session follows one of them: the one that came last (a connection counts from
//! when it was opened, a device from when its token was signed), until it has been quiet for `QUIET`. The other is
//! told why, each time that it sends, and takes over when it connects anew or is set up anew.

use crate::cluster::link::Device;
use crate::units::Timestamp;
use std::time::Duration;

/// After so long without a fix an older device may take over: tracking apps report at least this often while nobody
/// moves.
const QUIET: Duration = Duration::from_secs(15 * 60);

/// Whom a session follows.
#[derive(Debug)]
pub struct Tracking {
    /// Since when the session's own connection counts.
    opened: Timestamp,
    holder: Option<Box<Holder>>,
}

#[derive(Debug)]
struct Holder {
    /// `None`: the session's own connection.
    device: Option<Device>,
    since: Timestamp,
    heard: Timestamp,
}

impl Tracking {
    /// Of a session that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self { opened: now, holder: None }
    }

    /// Whether fixes of a device count, or of the session's own connection (`None`); from then on it is followed.
    pub fn follows(&mut self, device: Option<&Device>, now: Timestamp) -> bool {
        let since = device.map_or(self.opened, |device| device.since);
        if let Some(holder) = &mut self.holder {
            if holder.device.as_ref() == device {
                holder.heard = now;
                return true;
            }
            if since <= holder.since && now.since(holder.heard) < QUIET {
                return false;
            }
        }
        self.holder = Some(Box::new(Holder { device: device.cloned(), since, heard: now }));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn device(name: &str, since: Timestamp) -> Device {
        Device { name: name.to_owned(), since }
    }

    #[test]
    fn the_newer_one_is_followed_and_the_older_waits_until_it_is_quiet() {
        let mut tracking = Tracking::new(START);
        let older = device("older", START - Duration::from_secs(60));
        let newer = device("newer", START + Duration::from_secs(60));
        let at = |seconds| START + Duration::from_secs(seconds);
        assert!(tracking.follows(Some(&older), at(1)), "nobody else has sent anything");
        assert!(tracking.follows(None, at(2)), "the connection is newer");
        assert!(!tracking.follows(Some(&older), at(3)));
        assert!(tracking.follows(None, at(4)));
        assert!(tracking.follows(Some(&newer), at(70)), "set up after the connection was opened");
        assert!(!tracking.follows(None, at(71)) && !tracking.follows(Some(&older), at(72)));
        assert!(tracking.follows(Some(&newer), at(73)));
        assert!(!tracking.follows(None, at(73 + QUIET.as_secs() - 1)));
        assert!(tracking.follows(None, at(73 + QUIET.as_secs())), "it has been quiet");
        assert!(tracking.follows(Some(&newer), at(75 + QUIET.as_secs())), "and is back");
    }

    #[test]
    fn of_two_that_came_at_once_the_first_stays() {
        let mut tracking = Tracking::new(START);
        let twins = [device("a", START), device("b", START)];
        assert!(tracking.follows(Some(&twins[1]), START));
        assert!(!tracking.follows(Some(&twins[0]), START) && !tracking.follows(None, START));
    }
}
