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
