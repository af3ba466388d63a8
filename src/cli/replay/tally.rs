//! What became of a replay's fixes, and what the player was told.

use super::super::output::plain;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The server's reply to fixes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Reply {
    #[serde(default)]
    accepted: u64,
    #[serde(default)]
    ignored: Vec<Ignored>,
}

#[derive(Debug, Deserialize)]
struct Ignored {
    reason: String,
}

/// Counts over the whole replay.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// Fixes sent and answered.
    pub(super) sent: u64,
    /// Fixes that counted.
    pub(super) accepted: u64,
    /// Fixes that did not, by reason.
    pub(super) ignored: BTreeMap<String, u64>,
    /// Fixes refused whole, by the server's code.
    pub(super) refused: BTreeMap<u32, u64>,
    /// What the player was told.
    pub(super) notices: u64,
}

impl Tally {
    pub(super) fn add(&mut self, fixes: usize, reply: Reply) {
        self.sent += fixes as u64;
        self.accepted += reply.accepted;
        for Ignored { reason } in reply.ignored {
            *self.ignored.entry(plain(&reason)).or_default() += 1;
        }
    }

    pub(super) fn refuse(&mut self, fixes: usize, code: u32) {
        self.sent += fixes as u64;
        *self.refused.entry(code).or_default() += fixes as u64;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, accepted, ignored, refused, notices } = self;
        write!(f, "{sent} fixes sent, {accepted} accepted, {} ignored", ignored.values().sum::<u64>())?;
        if !ignored.is_empty() {
            let reasons: Vec<String> = ignored.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            write!(f, " ({})", reasons.join(", "))?;
        }
        if !refused.is_empty() {
            let codes: Vec<String> = refused.iter().map(|(code, count)| format!("code {code}: {count}")).collect();
            write!(f, ", refused: {}", codes.join(", "))?;
        }
        write!(f, "; {notices} notices")
    }
}

/// A notice in one line: its kind, then what it says, without the parts that have parts.
pub(super) fn notice(offset: u64, data: &Value) -> String {
    let kind = data.get("type").and_then(Value::as_str).unwrap_or("?");
    let mut line = format!("#{offset}  {kind}");
    let fields = data.as_object().into_iter().flatten();
    for (name, value) in fields.filter(|(name, _)| !matches!(name.as_str(), "type" | "at")) {
        match value {
            Value::Null | Value::Array(_) | Value::Object(_) => {}
            Value::String(text) => line.push_str(&format!("  {name}={text}")),
            Value::Bool(_) | Value::Number(_) => line.push_str(&format!("  {name}={value}")),
        }
    }
    plain(&line)
}
