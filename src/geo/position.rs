//! Positions and fixes: the one place where numbers from a phone become places on the ground.
//!
//! A position is a whole number of 1e-7 degrees (1.1 cm, what OpenStreetMap stores), so that tests against edges are
//! exact and equal on each node and at each replay. Positions are personal data: they have no `Serialize`, and their
//! `Debug` shows no coordinates, so that none slips into a log, a journal or an error by accident.
//! Promise: a [`Position`] lies on the earth, a [`Fix`] has a usable accuracy.

use super::metric::{self, FULL_TURN, GridPoint, UNITS_PER_DEGREE};
use crate::units::{Meters, MetersPerSecond, Timestamp};
use std::fmt;

/// Accuracy assumed when a phone reports none.
pub const ACCURACY_MISSING: Meters = Meters::lossy(25.0);
/// Best accuracy believed: below it phones flatter themselves.
pub const ACCURACY_FLOOR: Meters = Meters::lossy(3.0);

/// A place on WGS84: longitude and latitude in whole 1e-7 degrees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Position {
    lon: i32,
    lat: i32,
}

/// Why two numbers are not a position. Names the remedy, never the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// NaN or infinite.
    #[error("longitude and latitude must be numbers: send decimal degrees")]
    NotFinite,
    /// Beyond a pole.
    #[error("latitude must lie within -90 to 90 degrees: send WGS84 degrees and check that the order is lon, lat")]
    Latitude,
    /// More than half a turn from Greenwich.
    #[error("longitude must lie within -180 to 180 degrees: send WGS84 degrees, not projected metres")]
    Longitude,
}

impl Position {
    /// Takes longitude and latitude in decimal degrees (WGS84), rounded to 1e-7 degrees.
    pub fn new(lon: f64, lat: f64) -> Result<Self, PositionError> {
        if !lon.is_finite() || !lat.is_finite() {
            return Err(PositionError::NotFinite);
        }
        if lat.abs() > 90.0 {
            return Err(PositionError::Latitude);
        }
        if lon.abs() > 180.0 {
            return Err(PositionError::Longitude);
        }
        // 180 degrees is 1.8e9 units, so both fit; `as` rounds towards zero, hence the `round` before.
        let units = |degrees: f64| (degrees * UNITS_PER_DEGREE).round() as i32;
        Ok(Self { lon: units(lon), lat: units(lat) })
    }

    /// Longitude in degrees, east positive.
    pub fn lon(&self) -> f64 {
        f64::from(self.lon) / UNITS_PER_DEGREE
    }

    /// Latitude in degrees, north positive.
    pub fn lat(&self) -> f64 {
        f64::from(self.lat) / UNITS_PER_DEGREE
    }

    /// Metres on the ellipsoid: within 1 cm of the geodesic up to 100 km, within 0.6 % anywhere.
    pub fn distance(&self, other: &Self) -> Meters {
        // The difference is taken in whole units, so that equal shapes at other longitudes measure equal.
        let dlon = (i64::from(other.lon) - i64::from(self.lon)) as f64 / UNITS_PER_DEGREE;
        Meters::lossy(metric::distance(dlon, self.lat(), other.lat()))
    }

    /// The place on the grid.
    pub(super) fn grid(&self) -> GridPoint {
        GridPoint { x: i64::from(self.lon), y: i64::from(self.lat) }
    }

    /// The position of a place on the grid, wherever it was unwrapped to.
    pub(super) fn of_grid(p: GridPoint) -> Self {
        let p = p.turned_toward(0);
        debug_assert!(p.x.abs() <= FULL_TURN / 2 && p.y.abs() <= FULL_TURN / 4);
        Self { lon: p.x as i32, lat: p.y as i32 }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Position(..)")
    }
}

/// One report of a phone: where, how sure, when by its own clock.
#[derive(Clone, Copy, PartialEq)]
pub struct Fix {
    position: Position,
    accuracy: Meters,
    time: Timestamp,
    seq: Option<u64>,
    speed: Option<MetersPerSecond>,
    heading: Option<f64>,
    altitude: Option<Meters>,
    mock: bool,
}

/// Why a report is not a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FixError {
    /// A radius below zero; iOS says so when it has no position at all.
    #[error("accuracy must be zero or more metres: drop fixes that the phone marks invalid, or leave accuracy out")]
    Accuracy,
    /// Not a compass direction.
    #[error("heading must lie within 0 to 360 degrees: leave it out when the phone does not know it")]
    Heading,
}

impl Fix {
    /// A fix at a device time, with the accuracy of a phone that reports none (25 m).
    pub fn new(position: Position, time: Timestamp) -> Self {
        Self {
            position,
            accuracy: ACCURACY_MISSING,
            time,
            seq: None,
            speed: None,
            heading: None,
            altitude: None,
            mock: false,
        }
    }

    /// With the radius that holds the true place with 68 %.
    pub fn with_accuracy(self, accuracy: Meters) -> Result<Self, FixError> {
        if accuracy.get() < 0.0 { Err(FixError::Accuracy) } else { Ok(Self { accuracy, ..self }) }
    }

    /// With the device's own running number, which then orders its fixes.
    pub fn with_seq(self, seq: u64) -> Self {
        Self { seq: Some(seq), ..self }
    }

