//! Recorded tracks, GPX or CSV, as the readings of a phone, so that a real walk can be replayed into a server.
//!
//! Recordings are rough: times missing, standing still or from 1901, no accuracy. What can be mended is mended and
//! said in `notes`; what cannot is an error with the place and the reason.
//! Promise: the times of a track rise strictly, positions are on earth, and `seq` counts from 1 without a gap.
//! Pure: the caller brings the bytes.

use super::{LonLat, Reading};
use crate::units::Timestamp;
use std::time::Duration;

mod csv;
mod times;

/// The largest file read: two days at a point a second in the wordiest GPX.
pub const TRACK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The most points of a track; with [`TRACK_BYTES_MAX`] it bounds the memory of a replay.
pub const TRACK_POINTS_MAX: usize = 500_000;

/// The accuracy of a reading whose recording has none: that of a good phone under the open sky.
const ACCURACY_UNKNOWN_M: f64 = 8.0;

/// The form of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    /// GPS exchange format, 1.0 or 1.1.
    Gpx,
    /// Lines of `time,lat,lon[,accuracy]` under a header that names them.
    Csv,
}

/// A recording made fit for replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The readings, rising in time; at least one.
    pub readings: Vec<Reading>,
    /// What had to be mended, for people.
    pub notes: Vec<String>,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The name does not tell the form.
    #[error("{name}: not a recording known here; name it .gpx or .csv")]
    UnknownKind {
        /// The file's name.
        name: String,
    },
    /// Larger than this module reads.
    #[error("the recording has more than {TRACK_BYTES_MAX} bytes or {TRACK_POINTS_MAX} points; split it")]
    TooLarge,
    /// Not GPX.
    #[error("not a GPX file: {0}")]
    Gpx(String),
    /// A point that cannot be used.
    #[error("point {number}: {reason}")]
    Point {
        /// Its place in the file, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A line that cannot be read.
    #[error("line {line}: {reason}")]
    Line {
        /// The line in the file, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing to replay.
    #[error("the recording has no points")]
    Empty,
    /// A factor that is no speed.
    #[error("a replay's speed must be a number from 0.01 to 1000, not {0}")]
    BadSpeed(f64),
}

impl TrackKind {
    /// The form that a file's name promises.
    pub fn of_name(name: &str) -> Result<Self, TrackError> {
        match name.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
            Some("gpx") => Ok(Self::Gpx),
            Some("csv") => Ok(Self::Csv),
            _ => Err(TrackError::UnknownKind { name: name.to_owned() }),
        }
    }
}

/// A point as recorded, before anything is mended.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RawPoint {
    at: LonLat,
    time: Option<Timestamp>,
    accuracy_m: Option<f64>,
    speed_mps: Option<f64>,
}

/// Reads a recording.
pub fn read(bytes: &[u8], kind: TrackKind) -> Result<Track, TrackError> {
    if bytes.len() > TRACK_BYTES_MAX {
        return Err(TrackError::TooLarge);
    }
    let points = match kind {
        TrackKind::Gpx => gpx_points(bytes)?,
        TrackKind::Csv => csv::points(bytes)?,
    };
    if points.len() > TRACK_POINTS_MAX {
        return Err(TrackError::TooLarge);
    }
    if points.is_empty() {
        return Err(TrackError::Empty);
    }
    Ok(mend(&points))
}

impl Track {
    /// The time from the first reading to the last.
    pub fn span(&self) -> Duration {
        match (self.readings.first(), self.readings.last()) {
            (Some(first), Some(last)) => last.time.since(first.time),
            _ => Duration::ZERO,
        }
    }

    /// Moves the device times so that the first is `start` and the rest follow `speed` times as fast as recorded.
    ///
    /// For a replay that ends now, let `start` be now minus [`Self::span`] / `speed`. Reported speeds grow with it.
    pub fn retime(mut self, start: Timestamp, speed: f64) -> Result<Self, TrackError> {
        if !(0.01..=1_000.0).contains(&speed) {
            return Err(TrackError::BadSpeed(speed));
        }
        let Some(first) = self.readings.first().map(|reading| reading.time) else { return Ok(self) };
        let mut least = start;
        for reading in &mut self.readings {
            // At a high speed neighbors may fall into one millisecond; times must still rise.
            reading.time = (start + reading.time.since(first).div_f64(speed)).max(least);
            least = reading.time + Duration::from_millis(1);
            reading.speed_mps = reading.speed_mps.map(|recorded| recorded * speed);
        }
        Ok(self)
    }
}

fn gpx_points(bytes: &[u8]) -> Result<Vec<RawPoint>, TrackError> {
    let file = gpx::read(bytes).map_err(|error| TrackError::Gpx(error.to_string()))?;
    let mut recorded: Vec<gpx::Waypoint> =
        file.tracks.into_iter().flat_map(|track| track.segments).flat_map(|segment| segment.points).collect();
    if recorded.is_empty() {
        recorded = file.routes.into_iter().flat_map(|route| route.points).collect();
    }
    let points = recorded.iter().enumerate().map(|(index, point)| {
        let at = LonLat::new(point.point().x(), point.point().y());
        if !at.is_on_earth() {
            return Err(TrackError::Point { number: index + 1, reason: "not a place on earth".to_owned() });
        }
        // The crate hides its time behind a type of another crate; its text is the way through without that crate.
        let time = point.time.and_then(|time| time.format().ok()).and_then(|text| times::parse(&text));
        let speed_mps = point.speed.filter(|speed| speed.is_finite() && *speed >= 0.0);
        Ok(RawPoint { at, time, accuracy_m: None, speed_mps })
    });
    points.collect()
}

fn mend(points: &[RawPoint]) -> Track {
    let mut notes = Vec::new();
    let recorded: Vec<Option<Timestamp>> = points.iter().map(|point| point.time).collect();
    let rising = times::rising(&recorded, &mut notes);
    let without = points.iter().filter(|point| point.accuracy_m.is_none()).count();
    if without > 0 {
        let all = points.len();
        notes.push(format!("{without} of {all} points have no accuracy; {ACCURACY_UNKNOWN_M} m is assumed"));
    }
    let readings = points.iter().zip(rising).zip(1..).map(|((point, time), seq)| Reading {
        lat: point.at.lat,
        lon: point.at.lon,
        accuracy_m: point.accuracy_m.unwrap_or(ACCURACY_UNKNOWN_M),
        time,
        seq,
        speed_mps: point.speed_mps,
        mock: false,
    });
    Track { readings: readings.collect(), notes }
}

#[cfg(test)]
mod tests;
