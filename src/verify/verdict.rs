//! What a verification found: a few counts, and every difference with the place to look at.

use crate::verify::history::Counted;
use serde::Serialize;
use std::fmt::Write as _;

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verdict {
    /// Entities read.
    pub entities: u64,
    /// Entries read.
    pub entries: u64,
    /// Awards found.
    pub awards: u64,
    /// Messages sent that their receivers have not heard yet.
    pub pending: u64,
    /// Messages that operators have dropped.
    pub dropped: u64,
    /// How much of a history was compared, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Counted>,
    /// What cannot be true; empty when all is well.
    pub differences: Vec<Difference>,
}

/// One thing that cannot be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Whose stream shows it, as `player/ada`; or which quest.
    pub entity: String,
    /// At which entry; 0: the stream as a whole.
    pub seq: u64,
    /// Which check speaks: a stable word.
    pub check: &'static str,
    /// For people: what was found and what was expected.
    pub message: String,
    /// The line of the history that shows it, as `file:line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
}

impl Verdict {
    /// Whether all is well.
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }

    /// For people.
    pub fn render(&self) -> String {
        let Self { entities, entries, awards, pending, dropped, history, differences } = self;
        let mut text =
            format!("{entities} entities, {entries} entries, {awards} awards, {pending} messages pending\n");
        if *dropped > 0 {
            let _ = writeln!(text, "{dropped} messages dropped by operators, and whatever they would have brought");
        }
        if let Some(Counted { clients, connections, commands, told, seen }) = history {
            let _ = writeln!(
                text,
                "history: {clients} clients, {connections} connections, {commands} commands, {told} notices told, \
                 {seen} states and boards seen"
            );
        }
        for Difference { entity, seq, check, message, history } in differences {
            let place = if *seq == 0 { entity.clone() } else { format!("{entity} entry {seq}") };
            let place = history.iter().fold(place, |place, line| format!("{line}: {place}"));
            let _ = writeln!(text, "{place}: {check}: {message}");
        }
        let _ = match differences.len() {
            0 => writeln!(text, "no differences"),
            n => writeln!(text, "{n} differences"),
        };
        text
    }
}
