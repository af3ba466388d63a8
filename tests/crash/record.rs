//! What a witness was told and promised: the evidence against the server, as its diary has it for `waystone verify`, and
//! as far as the witness itself goes by it.

use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use waystone::ids::PlayerId;
use waystone::net::client::{ClientError, Resume};
use waystone::verify::history::{Connected, Diary, Outcome, Position};

/// Limited rewards of the sprint; each ends in a code or in word that there is none left.
const POOLS: usize = 3;

/// A command that the server has answered.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    /// The method.
    pub method: String,
    /// Its data, with the command's id.
    pub data: Value,
}

/// The evidence of one witness.
#[derive(Debug)]
pub(crate) struct Record {
    /// Whose.
    pub player: PlayerId,
    /// What it writes down.
    pub diary: Diary,
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
    /// What the last fix was answered.
    fix: Option<String>,
}

impl Record {
    /// Nothing yet.
    pub(crate) fn new(diary: Diary) -> Self {
        Self { player: diary.player().clone(), diary, held: Mutex::default() }
    }

    /// A notice was told.
    pub(crate) fn tell(&self, offset: u64, data: Value) {
        self.diary.told(offset, &data);
        self.held().told.push((offset, data));
    }

    /// The witness is connected.
    pub(crate) fn connected(&self, continued: bool, from: Option<Resume>, at: Resume) {
        let position = |Resume { epoch, offset }| Position { epoch, offset };
        let (epoch, offset) = (at.epoch, at.offset);
        self.diary.connected(Connected { epoch, resumed: from.map(position), recovered: continued, offset });
        self.held().connects += 1;
    }

    /// The connection is gone, for a reason.
    pub(crate) fn disconnected(&self, reason: String) {
        self.diary.disconnected(&reason);
        self.held().downs.push(reason);
    }

    /// A fix has its outcome, which no history bears.
    pub(crate) fn fixed(&self, outcome: &Result<Value, ClientError>) {
        self.held().fix = Some(format!("{outcome:?}"));
    }

    /// What the last fix was answered, for people.
    pub(crate) fn last_fix(&self) -> Option<String> {
        self.held().fix.clone()
    }

    /// Why connections went.
    pub(crate) fn downs(&self) -> Vec<String> {
        self.held().downs.clone()
    }

    /// A call has its outcome.
    pub(crate) fn answered(&self, request: u64, outcome: &Result<Value, ClientError>) {
        let outcome = match outcome {
            Ok(reply) => Outcome::Done(reply.clone()),
            Err(ClientError::Rpc { code, .. }) => Outcome::Refused(*code),
            Err(_) => Outcome::Unknown,
        };
        self.diary.answered(request, outcome);
    }

    /// `state.get` has its outcome.
    pub(crate) fn looked(&self, request: u64, outcome: &Result<Value, ClientError>) {
        match outcome {
            Ok(state) => self.diary.state(request, state),
            Err(_) => self.answered(request, outcome),
        }
    }

    /// What must not have happened so far.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.held().faults.iter().map(|fault| format!("{}: {fault}", self.player)).collect()
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
        self.diary.disconnected("it goes home");
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
