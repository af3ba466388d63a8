//! Raw numbers from a phone become checked fixes here and nowhere else, whichever way they came.
//!
//! JSON has no NaN, and serde refuses `1e999`; what is left to check is the earth and the phone's own marks for
//! "unknown". Promise: messages name the field and the remedy, never the numbers, which are someone's whereabouts.

use crate::actors::contract::{FixReply, IgnoredFix, WhyIgnored};
use crate::geo::plausibility::FUTURE_MAX;
use crate::geo::position::{Fix, Position};
use crate::quest::refusal::Refusal;
use crate::units::{Meters, MetersPerSecond, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Most fixes in one batch: five minutes in a tunnel at one fix each three seconds, and with all that a phone knows, at
/// full precision, under 32 KiB as JSON (a test below says so).
pub(super) const BATCH_MAX: usize = 100;
/// A device time before this (1990 in milliseconds) is one in seconds.
const MILLIS_MIN: i64 = 631_152_000_000;

/// A fix as the wire bears it: `data` of fix.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FixData")]
pub(super) struct RawFix {
    /// Degrees north, WGS84.
    pub(super) lat: f64,
    /// Degrees east, WGS84.
    pub(super) lon: f64,
    /// Metres around it that hold the true place with 68 %; 25 if missing.
    #[serde(default)]
    pub(super) acc: Option<f64>,
    /// The device's time, in milliseconds since 1970; the server's if missing.
    #[serde(default)]
    pub(super) t: Option<i64>,
    /// Rises with each fix of this device; makes repeats harmless.
    #[serde(default)]
    pub(super) seq: Option<u64>,
    /// Metres a second; negative means unknown.
    #[serde(default)]
    pub(super) speed: Option<f64>,
    /// Degrees from north; negative means unknown.
    #[serde(default)]
    pub(super) heading: Option<f64>,
    /// Metres above the ellipsoid.
    #[serde(default)]
    pub(super) alt: Option<f64>,
    /// The phone says that another app made this up.
    #[serde(default)]
    pub(super) mock: Option<bool>,
}

impl std::fmt::Debug for RawFix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawFix(..)")
    }
}

/// `data` of fixes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FixesData")]
pub(super) struct RawBatch<'a> {
    /// 1 to 100, oldest first.
    #[serde(borrow)]
    #[schemars(with = "Vec<RawFix>", length(min = 1, max = 100))]
    fixes: Vec<&'a RawValue>,
}

/// Checked fixes, and what became of the others.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    /// In the order sent.
    pub(super) good: Vec<Fix>,
    /// What to say of the whole batch.
    pub(super) fate: Fate,
}

/// What the reply must say beside what the game says of the good fixes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fate {
    /// For each good one its place in what was sent; empty when it was a single fix.
    places: Vec<u32>,
    /// What is wrong with the others.
    ignored: Vec<IgnoredFix>,
    /// The highest sequence number among the ignored: it need not come again.
    ignored_seq: Option<u64>,
}

impl Batch {
    /// How many were sent.
    pub(super) fn sent(&self) -> u32 {
        u32::try_from(self.good.len() + self.fate.ignored.len()).unwrap_or(u32::MAX)
    }
}

impl Fate {
    /// The reply about all that was sent, from the reply about those that were fixes at all.
    pub(super) fn of_all(self, mut reply: FixReply) -> FixReply {
        for ignored in &mut reply.ignored {
            let place = usize::try_from(ignored.index).ok().and_then(|index| self.places.get(index));
            ignored.index = place.copied().unwrap_or(ignored.index);
        }
        reply.ignored.extend(self.ignored);
        reply.ignored.sort_by_key(|ignored| ignored.index);
        reply.seq = reply.seq.max(self.ignored_seq);
        reply
    }
}

/// `data` of `fix`: one fix, good or refused.
pub(super) fn one(data: &str, now: Timestamp) -> Result<Batch, Refusal> {
    let fix = parse::<RawFix>(data)?.check(now)?;
    if fix.time() > now + FUTURE_MAX {
        return Err(Refusal::fix_from_future("t is in the future: set the device's clock, or leave t out"));
    }
    Ok(Batch { good: vec![fix], ..Batch::default() })
}

