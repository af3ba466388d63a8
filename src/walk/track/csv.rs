//! Tracks as lines of `time,lat,lon[,accuracy]`: what a spreadsheet or a ten-line script can write.
//!
//! Promise: a line that cannot be read is named, with the reason; columns that are not ours are passed over.

use super::{LonLat, RawPoint, TRACK_POINTS_MAX, TrackError, times};

/// Where the columns stand.
struct Columns {
    time: usize,
    lat: usize,
    lon: usize,
    accuracy: Option<usize>,
}

/// The points of a whole file.
pub(super) fn points(bytes: &[u8]) -> Result<Vec<RawPoint>, TrackError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        TrackError::Line { line, reason: "not UTF-8 text".to_owned() }
    })?;
    let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let Some((header, line)) = lines.next() else { return Err(TrackError::Empty) };
    let columns = columns(header).ok_or_else(|| TrackError::Line {
        line,
        reason: "the first line must name the columns: time,lat,lon and perhaps accuracy".to_owned(),
    })?;
    let mut points = Vec::new();
    for (text, line) in lines {
        if points.len() == TRACK_POINTS_MAX {
            return Err(TrackError::TooLarge);
        }
        points.push(point(text, &columns).map_err(|reason| TrackError::Line { line, reason })?);
    }
    Ok(points)
}

fn columns(header: &str) -> Option<Columns> {
    let names: Vec<String> = header.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let place = |wanted: &str| names.iter().position(|name| name == wanted);
    Some(Columns { time: place("time")?, lat: place("lat")?, lon: place("lon")?, accuracy: place("accuracy") })
}

fn point(line: &str, columns: &Columns) -> Result<RawPoint, String> {
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
    let degrees = |name: &str, place: usize| {
        cell(place).parse::<f64>().map_err(|_| format!("{name} is {:?}, not degrees as a number", cell(place)))
    };
    let at = LonLat::new(degrees("lon", columns.lon)?, degrees("lat", columns.lat)?);
    if !at.is_on_earth() {
        return Err(format!("lat {}, lon {} is not a place on earth; are they swapped?", at.lat, at.lon));
    }
    let time =
        match cell(columns.time) {
            "" => None,
            text => Some(times::parse(text).ok_or_else(|| {
                format!("time is {text:?}, neither ISO 8601 nor seconds or milliseconds since 1970")
            })?),
        };
    let accuracy_m = match columns.accuracy.map(cell) {
        None | Some("") => None,
        Some(text) => match text.parse::<f64>() {
            Ok(meters) if meters.is_finite() && meters > 0.0 => Some(meters),
            _ => return Err(format!("accuracy is {text:?}, not meters over 0")),
        },
    };
    Ok(RawPoint { at, time, accuracy_m, speed_mps: None })
}
