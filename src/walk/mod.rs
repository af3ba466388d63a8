//! The walker: a make-believe player with a phone, and recorded tracks that can stand in for one.
//!
//! One model serves the demo, `waystone replay`, the tests and the load test, so that what we show and what we
//! measure are the same thing. This room is pure: no clock, no files, no sockets, and chance only from a generator
//! that is passed in. Promise: the same input and the same seed give the same readings.

pub mod gait;
pub mod spoofer;
pub mod streets;
pub mod track;
pub mod walker;

pub use gait::Gait;
pub use spoofer::{Ruse, Spoofer};
pub use streets::{NodeId, Streets, StreetsError};
pub use track::{Track, TrackError, TrackKind};
pub use walker::{NoiseModel, Walker};

use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// Meters in a degree of latitude, on a sphere; good to 0.6 %, and nothing is decided by it.
const METERS_PER_DEGREE: f64 = 111_195.0;

/// A point on the map in WGS84 degrees. Not the server's fix: it has no error and no time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LonLat {
    /// Degrees east.
    pub lon: f64,
    /// Degrees north.
    pub lat: f64,
}

impl LonLat {
    /// A point from degrees east and north.
    pub const fn new(lon: f64, lat: f64) -> Self {
        Self { lon, lat }
    }

    /// Whether both are finite and within the globe's range.
    pub fn is_on_earth(self) -> bool {
        (-180.0..=180.0).contains(&self.lon) && (-90.0..=90.0).contains(&self.lat)
    }

    /// The distance in meters on a local plane; meant for a city, not for a continent.
    pub fn meters_to(self, other: Self) -> f64 {
        let (east, north) = self.offset_to(other);
        east.hypot(north)
    }

    /// How far `other` lies to the east and to the north, in meters.
    fn offset_to(self, other: Self) -> (f64, f64) {
        let east = (other.lon - self.lon) * METERS_PER_DEGREE * self.lat.to_radians().cos();
        (east, (other.lat - self.lat) * METERS_PER_DEGREE)
    }

    /// The point that lies so many meters to the east and to the north.
    fn moved_by(self, east: f64, north: f64) -> Self {
        // A walker at the very pole would divide by zero; a thousandth of a degree off it is as good.
        let shrink = self.lat.to_radians().cos().max(1e-5);
        Self::new(self.lon + east / (METERS_PER_DEGREE * shrink), self.lat + north / METERS_PER_DEGREE)
    }
}

/// What a phone says about where it is; as JSON it is the `data` of the call `fix`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// The radius in meters that the phone believes to hold the truth in 68 of 100 cases.
    #[serde(rename = "acc")]
    pub accuracy_m: f64,
    /// When, by the phone's clock.
    #[serde(rename = "t")]
    pub time: Timestamp,
    /// Its place in the order of this phone's readings, from 1.
    pub seq: u64,
    /// How fast in meters per second, where the phone knows.
    #[serde(rename = "speed", default, skip_serializing_if = "Option::is_none")]
    pub speed_mps: Option<f64>,
    /// Whether the phone says that another app made this up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mock: bool,
}

impl Reading {
    /// Where, without the rest.
    pub fn at(&self) -> LonLat {
        LonLat::new(self.lon, self.lat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_has_the_names_of_the_wire() {
        let reading = Reading {
            lat: 60.17,
            lon: 24.94,
            accuracy_m: 6.5,
            time: Timestamp::from_millis(1_700_000_000_000),
            seq: 3,
            speed_mps: Some(1.25),
            mock: false,
        };
        let text = serde_json::to_string(&reading).expect("plain data");
        assert_eq!(text, r#"{"lat":60.17,"lon":24.94,"acc":6.5,"t":1700000000000,"seq":3,"speed":1.25}"#);
        assert_eq!(serde_json::from_str::<Reading>(&text).expect("reads its own"), reading);
        let made_up = serde_json::to_string(&Reading { mock: true, ..reading }).expect("plain data");
        assert!(made_up.ends_with(r#","mock":true}"#), "{made_up}");
    }

    #[test]
    fn moving_and_measuring_agree() {
        let start = LonLat::new(24.94, 60.17);
        let there = start.moved_by(30.0, -40.0);
        assert!((start.meters_to(there) - 50.0).abs() < 1e-6);
        assert!(!LonLat::new(f64::NAN, 0.0).is_on_earth());
    }
}