    /// With the speed over ground that the phone reports.
    pub fn with_speed(self, speed: MetersPerSecond) -> Self {
        Self { speed: Some(speed), ..self }
    }

    /// With the direction of travel in degrees from north, clockwise; 360 is 0.
    pub fn with_heading(self, degrees: f64) -> Result<Self, FixError> {
        if !(0.0..=360.0).contains(&degrees) {
            return Err(FixError::Heading);
        }
        Ok(Self { heading: Some(degrees % 360.0), ..self })
    }

    /// With the height above the ellipsoid.
    pub fn with_altitude(self, altitude: Meters) -> Self {
        Self { altitude: Some(altitude), ..self }
    }

    /// With the phone's word on whether another app made this position up.
    pub fn with_mock(self, mock: bool) -> Self {
        Self { mock, ..self }
    }

    /// Where.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The accuracy as claimed, 25 m if it was not.
    pub fn accuracy(&self) -> Meters {
        self.accuracy
    }

    /// The accuracy to calculate with: as claimed, but never better than 3 m.
    pub fn believed_accuracy(&self) -> Meters {
        if self.accuracy < ACCURACY_FLOOR { ACCURACY_FLOOR } else { self.accuracy }
    }

    /// When, by the device's clock.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The device's running number.
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// Reported speed over ground.
    pub fn speed(&self) -> Option<MetersPerSecond> {
        self.speed
    }

    /// Reported direction of travel, degrees from north, clockwise, below 360.
    pub fn heading(&self) -> Option<f64> {
        self.heading
    }

    /// Reported height above the ellipsoid.
    pub fn altitude(&self) -> Option<Meters> {
        self.altitude
    }

    /// Whether the phone says that the position is made up.
    pub fn mock(&self) -> bool {
        self.mock
    }
}

impl fmt::Debug for Fix {
    /// Without what tells where the player is or goes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fix")
            .field("position", &self.position)
            .field("accuracy", &self.accuracy)
            .field("time", &self.time)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> Position {
        Position::new(lon, lat).expect("on earth")
    }

    #[test]
    fn position_refuses_what_is_not_on_earth() {
        for (lon, lat, why) in [
            (f64::NAN, 0.0, PositionError::NotFinite),
            (0.0, f64::INFINITY, PositionError::NotFinite),
            (0.0, 90.000_000_1, PositionError::Latitude),
            (25.0, -91.0, PositionError::Latitude),
            (180.1, 0.0, PositionError::Longitude),
            (-1e300, 0.0, PositionError::Longitude),
        ] {
            assert_eq!(Position::new(lon, lat), Err(why));
        }
        assert_eq!((at(180.0, -90.0).lon(), at(180.0, -90.0).lat()), (180.0, -90.0));
    }

    #[test]
    fn debug_keeps_the_place_to_itself() {
        let fix = Fix::new(at(24.941_325, 60.168_712), Timestamp::from_millis(5)).with_altitude(Meters::lossy(17.25));
        let text = format!("{:?} {fix:?}", fix.position());
        assert!(!text.contains("24.9") && !text.contains("60.1") && !text.contains("17.25"), "{text}");
    }

    #[test]
    fn fix_checks_its_claims() {
        let fix = Fix::new(at(0.0, 0.0), Timestamp::from_millis(0));
        assert_eq!(fix.accuracy(), Meters::lossy(25.0));
        assert_eq!(fix.with_accuracy(Meters::lossy(-1.0)), Err(FixError::Accuracy));
        assert_eq!(fix.with_heading(f64::NAN), Err(FixError::Heading));
        assert_eq!(fix.with_heading(-1.0), Err(FixError::Heading));
        assert_eq!(fix.with_heading(360.0).map(|f| f.heading()), Ok(Some(0.0)));
        let flattered = fix.with_accuracy(Meters::ZERO).expect("zero is allowed");
        assert_eq!((flattered.accuracy(), flattered.believed_accuracy()), (Meters::ZERO, ACCURACY_FLOOR));
    }

    #[test]
    fn distance_follows_karney_across_the_antimeridian_and_over_a_pole() {
        use ::geo::{Distance, Geodesic, point};
        for (a, b, tolerance) in [
            ((24.9413, 60.1687), (24.9423, 60.1692), 0.001),
            ((24.9413, 60.1687), (25.1, 60.2), 0.01),
            ((0.0, 0.0), (0.9, 0.0), 0.01),
            ((0.0, 0.0), (0.0, 0.9), 0.01),
            ((179.9995, -17.0), (-179.9995, -17.001), 0.001),
            ((10.0, 89.999), (-170.0, 89.999), 0.001),
            ((12.0, 84.0), (12.3, 84.02), 0.001),
            ((0.0, -45.0), (0.5, -45.5), 0.01),
            // Another continent: only the size matters.
            ((24.9, 60.1), (-74.0, 40.7), 40_000.0),
        ] {
            let ours = at(a.0, a.1).distance(&at(b.0, b.1)).get();
            let karney = Geodesic.distance(point!(x: a.0, y: a.1), point!(x: b.0, y: b.1));
            assert!((ours - karney).abs() < tolerance, "{a:?} {b:?}: {ours} against {karney}");
            assert!((ours - at(b.0, b.1).distance(&at(a.0, a.1)).get()).abs() < 1e-6);
        }
    }
}