/// `data` of `fixes`. One bad fix in a phone's queue must not hold up the others for ever, so it is reported as
/// ignored; a batch that is not even of the right form is a mistake in the client and refused whole.
pub(super) fn many(data: &str, now: Timestamp) -> Result<Batch, Refusal> {
    let raw: RawBatch<'_> = parse(data)?;
    if raw.fixes.is_empty() || raw.fixes.len() > BATCH_MAX {
        return Err(Refusal::bad_fix("\"fixes\" must hold 1 to 100 fixes: send the rest in another batch"));
    }
    let mut batch = Batch::default();
    for (index, raw) in (0_u32..).zip(raw.fixes) {
        let raw: RawFix = parse(raw.get())?;
        let seq = raw.seq;
        match raw.check(now) {
            Ok(fix) => {
                batch.good.push(fix);
                batch.fate.places.push(index);
            }
            Err(_) => {
                batch.fate.ignored.push(IgnoredFix { index, reason: WhyIgnored::BadFix });
                batch.fate.ignored_seq = batch.fate.ignored_seq.max(seq);
            }
        }
    }
    Ok(batch)
}

/// Takes objects only: serde would read `[60.1, 24.9]` as a struct, field by field.
fn parse<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Refusal> {
    if !data.trim_start().starts_with('{') {
        return Err(Refusal::bad_fix("data: an object is needed"));
    }
    serde_json::from_str(data).map_err(|err| malformed(&err))
}

/// serde's messages quote values of a wrong type; only its category and place are passed on, and field names.
fn malformed(err: &serde_json::Error) -> Refusal {
    let text = err.to_string();
    let named = ["missing field", "unknown field", "duplicate field", "number out of range"];
    let what = match named.iter().find(|start| text.starts_with(**start)) {
        Some(_) => text,
        None if err.is_data() => format!("a field has the wrong type, at column {}", err.column()),
        None => format!("not JSON, at column {}", err.column()),
    };
    Refusal::bad_fix(&format!("data: {what}; a fix is {{\"lat\",\"lon\",\"acc\",\"t\" (ms),\"seq\"}}"))
}

impl RawFix {
    /// One that says no more than where.
    pub(super) fn at(lat: f64, lon: f64) -> Self {
        Self { lat, lon, ..Self::default() }
    }

