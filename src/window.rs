//! When something is open: a span of days and opening hours, in one time zone. A pure function of the time given.
//!
//! Hours are OpenStreetMap's `opening_hours` syntax, read by the crate of that name. Several texts mean *any of*: open
//! when at least one of them is. (Joined with `;` a later text would silently replace an earlier one on the same day:
//! mornings and evenings, written as two texts, would lose the mornings. Exceptions stand inside one text:
//! `Mo-Su 09:00-21:00; Jun 20 off`.) Zones and daylight saving are jiff's, from a database that is compiled in, so
//! every node and every replay gives the same answer.
//!
//! Promise: half-open, so a window that shuts at 21:00 is shut at 21:00:00.000. Hours are wall-clock time: on the day
//! when clocks go forward a skipped hour is never open, when they go back a repeated hour is open twice.

use crate::units::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use opening_hours::OpeningHours;
use opening_hours::localization::{Localize, NoLocation};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const DAY_MS: i64 = 86_400_000;
/// How far `next_change` looks; a year and a day, so that a yearly window is always found.
const HORIZON: Duration = Duration::from_secs(366 * 86_400);
/// Wall-clock times are kept within 1970 and 9900, where every calendar that we use agrees.
const CIVIL_MAX: i64 = 250_000_000_000_000;
/// After so many years weekdays and leap days repeat: what has not opened by then never will.
const CALENDAR_CYCLE_MS: i64 = 28 * 366 * DAY_MS;

/// A day in the calendar, as in `2026-06-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

/// A text that is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a day is written as 2026-06-01: year, month, day")]
pub struct DayError;

impl FromStr for Day {
    type Err = DayError;
    fn from_str(text: &str) -> Result<Self, DayError> {
        let date: Date = text.parse().map_err(|_| DayError)?;
        // jiff also reads times and week dates; one way to write a day is enough.
        let plain = date.to_string() == text && date.year() >= 1970;
        if plain { Ok(Self(date)) } else { Err(DayError) }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Every time zone that [`Window::new`] knows.
pub fn zone_names() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect()
}

/// Why a window cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The zone is in no database.
    #[error("there is no time zone {0:?}; write one as Europe/Helsinki")]
    UnknownZone(String),
    /// The last day is not after the first.
    #[error("ends on {until}, but starts on {from}; `until` is the first day on which it is shut again")]
    EmptySpan {
        /// First open day.
        from: Day,
        /// First day on which it is shut again.
        until: Day,
    },
    /// A text is not opening hours.
    #[error("{text:?} is not opening hours ({problem}); write them as \"Mo-Fr 09:00-21:00\"")]
    BadHours {
        /// Which of the texts, from 0.
        index: usize,
        /// The text.
        text: String,
        /// What the reader of opening hours says.
        problem: String,
    },
}

/// A window in time; open at its start, shut at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    from: Option<Date>,
    until: Option<Date>,
    zone: TimeZone,
    hours: Vec<OpeningHours>,
}

