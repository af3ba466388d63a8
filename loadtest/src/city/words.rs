//! The words of a city's phone: fixes, batches, and a connect that goes on where the last connection ended.
//!
//! Written by hand where there are thousands a second; what is read rarely (a welcome, a refusal) is read by serde.

use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use waystone::verify::history::Position;
use waystone::walk::Reading;

/// A fix, or a batch of several.
pub fn fixes<'a>(id: u32, readings: impl ExactSizeIterator<Item = &'a Reading>) -> String {
    let count = readings.len();
    let mut text = String::with_capacity(64 + count * 96);
    let (method, open, close) = if count == 1 { ("fix", "", "") } else { ("fixes", "{\"fixes\":[", "]}") };
    // Writing to a String cannot fail.
    let _ = write!(text, "{{\"id\":{id},\"rpc\":{{\"method\":\"{method}\",\"data\":{open}");
    for (place, Reading { lat, lon, accuracy_m, time, seq, speed_mps, mock }) in readings.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma}{{\"lat\":{lat:.7},\"lon\":{lon:.7},\"acc\":{accuracy_m:.1},\"t\":{},\"seq\":{seq}",
            time.as_millis()
        );
        if let Some(speed) = speed_mps {
            let _ = write!(text, ",\"speed\":{speed:.2}");
        }
        text.push_str(if *mock { ",\"mock\":true}" } else { "}" });
    }
    text.push_str(close);
    text.push_str("}}");
    text
}

/// The command that opens a session, and goes on after a position.
pub fn connect(id: u32, token: &str, player: &str, after: Option<&Position>) -> String {
    match after {
        None => format!("{{\"id\":{id},\"connect\":{{\"token\":\"{token}\"}}}}"),
        Some(Position { epoch, offset }) => format!(
            "{{\"id\":{id},\"connect\":{{\"token\":\"{token}\",\"subs\":{{\"#{player}\":\
             {{\"recover\":true,\"epoch\":\"{epoch}\",\"offset\":{offset}}}}}}}}}"
        ),
    }
}

/// The server's welcome, as far as the own channel goes.
#[derive(Debug, Deserialize)]
pub struct Welcome {
    pub epoch: String,
    #[serde(default)]
    pub offset: u64,
    #[serde(default)]
    pub recovered: bool,
    #[serde(default)]
    pub publications: Vec<Publication>,
}

/// A notice, with its place in the stream.
#[derive(Debug, Deserialize)]
pub struct Publication {
    pub data: Value,
    #[serde(default)]
    pub offset: Option<u64>,
}

/// What a line from the server bears.
#[derive(Debug, Deserialize)]
pub struct Heard {
    #[serde(default)]
    pub connect: Option<Connect>,
    #[serde(default)]
    pub rpc: Option<Rpc>,
    #[serde(default)]
    pub error: Option<Refused>,
    #[serde(default)]
    pub push: Option<Push>,
}

#[derive(Debug, Deserialize)]
pub struct Connect {
    #[serde(default)]
    pub subs: std::collections::BTreeMap<String, Welcome>,
}

#[derive(Debug, Deserialize)]
pub struct Rpc {
    #[serde(default)]
    pub data: Value,
}

/// A refusal.
#[derive(Debug, Clone, Deserialize)]
pub struct Refused {
    pub code: u32,
    #[serde(default)]
    pub temporary: bool,
}

#[derive(Debug, Deserialize)]
pub struct Push {
    #[serde(rename = "pub", default)]
    pub publication: Option<Publication>,
}

/// Reads a line; `None`: it is none of the protocol.
pub fn heard(text: &str) -> Option<Heard> {
    serde_json::from_str(text).ok()
}

/// How many of a batch the server has set aside, by what it says.
pub fn ignored(text: &str) -> u64 {
    if text.contains("\"ignored\"") { text.matches("\"reason\"").count() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waystone::units::Timestamp;

    fn reading(seq: u64, mock: bool) -> Reading {
        let time = Timestamp::from_millis(1_700_000_000_000);
        Reading { lat: 60.17, lon: 24.94, accuracy_m: 5.04, time, seq, speed_mps: Some(1.4), mock }
    }

    #[test]
    fn fixes_read_back_as_the_server_reads_them() {
        let one: Value = serde_json::from_str(&fixes(7, [reading(3, true)].iter())).expect("JSON");
        assert_eq!((&one["id"], &one["rpc"]["method"]), (&7.into(), &"fix".into()));
        assert_eq!((&one["rpc"]["data"]["seq"], &one["rpc"]["data"]["mock"]), (&3.into(), &true.into()));
        let many: Value =
            serde_json::from_str(&fixes(8, [reading(4, false), reading(5, false)].iter())).expect("JSON");
        assert_eq!(many["rpc"]["data"]["fixes"].as_array().map(Vec::len), Some(2));
        assert!(many["rpc"]["data"]["fixes"][1]["mock"].is_null());
    }

    #[test]
    fn a_welcome_and_a_refusal_are_understood() {
        let line = r##"{"id":1,"connect":{"client":"c","subs":{"#a":{"recoverable":true,"epoch":"x","offset":4,
            "recovered":true,"publications":[{"data":{"type":"t"},"offset":5}]}}}}"##;
        let welcome =
            heard(line).and_then(|heard| heard.connect).expect("a welcome").subs.remove("#a").expect("ours");
        assert_eq!((welcome.offset, welcome.recovered, welcome.publications[0].offset), (4, true, Some(5)));
        let refused = heard(r#"{"id":2,"error":{"code":1004,"message":"busy","temporary":true}}"#);
        assert!(refused.and_then(|heard| heard.error).is_some_and(|error| error.code == 1004 && error.temporary));
        let position = Position { epoch: "x".to_owned(), offset: 9 };
        let text = connect(1, "t", "a", Some(&position));
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["connect"]["subs"]["#a"]["offset"], 9);
        assert_eq!(ignored(r#"{"ignored":[{"index":0,"reason":"late"},{"index":1,"reason":"jump"}]}"#), 2);
    }
}
