//! What a server's lines look like on the wire: Waystone's own, or Socket.IO's around the same commands.
//!
//! So that one and the same phone, with its timetable and its tally, can load a server of another make (`peers`).

use tokio_tungstenite::tungstenite::Utf8Bytes;

/// How a server speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// As Waystone does, see docs/protocol.md.
    #[default]
    Own,
    /// Engine.IO 4 and Socket.IO 5 over a WebSocket, calls as events with an acknowledgment.
    SocketIo,
}

/// The connect command is always a phone's first.
const CONNECT_ID: u32 = 1;

impl Dialect {
    /// Where it takes sockets.
    pub fn path(self) -> &'static str {
        match self {
            Self::Own => "/connect",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// A line of ours as the server knows it.
    pub fn outgoing(self, line: Utf8Bytes) -> Utf8Bytes {
        match self {
            Self::Own => line,
            Self::SocketIo => packet(&line).map_or(line, Utf8Bytes::from),
        }
    }

    /// What the server said as lines of ours; what has no counterpart stays, and is a fault then.
    pub fn incoming(self, frame: Utf8Bytes) -> Utf8Bytes {
        match self {
            Self::Own => frame,
            Self::SocketIo => lines(&frame).map_or(frame, Utf8Bytes::from),
        }
    }
}

fn packet(line: &str) -> Option<String> {
    if line == "{}" {
        return Some("3".to_owned());
    }
    let (id, rest) = line.strip_prefix("{\"id\":")?.split_once(',')?;
    if let Some(data) = rest.strip_prefix("\"connect\":") {
        return Some(format!("40{}", data.strip_suffix('}')?));
    }
    let (method, data) = rest.strip_prefix("\"rpc\":{\"method\":\"")?.split_once("\",\"data\":")?;
    Some(format!("42{id}[\"{method}\",{}]", data.strip_suffix("}}")?))
}

fn lines(frame: &str) -> Option<String> {
    if frame == "2" {
        return Some("{}".to_owned());
    }
    if let Some(answer) = frame.strip_prefix("43") {
        let (id, data) = answer.split_once('[')?;
        return Some(format!("{{\"id\":{id},\"rpc\":{{\"data\":{}}}}}", data.strip_suffix(']')?));
    }
    if frame.starts_with("40{") {
        return Some(format!("{{\"id\":{CONNECT_ID},\"connect\":{{}}}}"));
    }
    // The greeting of the transport says nothing that we need.
    frame.starts_with("0{").then(String::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{self, Line, Spot};

    #[test]
    fn commands_become_packets_and_answers_come_back() {
        let out = |line: String| Dialect::SocketIo.outgoing(line.into()).to_string();
        assert_eq!(out(wire::connect(1, "a.b.c")), "40{\"token\":\"a.b.c\"}");
        assert_eq!(out(wire::PONG.to_owned()), "3");
        let fix = out(wire::fix(7, Spot { lon: 1.0, lat: 2.0, speed: 1.4 }, 99));
        let data: serde_json::Value = serde_json::from_str(fix.strip_prefix("427").expect("an event")).expect("JSON");
        assert_eq!((&data[0], &data[1]["seq"], &data[1]["t"]), (&"fix".into(), &7.into(), &99.into()));
        let back = |frame: &'static str| Dialect::SocketIo.incoming(frame.into()).to_string();
        let answer = back("437[{\"seq\":7,\"accepted\":1}]");
        assert!(matches!(wire::lines(&answer).next(), Some(Line::Reply { id: 7, .. })) && wire::is_accepted(&answer));
        assert!(matches!(wire::lines(&back("40{\"sid\":\"x\"}")).next(), Some(Line::Reply { id: 1, .. })));
        assert!(matches!(wire::lines(&back("2")).next(), Some(Line::Ping)));
        assert_eq!(wire::lines(&back("0{\"sid\":\"x\"}")).count(), 0);
        assert!(matches!(wire::lines(&back("44{\"message\":\"no\"}")).next(), Some(Line::Strange(_))));
    }
}
