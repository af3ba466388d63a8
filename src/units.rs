//! Units as types, so that metres are never added to seconds nor a server's time compared with a phone's by mistake.
//!
//! Promise: a `Meters` or `MetersPerSecond` is finite. Time is whole milliseconds since 1970 UTC.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A length in metres; finite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Meters(f64);

/// A speed in metres per second; finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct MetersPerSecond(f64);

/// A number that is not finite, or negative where that has no meaning.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} must be a finite number{}", if *.negative { ", zero or more" } else { "" })]
pub struct UnitError {
    what: &'static str,
    negative: bool,
}

impl Meters {
    /// No length.
    pub const ZERO: Self = Self(0.0);

    /// Takes a finite number; the sign carries meaning (inside is positive).
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if value.is_finite() { Ok(Self(value)) } else { Err(UnitError { what: "a length", negative: false }) }
    }

    /// For constants and for results of arithmetic on finite values; what is not finite becomes zero.
    pub const fn lossy(value: f64) -> Self {
        if value.is_finite() { Self(value) } else { Self::ZERO }
    }

    /// The bare number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl MetersPerSecond {
    /// Takes a finite number, zero or more.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if value.is_finite() && value >= 0.0 {
            Ok(Self(value))
        } else {
            Err(UnitError { what: "a speed", negative: true })
        }
    }

    /// For constants and results of arithmetic; what is not a speed becomes zero.
    pub const fn lossy(value: f64) -> Self {
        if value.is_finite() && value >= 0.0 { Self(value) } else { Self(0.0) }
    }

    /// The bare number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Meters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for MetersPerSecond {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} m", self.0)
    }
}

impl fmt::Display for MetersPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} m/s", self.0)
    }
}

/// A point in time: milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to this one; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}
