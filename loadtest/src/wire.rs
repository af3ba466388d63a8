//! The protocol as far as a lean phone needs it: a few forms written by hand, and lines told apart by how they begin.
//!
//! Thousands of phones share two cores with the server that they measure, so nothing is parsed that need not be.

use serde::Deserialize;
use std::fmt::Write as _;

/// A line from the server.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    /// `{}`, to be answered with the same.
    Ping,
    /// The answer to a command.
    Reply {
        /// To which.
        id: u32,
        /// The whole line.
        text: &'a str,
    },
    /// A command was refused.
    Refused(&'a str),
    /// A push.
    Push(&'a str),
    /// Nothing that the protocol knows.
    Strange(&'a str),
}

/// What every pong is.
pub const PONG: &str = "{}";

/// Takes a frame apart.
pub fn lines(frame: &str) -> impl Iterator<Item = Line<'_>> {
    frame.split('\n').filter(|line| !line.is_empty()).map(line)
}

fn line(text: &str) -> Line<'_> {
    if text == "{}" {
        return Line::Ping;
    }
    if text.starts_with("{\"push\":") {
        return Line::Push(text);
    }
    let number = text.strip_prefix("{\"id\":").and_then(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        rest[..end].parse().ok().map(|id| (id, &rest[end..]))
    });
    match number {
        Some((_, rest)) if rest.starts_with(",\"error\":") => Line::Refused(text),
        Some((id, _)) => Line::Reply { id, text },
        None if text.starts_with("{\"error\":") => Line::Refused(text),
        None => Line::Strange(text),
    }
}

/// The number of the command that a line answers or refuses.
pub fn number(text: &str) -> Option<u32> {
    let rest = text.rsplit_once("\"id\":").filter(|_| !text.starts_with("{\"id\":")).map(|(_, rest)| rest);
    let rest = rest.or_else(|| text.strip_prefix("{\"id\":"))?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

/// Whether the answer to a fix says that it counted.
pub fn is_accepted(text: &str) -> bool {
    text.contains("\"accepted\":1") && !text.contains("\"ignored\"")
}

/// The command that opens a session.
pub fn connect(id: u32, token: &str) -> String {
    format!("{{\"id\":{id},\"connect\":{{\"token\":\"{token}\"}}}}")
}

/// A call; `data` is JSON.
pub fn rpc(id: u32, method: &str, data: &str) -> String {
    format!("{{\"id\":{id},\"rpc\":{{\"method\":\"{method}\",\"data\":{data}}}}}")
}

/// Where a phone is, as it says so.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    /// Degrees.
    pub lon: f64,
    /// Degrees.
    pub lat: f64,
    /// Metres a second.
    pub speed: f64,
}

/// A fix; its number is the command's.
pub fn fix(id: u32, spot: Spot, time_ms: i64) -> String {
    let mut text = String::with_capacity(144);
    let Spot { lon, lat, speed } = spot;
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{{\"id\":{id},\"rpc\":{{\"method\":\"fix\",\"data\":{{\"lat\":{lat:.6},\"lon\":{lon:.6},\"acc\":5,\"t\":{time_ms},\"seq\":{id},\"speed\":{speed:.1}}}}}}}"
    );
    text
}

/// A notice as a push bears it.
#[derive(Debug, Deserialize)]
pub struct Notice {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The step that it speaks of.
    pub step: Option<String>,
    /// The code that lets others into a team.
    pub invite: Option<String>,
}

/// The notice in a push; `None` for live channels and what is no notice.
pub fn notice(push: &str) -> Option<Notice> {
    #[derive(Deserialize)]
    struct Outer {
        push: Middle,
    }
    #[derive(Deserialize)]
    struct Middle {
        #[serde(rename = "pub")]
        publication: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        data: Notice,
        #[expect(dead_code, reason = "only what has an offset is a notice")]
        offset: u64,
    }
    serde_json::from_str::<Outer>(push).ok().map(|outer| outer.push.publication.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let reply = r#"{"id":12,"rpc":{"data":{"seq":12,"accepted":1}}}"#;
        let refused = r#"{"error":{"code":111,"message":"slow"},"id":7}"#;
        let frame = format!("{{}}\n{reply}\n{refused}\n{{\"push\":{{}}}}\nwhat");
        let told: Vec<_> = lines(&frame).collect();
        assert_eq!(told[0], Line::Ping);
        assert_eq!(told[1], Line::Reply { id: 12, text: reply });
        assert_eq!(told[2], Line::Refused(refused));
        assert!(matches!(told[3], Line::Push(_)) && matches!(told[4], Line::Strange("what")));
        assert!(matches!(line(r#"{"id":7,"error":{}}"#), Line::Refused(_)));
        assert_eq!([refused, reply, "{}"].map(number), [Some(7), Some(12), None]);
    }

    #[test]
    fn fix_that_was_ignored_does_not_count() {
        assert!(is_accepted(r#"{"id":1,"rpc":{"data":{"seq":1,"accepted":1}}}"#));
        assert!(!is_accepted(r#"{"id":1,"rpc":{"data":{"accepted":0,"ignored":[{"index":0,"reason":"late"}]}}}"#));
    }

    #[test]
    fn own_words_are_json() {
        let spot = Spot { lon: 24.94, lat: 60.17, speed: 1.4 };
        let value: serde_json::Value = serde_json::from_str(&fix(3, spot, 1_700_000_000_000)).expect("JSON");
        assert_eq!((&value["id"], &value["rpc"]["data"]["seq"]), (&3.into(), &3.into()));
        let notice = notice(r##"{"push":{"channel":"#a","pub":{"data":{"type":"x","step":"s"},"offset":3}}}"##);
        assert_eq!(notice.and_then(|notice| notice.step).as_deref(), Some("s"));
    }
}