    /// The fix, if it is one. Without a time it is of `now`.
    pub(super) fn check(self, now: Timestamp) -> Result<Fix, Refusal> {
        let bad = |why: &dyn std::fmt::Display| Refusal::bad_fix(&why.to_string());
        let position = Position::new(self.lon, self.lat).map_err(|err| bad(&err))?;
        let time = match self.t {
            None => now,
            Some(ms) if ms < MILLIS_MIN => {
                return Err(bad(&"t must be milliseconds since 1970: multiply seconds by 1000"));
            }
            Some(ms) => Timestamp::from_millis(ms),
        };
        let mut fix = Fix::new(position, time).with_mock(self.mock.unwrap_or(false));
        if let Some(acc) = self.acc {
            fix = fix.with_accuracy(Meters::new(acc).map_err(|err| bad(&err))?).map_err(|err| bad(&err))?;
        }
        if let Some(seq) = self.seq {
            fix = fix.with_seq(seq);
        }
        // iOS says "unknown" with -1 here; so does Android's oldest bridge.
        if let Some(speed) = self.speed.filter(|speed| *speed >= 0.0) {
            fix = fix.with_speed(MetersPerSecond::new(speed).map_err(|err| bad(&err))?);
        }
        if let Some(heading) = self.heading.filter(|heading| *heading >= 0.0) {
            fix = fix.with_heading(heading).map_err(|err| bad(&err))?;
        }
        if let Some(alt) = self.alt {
            fix = fix.with_altitude(Meters::new(alt).map_err(|err| bad(&err))?);
        }
        Ok(fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn whole_fix_is_taken_with_all_it_says() {
        let data = r#"{"lat":60.17,"lon":24.94,"acc":8.5,"t":1699999999000,"seq":7,"speed":1.4,"heading":359.5,"alt":12,"mock":true}"#;
        let fix = one(data, NOW).expect("good").good[0];
        assert_eq!((fix.position().lat(), fix.position().lon()), (60.17, 24.94));
        assert_eq!((fix.accuracy(), fix.time().as_millis()), (Meters::lossy(8.5), 1_699_999_999_000));
        assert_eq!((fix.seq(), fix.mock(), fix.heading()), (Some(7), true, Some(359.5)));
    }

    #[test]
    fn least_fix_has_our_time_and_phones_unknowns_are_unknown() {
        let fix = one(r#"{"lat":0,"lon":0,"speed":-1,"heading":-1,"seq":null}"#, NOW).expect("good").good[0];
        assert_eq!((fix.time(), fix.speed(), fix.heading(), fix.seq()), (NOW, None, None, None));
    }

    #[test]
    fn bad_fixes_are_refused_without_quoting_them() {
        for data in [
            "",
            "null",
            "[61.5, 24]",
            "{}",
            r#"{"lat":61.5}"#,
            r#"{"lat":"61.5","lon":24}"#,
            r#"{"lat":1e999,"lon":24}"#,
            r#"{"lat":NaN,"lon":24}"#,
            r#"{"lat":91.5,"lon":24}"#,
            r#"{"lat":61.5,"lon":-180.5}"#,
            r#"{"lat":61.5,"lon":24,"acc":-1}"#,
            r#"{"lat":61.5,"lon":24,"acc":"61.5"}"#,
            r#"{"lat":61.5,"lon":24,"accuracy":5}"#,
            r#"{"lat":61.5,"lat":61.5,"lon":24}"#,
            r#"{"lat":61.5,"lon":24,"t":1700000000}"#,
            r#"{"lat":61.5,"lon":24,"t":1.5}"#,
            r#"{"lat":61.5,"lon":24,"seq":-1}"#,
            r#"{"lat":61.5,"lon":24,"heading":361}"#,
            r#"{"lat":61.5,"lon":24,"mock":1}"#,
            r#"{"lat":61.5,"lon":24} 5"#,
        ] {
            let refusal = one(data, NOW).expect_err(data);
            assert_eq!(refusal.code, 1001, "{data}");
            assert!(!refusal.message.contains("1.5") && !refusal.message.contains("-180.5"), "{refusal}");
        }
    }

    #[test]
    fn one_bad_fix_does_not_hold_up_a_batch() {
        let data =
            r#"{"fixes":[{"lat":60,"lon":24,"seq":1},{"lat":99,"lon":24,"seq":2},{"lat":60,"lon":24,"seq":3}]}"#;
        let batch = many(data, NOW).expect("taken");
        assert_eq!((batch.good.len(), batch.sent()), (2, 3));
        let reply = FixReply {
            seq: Some(1),
            accepted: 1,
            ignored: vec![IgnoredFix { index: 1, reason: WhyIgnored::Late }],
            rings: Vec::new(),
            next: None,
        };
        let reply = batch.fate.of_all(reply);
        let ignored: Vec<_> = reply.ignored.iter().map(|ignored| (ignored.index, ignored.reason)).collect();
        assert_eq!((reply.seq, ignored), (Some(2), vec![(1, WhyIgnored::BadFix), (2, WhyIgnored::Late)]));
    }

    #[test]
    fn full_batch_with_all_digits_fits_a_message() {
        let fix = r#"{"lat":-89.12345678901234,"lon":-179.12345678901234,"acc":12345.678901234567,"t":1699999999000,"seq":18446744073709551615,"speed":123.45678901234567,"heading":359.12345678901234,"alt":-1234.5678901234567,"mock":false}"#;
        let data = format!(r#"{{"fixes":[{}]}}"#, vec![fix; BATCH_MAX].join(","));
        assert_eq!(many(&data, NOW).expect("good").sent(), 100);
        let message = format!(r#"{{"id":4294967295,"rpc":{{"method":"fixes","data":{data}}}}}"#);
        assert!(message.len() <= crate::net::handshake::MESSAGE_BYTES_MAX, "{}", message.len());
    }

    #[test]
    fn batch_is_bounded() {
        let of = |n: usize| format!(r#"{{"fixes":[{}]}}"#, vec![r#"{"lat":1,"lon":1}"#; n].join(","));
        assert!(many(&of(100), NOW).is_ok());
        for data in [
            of(0),
            of(101),
            "[]".into(),
            r#"{"fixes":{}}"#.into(),
            r#"{"fixes":[1]}"#.into(),
            r#"{"fixes":[[1,1]]}"#.into(),
        ] {
            assert_eq!(many(&data, NOW).expect_err("refused").code, 1001);
        }
    }
}
