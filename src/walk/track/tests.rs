//! Tests of recordings: both forms, what is mended, what is refused.

use super::*;

const GPX: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="waystone" xmlns="http://www.topografix.com/GPX/1/1">
  <trk><trkseg>
    <trkpt lat="60.1716" lon="24.9439"><time>2026-06-01T09:00:00Z</time></trkpt>
    <trkpt lat="60.1715" lon="24.9438"><time>2026-06-01T09:00:02.500Z</time></trkpt>
  </trkseg><trkseg>
    <trkpt lat="60.1714" lon="24.9437"><time>2026-06-01T12:00:04+03:00</time></trkpt>
  </trkseg></trk>
</gpx>"#;

const CSV: &str = "time,lat,lon,accuracy\n\
    2026-06-01T09:00:00Z,60.1716,24.9439,6.5\n\
    1780304401,60.1715,24.9438,\n\
    1780304402500,60.1714,24.9437,12\n";

/// 2026-06-01T09:00:00Z.
const NINE: i64 = 1_780_304_400_000;

fn millis(track: &Track) -> Vec<i64> {
    track.readings.iter().map(|reading| reading.time.as_millis()).collect()
}

fn csv(text: &str) -> Result<Track, TrackError> {
    read(text.as_bytes(), TrackKind::Csv)
}

#[test]
fn reads_gpx_across_segments_and_zones() {
    let track = read(GPX.as_bytes(), TrackKind::Gpx).expect("a track");
    assert_eq!(millis(&track), [NINE, NINE + 2_500, NINE + 4_000]);
    let last = track.readings[2];
    assert_eq!((last.lat, last.lon, last.accuracy_m, last.seq), (60.1714, 24.9437, 8.0, 3));
    assert_eq!(track.notes, ["3 of 3 points have no accuracy; 8 m is assumed"]);
    assert_eq!(track.span(), Duration::from_secs(4));
}

#[test]
fn reads_csv_in_three_forms_of_time() {
    let track = csv(CSV).expect("a track");
    assert_eq!(millis(&track), [NINE, NINE + 1_000, NINE + 2_500]);
    let accuracies: Vec<f64> = track.readings.iter().map(|reading| reading.accuracy_m).collect();
    assert_eq!(accuracies, [6.5, 8.0, 12.0]);
    let swapped = csv("Lon , speed, LAT, time\r\n24.9, 3, 60.1, 2026-06-01T09:00:00\r\n\r\n").expect("a track");
    assert_eq!((swapped.readings[0].lon, millis(&swapped)[0]), (24.9, NINE));
}

#[test]
fn one_same_old_time_becomes_a_second_each() {
    let line = "1901-12-13T20:45:52.207Z,46.4,13.7\n";
    let track = csv(&format!("time,lat,lon\n{}", line.repeat(4))).expect("a track");
    assert!(track.readings.windows(2).all(|pair| pair[1].time.since(pair[0].time) == Duration::from_secs(1)));
    assert!(track.notes[0].contains("no usable times"), "{:?}", track.notes);
}

#[test]
fn missing_and_backward_times_are_filled_in_between() {
    let text = format!("time,lat,lon\n,1,1\n{NINE},1,1\n,1,1\n{},1,1\n{},1,1\n,1,1\n", NINE - 5_000, NINE + 3_000);
    let track = csv(&text).expect("a track");
    assert_eq!(millis(&track), [-1_000, 0, 1_000, 2_000, 3_000, 4_000].map(|ms| NINE + ms));
    assert!(
        track.notes[0].starts_with("of 6 points 3 have no time and 1 have one that does not rise"),
        "{:?}",
        track.notes
    );
}

#[test]
fn times_rise_even_without_room_between() {
    let text = format!("time,lat,lon\n{NINE},1,1\n,1,1\n,1,1\n,1,1\n{},1,1\n", NINE + 1);
    let times = millis(&csv(&text).expect("a track"));
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}

#[test]
fn retime_shifts_and_speeds_up() {
    let start = Timestamp::from_millis(50_000);
    let track = csv(CSV).expect("a track").retime(start, 10.0).expect("a speed");
    assert_eq!(millis(&track), [50_000, 50_100, 50_250]);
    let fast = csv(CSV).expect("a track").retime(start, 1_000.0).expect("a speed");
    assert_eq!(millis(&fast), [50_000, 50_001, 50_002]);
    for bad in [0.0, 1e-300, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(csv(CSV).expect("a track").retime(start, bad), Err(TrackError::BadSpeed(_))));
    }
}

#[test]
fn refusals_name_the_line_and_the_reason() {
    let cases = [
        ("lat,lon\n1,1\n", 1, "time,lat,lon"),
        ("time,lat,lon\n1,95,20\n", 2, "swapped"),
        ("time,lat,lon\n1,1,1\n\nx,1,1\n", 4, "ISO 8601"),
        ("time,lat,lon\n1,NaN,1\n", 2, "not a place"),
        ("time,lat,lon\n1,1\n", 2, "lon is \"\""),
        ("time,lat,lon,accuracy\n1,1,1,-3\n", 2, "accuracy"),
    ];
    for (text, expected, part) in cases {
        match csv(text) {
            Err(TrackError::Line { line, reason }) => {
                assert_eq!(line, expected, "{text:?}");
                assert!(reason.contains(part), "{reason}");
            }
            other => panic!("{text:?} gave {other:?}"),
        }
    }
    assert!(matches!(csv("\n"), Err(TrackError::Empty)));
    assert!(matches!(csv("time,lat,lon\n"), Err(TrackError::Empty)));
    assert!(matches!(read(b"<gpx", TrackKind::Gpx), Err(TrackError::Gpx(_))));
    assert!(matches!(read(b"\xff\n", TrackKind::Csv), Err(TrackError::Line { line: 1, .. })));
}

#[test]
fn kind_follows_the_name() {
    assert_eq!(TrackKind::of_name("a/b.GPX").ok(), Some(TrackKind::Gpx));
    assert_eq!(TrackKind::of_name("b.csv").ok(), Some(TrackKind::Csv));
    assert!(TrackKind::of_name("gpx.txt").is_err());
}