impl Window {
    /// Open from the start of the day `from` until the start of the day `until`, whenever one of `hours` is open.
    /// Without `hours` it is open all day; without days it has no end on that side.
    pub fn new(from: Option<Day>, until: Option<Day>, zone: &str, hours: &[String]) -> Result<Self, WindowError> {
        let tz = TimeZoneDatabase::bundled().get(zone).map_err(|_| WindowError::UnknownZone(zone.to_owned()))?;
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            return Err(WindowError::EmptySpan { from, until });
        }
        let hours =
            hours.iter().enumerate().map(|(index, text)| parse_hours(index, text)).collect::<Result<_, _>>()?;
        Ok(Self { from: from.map(|day| day.0), until: until.map(|day| day.0), zone: tz, hours })
    }

    /// Whether it is open at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open_at(self.civil(now))
    }

    /// The next time after `now` at which it opens or shuts, within 366 days.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.change_before(now, now + HORIZON)
    }

    /// Whether there is no moment at all at which it is open, in any year.
    pub fn never_opens(&self) -> bool {
        let (start, end) = match (self.from.map(civil_midnight), self.until.map(civil_midnight)) {
            (Some(from), Some(until)) => (from, until),
            (Some(from), None) => (from, from + CALENDAR_CYCLE_MS),
            (None, Some(until)) => ((until - CALENDAR_CYCLE_MS).max(0), until),
            (None, None) => (30 * 365 * DAY_MS, 30 * 365 * DAY_MS + 2 * CALENDAR_CYCLE_MS),
        };
        !self.open_at(start) && self.civil_change(start, end, false).is_none()
    }

    /// Whether two windows are never open at the same moment, as far as five years from the later start tell.
    pub fn never_meets(&self, other: &Self) -> bool {
        let start = self.start().max(other.start());
        let limit = start + 5 * HORIZON;
        let mut at = start;
        // Each step jumps to an opening of one of the two, so a few a day; the bound is for hours by the minute.
        for _ in 0..20_000 {
            let shut = match (self.is_open(at), other.is_open(at)) {
                (true, true) => return false,
                (false, _) => self,
                (_, false) => other,
            };
            match shut.change_before(at, limit) {
                Some(next) => at = next,
                None => return true,
            }
        }
        false
    }

    fn start(&self) -> Timestamp {
        let from = self.from.unwrap_or_else(|| jiff::civil::date(2024, 1, 1));
        let start = from.to_zoned(self.zone.clone()).map(|zoned| zoned.timestamp().as_millisecond());
        Timestamp::from_millis(start.unwrap_or_else(|_| civil_midnight(from)))
    }

    /// The first moment in `(now, limit]` whose state is not that of `now`. Goes from one change of the zone's offset
    /// to the next: between two of them wall clock and time run in step, and at each the wall clock jumps.
    fn change_before(&self, now: Timestamp, limit: Timestamp) -> Option<Timestamp> {
        let was = self.is_open(now);
        let mut at = now.as_millis();
        loop {
            let offset = self.offset(at);
            let jump = self.next_jump(at).filter(|jump| *jump <= limit.as_millis());
            let end = jump.unwrap_or(limit.as_millis().saturating_add(1));
            if let Some(change) = self.civil_change(at + offset, end + offset, was) {
                return Some(Timestamp::from_millis(change - offset));
            }
            at = jump?;
            if self.open_at(at + self.offset(at)) != was {
                return Some(Timestamp::from_millis(at));
            }
        }
    }

    /// The first wall-clock time in `(civil, end)` at which the state is not `was`.
    fn civil_change(&self, mut civil: i64, end: i64, was: bool) -> Option<i64> {
        loop {
            civil = self.boundary(civil, end)?;
            if self.open_at(civil) != was {
                return Some(civil);
            }
        }
    }

    /// The next wall-clock time in `(civil, end)` at which the state may change.
    fn boundary(&self, civil: i64, end: i64) -> Option<i64> {
        let days = [self.from, self.until].into_iter().flatten().map(civil_midnight);
        let by_day = days.filter(|day| *day > civil && *day < end).min();
        if !self.on_open_day(civil) {
            // Hours mean nothing outside the span; after its end this is `None`.
            return by_day;
        }
        let (start, stop) = (naive(civil), naive(end));
        let by_hours = self.hours.iter().filter_map(|hours| {
            let interval = hours.iter_range(start, stop).next()?;
            Some(interval.range.end.and_utc().timestamp_millis())
        });
        by_hours.chain(by_day).filter(|change| *change > civil && *change < end).min()
    }

    fn open_at(&self, civil: i64) -> bool {
        self.on_open_day(civil)
            && (self.hours.is_empty() || self.hours.iter().any(|hours| hours.is_open(naive(civil))))
    }

    fn on_open_day(&self, civil: i64) -> bool {
        self.from.is_none_or(|from| civil >= civil_midnight(from))
            && self.until.is_none_or(|until| civil < civil_midnight(until))
    }

    fn civil(&self, at: Timestamp) -> i64 {
        at.as_millis().saturating_add(self.offset(at.as_millis()))
    }

    fn offset(&self, at: i64) -> i64 {
        let offset = jiff::Timestamp::from_millisecond(at).map(|at| self.zone.to_offset(at).seconds());
        i64::from(offset.unwrap_or(0)) * 1000
    }

    /// When the zone next changes its offset from UTC.
    fn next_jump(&self, at: i64) -> Option<i64> {
        let at = jiff::Timestamp::from_millisecond(at).ok()?;
        self.zone.following(at).next().map(|jump| jump.timestamp().as_millisecond())
    }
}

