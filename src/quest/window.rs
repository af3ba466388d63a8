//! When something is open: a span of days and opening hours, in one time zone. A pure function of the time given.
//!
//! Hours are OpenStreetMap's `opening_hours` syntax, read by the crate of that name; zones and daylight saving are
//! jiff's, from a database that is compiled in, so every node and every replay gives the same answer.

use crate::units::Timestamp;

/// A window in time; open at its start, shut at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub(crate) placeholder: (),
}

impl Window {
    /// Whether it is open at `now`.
    pub fn is_open(&self, _now: Timestamp) -> bool {
        todo!()
    }
    /// The next time after `now` at which it opens or shuts, within a year.
    pub fn next_change(&self, _now: Timestamp) -> Option<Timestamp> {
        todo!()
    }
}
