//! Reads the lines of a history; a line that is none is a fault that names it.

use super::chain::Chains;
use super::index::{History, Place};
use super::line::{FORM, Head, Line};
use std::io::BufRead;

/// Longest line: a notice with a large place's outline is some 20 KB.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{name}:{line}: {reason}")]
pub struct HistoryFault {
    /// The file.
    pub name: String,
    /// The line.
    pub line: u32,
    /// What is wrong.
    pub reason: String,
}

impl History {
    /// Reads one file; `name` is for places.
    pub fn parse(name: &str, reader: impl BufRead) -> Result<Self, HistoryFault> {
        let mut history = Self::default();
        history.take_in(name, reader)?;
        Ok(history)
    }

    /// Reads another file to those that were read. A client's lines stand in one file.
    pub fn take_in(&mut self, name: &str, mut reader: impl BufRead) -> Result<(), HistoryFault> {
        let fault = |line, reason| HistoryFault { name: name.to_owned(), line, reason };
        let file = u16::try_from(self.files.len()).map_err(|_| fault(0, "too many files".to_owned()))?;
        self.files.push(name.to_owned());
        let (mut chains, mut bytes, mut line) = (Chains::new(file), Vec::new(), 0_u32);
        loop {
            bytes.clear();
            line = line.saturating_add(1);
            let mut limited = std::io::Read::take(&mut reader, LINE_BYTES_MAX);
            let read = limited.read_until(b'\n', &mut bytes).map_err(|err| fault(line, err.to_string()))?;
            if u64::try_from(read) == Ok(LINE_BYTES_MAX) {
                return Err(fault(line, format!("it is longer than {LINE_BYTES_MAX} bytes")));
            }
            // What has no end was not written whole: the writer was killed, or is at it.
            if bytes.pop() != Some(b'\n') {
                break;
            }
            if line == 1 {
                head(&bytes).map_err(|reason| fault(line, reason))?;
                continue;
            }
            let parsed: Line = serde_json::from_slice(&bytes).map_err(|err| fault(line, reason(&err)))?;
            chains.take(self, Place { file, line }, parsed);
        }
        if line == 1 {
            return Err(fault(1, "it has no first line, which tells the form".to_owned()));
        }
        chains.end(self);
        Ok(())
    }
}

fn head(bytes: &[u8]) -> Result<(), String> {
    let head: Head = serde_json::from_slice(bytes)
        .map_err(|_| "no history begins like this; it was to be {\"history\":1,\"by\":\"...\"}".to_owned())?;
    if head.history == FORM {
        Ok(())
    } else {
        Err(format!("its form is {}, this version reads {FORM}", head.history))
    }
}

/// Says what is wrong without repeating what players said: names of fields and variants, and the column.
fn reason(fault: &serde_json::Error) -> String {
    let text = fault.to_string();
    let of_names = ["unknown variant", "unknown field", "missing field"].iter().any(|word| text.starts_with(word));
    let what = if of_names { text.split(" at line").next().unwrap_or_default() } else { "not a line of form 1" };
    format!("{what}, column {}", fault.column())
}

#[cfg(test)]
mod tests {
    use super::super::{Connected, Outcome, Recorder};
    use super::*;
    use crate::ids::PlayerId;
    use crate::units::Timestamp;
    use serde_json::json;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no writer panics").extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A file of some lines: ada is welcomed, asks, sends a fix and is told.
    fn written() -> String {
        let paper = Paper::default();
        let recorder = Recorder::to(paper.clone(), "a test", || Timestamp::from_millis(7));
        let ada = recorder.client(PlayerId::new("ada").expect("valid"));
        ada.connected(Connected { epoch: "e".to_owned(), resumed: None, recovered: false, offset: 0 });
        let request = ada.asked("team.say", &json!({ "cmd": "c1", "text": "hello" }));
        ada.answered(request, Outcome::Done(json!({})));
        let request = ada.asked("fix", &json!({ "lon": 24.123_456, "lat": 60.123_456, "cmd": "c2" }));
        ada.answered(request, Outcome::Unknown);
        ada.told(1, &json!({ "type": "team.said" }));
        recorder.flush().expect("paper is patient");
        let bytes = paper.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("JSON")
    }

    fn faults(text: &str) -> Vec<String> {
        let history = History::parse("f", text.as_bytes()).expect("a history");
        history
            .faults
            .iter()
            .map(|fault| format!("{} {}", fault.check, fault.history.as_deref().unwrap_or("")))
            .collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let history = History::parse("f", written().as_bytes()).expect("a history");
        let counted = history.counted;
        assert_eq!((counted.clients, counted.connections, counted.commands, counted.told), (1, 1, 1, 1));
        assert!(history.faults.is_empty(), "{:?}", history.faults);
    }

    #[test]
    fn no_position_is_written() {
        assert!(!written().contains(".123456") && !written().contains("c2"), "{}", written());
    }

    #[test]
    fn a_line_that_was_not_written_whole_is_left_out() {
        let text = written();
        let torn = &text[..text.len() - 5];
        let history = History::parse("f", torn.as_bytes()).expect("a history");
        assert_eq!(history.counted.told, 0);
    }

    #[test]
    fn what_is_no_line_is_a_fault_that_names_it() {
        let text = written();
        for (line, wrong, word) in [
            (1, "{}", "begins"),
            (1, r#"{"history":2,"by":""}"#, "form is 2"),
            (3, "", "not a line"),
            (3, "[1]", "not a line"),
            (3, r#"{"player":"ada","what":{"flown":{}}}"#, "unknown variant `flown`"),
            (3, r#"{"player":"ada","what":"settled","lat":60.98765}"#, "unknown field `lat`"),
            (3, r#"{"player":"a b","what":"settled"}"#, "not a line"),
            (3, r#"{"player":"ada","what":{"told":{"offset":"60.98765","notice":1}}}"#, "not a line"),
        ] {
            let lines = (1..).zip(text.lines()).map(|(nth, good)| if nth == line { wrong } else { good });
            let text: String = lines.flat_map(|line| [line, "\n"]).collect();
            let fault = History::parse("f", text.as_bytes()).expect_err(wrong).to_string();
            assert!(fault.starts_with(&format!("f:{line}:")) && fault.contains(word), "{wrong}: {fault}");
            assert!(!fault.contains("98765"), "{fault} tells what was written");
        }
        assert!(History::parse("f", &b""[..]).is_err());
    }

    #[test]
    fn a_fault_of_the_history_alone_names_its_line() {
        let text = written();
        let line = |nth: usize| text.lines().nth(nth - 1).expect("it has as many").to_owned() + "\n";
        assert_eq!(faults(&(text.clone() + &line(7))), ["twin f:8"]);
        assert_eq!(faults(&(text.clone() + &line(7).replace("\"offset\":1", "\"offset\":3"))), ["gap f:8"]);
        assert_eq!(faults(&(text.clone() + &line(2))), ["history f:8", "stale f:8"]);
        assert_eq!(faults(&(text.clone() + &line(4))), ["history f:8"]);
    }

    #[test]
    fn several_files_are_one_history() {
        let mut history = History::parse("a", written().as_bytes()).expect("a history");
        history.take_in("b", written().replace("ada", "bo").as_bytes()).expect("another");
        assert_eq!((history.counted.clients, history.counted.commands), (2, 2));
        let at = history.players[&PlayerId::new("bo").expect("valid")].told[0].place;
        assert_eq!(history.place(at), "b:7");
    }
}