/// The type of wall-clock times that `opening_hours` reads. It comes from a crate that we do not otherwise use.
type Naive = <NoLocation as Localize>::DateTime;

/// Wall-clock milliseconds since 1970 as `opening_hours` wants them.
fn naive(civil: i64) -> Naive {
    // Its default is 1970-01-01T00:00:00.
    Naive::default() + Duration::from_millis(civil.clamp(0, CIVIL_MAX).unsigned_abs())
}

fn civil_midnight(date: Date) -> i64 {
    date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24 * DAY_MS
}

fn parse_hours(index: usize, text: &str) -> Result<OpeningHours, WindowError> {
    text.parse().map_err(|error: <OpeningHours as FromStr>::Err| {
        // A syntax error is drawn over five lines; its last one says what was expected and its first where.
        let drawn = error.to_string();
        let column = drawn.lines().next().and_then(|line| line.rsplit_once(':')).map(|(_, column)| column.trim());
        let problem = match (drawn.lines().count(), column) {
            (2.., Some(column)) => format!("cannot be read from its character {column} on"),
            _ => drawn,
        };
        WindowError::BadHours { index, text: text.to_owned(), problem }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_millis(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
    }

    fn window(from: &str, until: &str, zone: &str, hours: &[&str]) -> Window {
        let day = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a day"));
        let hours: Vec<_> = hours.iter().map(|text| (*text).to_owned()).collect();
        Window::new(day(from), day(until), zone, &hours).expect("a window")
    }

    fn changes(window: &Window, start: &str, count: usize) -> Vec<String> {
        let first = window.next_change(at(start));
        let all = std::iter::successors(first, |now| window.next_change(*now)).take(count);
        all.map(|change| jiff::Timestamp::from_millisecond(change.as_millis()).expect("in range").to_string())
            .collect()
    }

    #[test]
    fn helsinki_summer_is_half_open_by_hour_and_by_day() {
        let hours = ["Mo-Fr 09:00-21:00", "Sa-Su 10:00-22:00"];
        let summer = window("2026-06-01", "2026-09-01", "Europe/Helsinki", &hours);
        // 1 June 2026 is a Monday; Helsinki is at UTC+3.
        assert!(!summer.is_open(at("2026-06-01T05:59:59.999Z")));
        assert!(summer.is_open(at("2026-06-01T06:00:00Z")));
        assert!(summer.is_open(at("2026-06-01T17:59:59.999Z")));
        assert!(!summer.is_open(at("2026-06-01T18:00:00Z")));
        assert!(summer.is_open(at("2026-06-06T18:30:00Z")), "Saturdays run to ten");
        assert!(!summer.is_open(at("2026-09-01T08:00:00Z")), "until is exclusive");
        assert_eq!(changes(&summer, "2026-03-01T00:00:00Z", 2), ["2026-06-01T06:00:00Z", "2026-06-01T18:00:00Z"]);
        assert_eq!(changes(&summer, "2026-08-31T12:00:00Z", 9), ["2026-08-31T18:00:00Z"]);
        assert_eq!(summer.next_change(at("2025-05-01T00:00:00Z")), None, "more than 366 days off");
    }

    #[test]
    fn helsinki_hours_keep_to_the_wall_clock_over_both_changes() {
        let daily = window("", "", "Europe/Helsinki", &["Mo-Su 09:00-21:00"]);
        // Clocks go forward on 29 March 2026 and back on 25 October 2026.
        let spring = ["2026-03-28T19:00:00Z", "2026-03-29T06:00:00Z", "2026-03-29T18:00:00Z"];
        assert_eq!(changes(&daily, "2026-03-28T12:00:00Z", 3), spring);
        let autumn = ["2026-10-24T18:00:00Z", "2026-10-25T07:00:00Z", "2026-10-25T19:00:00Z"];
        assert_eq!(changes(&daily, "2026-10-24T12:00:00Z", 3), autumn);
    }

    #[test]
    fn new_york_hours_inside_the_gap_open_at_its_end_and_inside_the_fold_open_twice() {
        // 8 March 2026: 02:00 EST is followed by 03:00 EDT, at 07:00 UTC.
        let night = window("", "", "America/New_York", &["Mo-Su 02:30-03:30"]);
        assert_eq!(changes(&night, "2026-03-08T05:00:00Z", 2), ["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]);
        let skipped = window("", "", "America/New_York", &["Mo-Su 02:15-02:45"]);
        assert_eq!(changes(&skipped, "2026-03-08T00:00:00Z", 1), ["2026-03-09T06:15:00Z"], "that hour was skipped");
        // 1 November 2026: 02:00 EDT is followed by 01:00 EST, at 06:00 UTC.
        let early = window("", "", "America/New_York", &["Mo-Su 00:00-01:30"]);
        let fold = ["2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z", "2026-11-02T05:00:00Z"];
        assert_eq!(changes(&early, "2026-11-01T04:30:00Z", 4), fold);
    }

    #[test]
    fn next_change_agrees_with_a_scan_minute_by_minute_across_changes_of_the_clock() {
        let zones = ["Europe/Helsinki", "America/New_York", "America/Santiago", "Australia/Lord_Howe"];
        let hours = ["Mo-Su 00:00-02:10,03:20-04:00", "Sa-Su 23:30-25:45"];
        for (zone, start) in zones.iter().flat_map(|zone| {
            ["2026-03-07", "2026-03-28", "2026-04-04", "2026-09-05", "2026-10-03", "2026-10-24", "2026-10-31"]
                .map(|day| (*zone, at(&format!("{day}T12:00:00Z"))))
        }) {
            let window = window("", "", zone, &hours);
            let minute = Duration::from_secs(60);
            let mut now = start;
            let mut expected = window.next_change(now);
            for _ in 0..(2 * 24 * 60) {
                let next = now + minute;
                let changed = window.is_open(next) != window.is_open(now);
                assert_eq!(changed, expected == Some(next), "{zone} at {next:?}");
                if changed {
                    expected = window.next_change(next);
                }
                now = next;
            }
        }
    }

    #[test]
    fn windows_that_never_open_or_meet_are_recognized() {
        let zone = "Europe/Helsinki";
        assert!(window("", "", zone, &["Dec 25 off"]).never_opens());
        assert!(window("2026-06-01", "2026-06-03", zone, &["Sa-Su 10:00-12:00"]).never_opens());
        assert!(!window("", "", zone, &["Feb 29 10:00-12:00"]).never_opens());
        assert!(!window("", "", zone, &[]).never_opens());
        let day = window("2026-06-01", "", zone, &["Mo-Fr 09:00-17:00"]);
        assert!(day.never_meets(&window("", "", zone, &["Mo-Fr 18:00-21:00", "Sa-Su"])));
        assert!(!day.never_meets(&window("", "", "America/New_York", &["Fr 09:00-12:00"])), "Friday, 16 to 17");
    }

    #[test]
    fn errors_say_what_to_write_instead() {
        let error = |from: &str, until: &str, zone: &str, hours: &str| {
            let day = |text: &str| text.parse::<Day>().ok();
            Window::new(day(from), day(until), zone, &[hours.to_owned()]).expect_err("refused").to_string()
        };
        assert!(error("", "", "Europe/Helsinky", "24/7").contains("no time zone \"Europe/Helsinky\""));
        assert!(error("2026-06-02", "2026-06-01", "UTC", "24/7").contains("starts on 2026-06-02"));
        let bad = error("", "", "UTC", "Mo-Fr 25:00-21:00x");
        assert!(bad.contains("is not opening hours (") && !bad.contains('\n'), "{bad}");
        for wrong in ["2026-6-1", "1.6.2026", "2026-06-01T12:00", "2026-02-30", "1969-01-01"] {
            assert_eq!(wrong.parse::<Day>(), Err(DayError), "{wrong}");
        }
    }

    #[test]
    fn window_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + PartialEq>(_: &T) {}
        shared(&window("", "", "UTC", &["24/7"]));
    }

    #[test]
    fn extreme_times_are_answered_not_panicked_over() {
        let daily = window("2026-06-01", "", "America/New_York", &["Mo-Su 09:00-21:00"]);
        for ms in [i64::MIN, -1, 0, CIVIL_MAX, i64::MAX] {
            let now = Timestamp::from_millis(ms);
            assert!(daily.next_change(now).is_none_or(|next| next > now));
        }
    }
}
