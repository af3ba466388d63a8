//! How a trace is printed: a table for people, JSON lines for programs, and sums at the end of both.

use super::words;
use crate::cli::Output;
use crate::geo::decision::{Account, Decision, Finding, Transition};
use crate::geo::fence::{Fate, Observed};
use crate::geo::position::Fix;
use crate::units::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// One fix, for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Its number, from 1.
    fix: u64,
    #[serde(flatten)]
    account: Account,
    /// Milliseconds since 1970.
    time: Timestamp,
    decisions: &'a [Decision],
    transitions: &'a [Transition],
}

/// The sums, for programs.
#[derive(Debug, Default, Serialize)]
struct Sums {
    fixes: u64,
    /// By fate.
    fates: BTreeMap<&'static str, u64>,
    decisions: u64,
    /// By kind.
    transitions: BTreeMap<&'static str, u64>,
}

/// A trace as it is printed.
pub(super) struct Trace {
    json: bool,
    all: bool,
    start: Option<Timestamp>,
    sums: Sums,
}

impl Trace {
    pub(super) fn new(json: bool, all: bool, start: Option<Timestamp>) -> Self {
        Self { json, all, start, sums: Sums::default() }
    }

    pub(super) fn head(&self, out: &mut Output) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let head = format!("{:>8}  {:>6}  {:<20} {:<18} why", "time", "fix", "region", "what");
        out.line(out.bold(&head))
    }

    pub(super) fn fix(
        &mut self,
        fix: &Fix,
        observed: &Observed,
        decisions: &[Decision],
        out: &mut Output,
    ) -> io::Result<()> {
        let account = observed.fate.account();
        self.sums.fixes += 1;
        *self.sums.fates.entry(account.fate).or_default() += 1;
        self.sums.decisions += decisions.len() as u64;
        for transition in &observed.transitions {
            *self.sums.transitions.entry(words::kind(transition.kind)).or_default() += 1;
        }
        let number = fix.seq().unwrap_or(self.sums.fixes);
        if self.json {
            let (time, transitions) = (fix.time(), observed.transitions.as_slice());
            return out.json(&Line { fix: number, account, time, decisions, transitions });
        }
        let clock = words::clock(self.start, fix.time());
        let mut row = |region: &str, what: &str, why: &str| {
            out.line(format_args!("{clock:>8}  {number:>6}  {region:<20} {what:<18} {why}"))
        };
        if let (true, Fate::Held(reason) | Fate::Refused(reason)) = (self.all, &observed.fate) {
            row("", account.fate, reason.code())?;
        }
        for decision in decisions.iter().filter(|decision| self.all && decision.finding != Finding::Decided) {
            row(
                &words::place(&decision.region, decision.ring.as_deref()),
                words::finding(decision),
                &words::why(decision),
            )?;
        }
        for transition in &observed.transitions {
            let of = |decision: &&Decision| decision.region == transition.region && decision.ring == transition.ring;
            let decided = decisions.iter().filter(of).find(|decision| decision.finding == Finding::Decided);
            let why = decided.map_or_else(|| words::evidence(&transition.why), words::why);
            row(&words::place(&transition.region, transition.ring.as_deref()), words::kind(transition.kind), &why)?;
        }
        Ok(())
    }

    pub(super) fn sums(&self, out: &mut Output) -> io::Result<()> {
        if self.json {
            return out.json(&serde_json::json!({ "sums": self.sums }));
        }
        let listed = |counts: &BTreeMap<&'static str, u64>| {
            let each: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            if each.is_empty() { "none".to_owned() } else { each.join(", ") }
        };
        out.line("")?;
        out.list(&[
            ("fixes", listed(&self.sums.fates)),
            ("decisions", self.sums.decisions.to_string()),
            ("transitions", listed(&self.sums.transitions)),
        ])
    }
}
