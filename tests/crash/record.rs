//! What a witness was told and promised: the evidence against the server.

use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use waystone::ids::PlayerId;
use waystone::net::client::Resume;

/// Limited rewards of the sprint; each ends in a code or in word that there is none left.
const POOLS: usize = 3;

/// A command and the answer that the server gave to it.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    /// The method.
    pub method: String,
    /// Its data, with the command's id.
    pub data: Value,
    /// The answer.
    pub reply: Value,
}

/// What a witness has to say up to a moment.
#[derive(Debug)]
pub(crate) struct Testimony {
    /// Who.
    pub player: PlayerId,
    /// Notices with their offsets.
    pub told: Vec<(u64, Value)>,
    /// What must not have happened.
    pub faults: Vec<String>,
}

/// The evidence of one witness.
#[derive(Debug)]
pub(crate) struct Record {
    /// Whose.
    pub player: PlayerId,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    told: Vec<(u64, Value)>,
    acknowledged: Vec<Acknowledged>,
    faults: Vec<String>,
    resume: Option<Resume>,
    connects: usize,
    downs: Vec<String>,
}

impl Record {
    /// Nothing yet.
    pub(crate) fn new(player: PlayerId) -> Self {
        Self { player, held: Mutex::default() }
    }

    /// A notice was told. Offsets must be dense: the check is made as it comes, so that a fault has its moment.
    pub(crate) fn tell(&self, offset: u64, data: Value) {
        let mut held = self.held();
        let next = held.told.last().map_or(1, |(last, _)| last + 1);
        if offset != next {
            held.faults.push(format!("offset {next} was to come, {offset} came: {data}"));
        }
        held.told.push((offset, data));
    }

    /// The witness is connected.
    pub(crate) fn connected(&self, continued: bool) {
        let mut held = self.held();
        held.connects += 1;
        if !continued && !held.told.is_empty() {
            let last = held.told.last().map_or(0, |(offset, _)| *offset);
            held.faults.push(format!("the stream was to continue after offset {last}, and the server lost it"));
        }
    }

    /// The connection is gone, for a reason.
    pub(crate) fn disconnected(&self, reason: String) {
        self.held().downs.push(reason);
    }

    /// Why connections went.
    pub(crate) fn downs(&self) -> Vec<String> {
        self.held().downs.clone()
    }

    /// Something that must not happen.
    pub(crate) fn fault(&self, what: String) {
        self.held().faults.push(what);
    }

    /// A command was answered.
    pub(crate) fn acknowledge(&self, acknowledged: Acknowledged) {
        self.held().acknowledged.push(acknowledged);
    }

    /// The witness goes home; `epoch` is its stream's.
    pub(crate) fn rest(&self, epoch: String) {
        let mut held = self.held();
        let offset = held.told.last().map_or(0, |(offset, _)| *offset);
        held.resume = Some(Resume { epoch, offset });
    }

    /// Where the stream stood then.
    pub(crate) fn resume(&self) -> Option<Resume> {
        self.held().resume.clone()
    }

    /// All that was told.
    pub(crate) fn told(&self) -> Vec<(u64, Value)> {
        self.held().told.clone()
    }

    /// All that was acknowledged.
    pub(crate) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.held().acknowledged.clone()
    }

    /// What there is to say now.
    pub(crate) fn testimony(&self) -> Testimony {
        let held = self.held();
        Testimony { player: self.player.clone(), told: held.told.clone(), faults: held.faults.clone() }
    }

    /// How often the witness connected.
    pub(crate) fn connects(&self) -> usize {
        self.held().connects
    }

    /// Grows whenever something has come: who knows the state as of another version asks again.
    pub(crate) fn version(&self) -> usize {
        let held = self.held();
        held.told.len() + held.connects
    }

    /// Whether the quest is finished and the last reward has come.
    pub(crate) fn is_settled(&self) -> bool {
        let held = self.held();
        let count = |kinds: &[&str]| {
            held.told.iter().filter(|(_, data)| kinds.iter().any(|kind| data["type"] == *kind)).count()
        };
        count(&["quest.finished"]) > 0 && count(&["code.given", "reward.gone"]) >= POOLS
    }

    /// The awards among the notices: points, badges and codes.
    pub(crate) fn awards(&self) -> usize {
        let held = self.held();
        let is_award = |data: &Value| match data["type"].as_str() {
            Some("step.completed") => data["mine"] == true && data["points"].as_i64() > Some(0),
            Some("badge.given" | "points.given" | "code.given") => true,
            _ => false,
        };
        held.told.iter().filter(|(_, data)| is_award(data)).count()
    }

    /// The player's own points by the notices.
    pub(crate) fn points(&self) -> i64 {
        let held = self.held();
        let own = |data: &Value| match data["type"].as_str() {
            Some("step.completed") if data["mine"] == true => data["points"].as_i64(),
            Some("points.given") if data["team"] == false => data["points"].as_i64(),
            _ => None,
        };
        held.told.iter().filter_map(|(_, data)| own(data)).sum()
    }

    /// The player's badges by the notices.
    pub(crate) fn badges(&self) -> BTreeSet<String> {
        self.texts("badge.given", "badge")
    }

    /// The team's codes by the notices.
    pub(crate) fn codes(&self) -> BTreeSet<String> {
        self.texts("code.given", "code")
    }

    fn texts(&self, kind: &str, field: &str) -> BTreeSet<String> {
        let held = self.held();
        let of_kind = held.told.iter().filter(|(_, data)| data["type"] == kind);
        of_kind.filter_map(|(_, data)| data[field].as_str().map(str::to_owned)).collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
