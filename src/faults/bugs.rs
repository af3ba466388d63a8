//! Bugs that can be planted, each at the place where someone might make it, to show that the simulation finds it.
//!
//! Promise: a bug is planted for the thread that asked, until its [`Planted`] is dropped; other tests in the same
//! process are sound. Without the feature `faults` nothing can be planted and every question is a constant `false`.

/// A bug. What each does to a game, and what finds it, stands in `docs/testing.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// An entity acknowledges without waiting for what becomes of its append.
    AcknowledgeBeforeAppend,
    /// A player's session hears of an entry before it is in the journal.
    TellBeforeAppend,
    /// The journal takes an append of whoever had a claim once.
    NoFence,
    /// An entity keeps the state of an append that failed.
    FailedStateKept,
    /// An entity takes the loss of its shard for success.
    LostIsDone,
    /// A snapshot forgets which messages were heard.
    HeardLostInSnapshot,
    /// A snapshot forgets which commands were answered.
    AnswersLostInSnapshot,
    /// A load stops before the last entry.
    LoadSkipsLast,
    /// Commands are not recognized by their ids.
    CommandIdIgnored,
    /// A resuming phone is told one notice too few.
    ResumeOffByOne,
    /// A session passes on notices that the welcome has covered.
    SessionTellsTwice,
    /// A session forgets the notices that came before its welcome.
    EarlyNoticesLost,
    /// The courier takes a letter that could not be delivered for delivered.
    CourierDropsLetter,
    /// The courier counts a letter as delivered before it is.
    CourierNotesEarly,
    /// The courier's cursor passes appends that are under way.
    CursorPassesAppends,
    /// Letters of the last run are not taken on at the start.
    UndeliveredForgotten,
    /// Alarms of the last run are not set at the start.
    WakesForgotten,
}

/// Every bug.
pub const BUGS: [Bug; 17] = [
    Bug::AcknowledgeBeforeAppend,
    Bug::TellBeforeAppend,
    Bug::NoFence,
    Bug::FailedStateKept,
    Bug::LostIsDone,
    Bug::HeardLostInSnapshot,
    Bug::AnswersLostInSnapshot,
    Bug::LoadSkipsLast,
    Bug::CommandIdIgnored,
    Bug::ResumeOffByOne,
    Bug::SessionTellsTwice,
    Bug::EarlyNoticesLost,
    Bug::CourierDropsLetter,
    Bug::CourierNotesEarly,
    Bug::CursorPassesAppends,
    Bug::UndeliveredForgotten,
    Bug::WakesForgotten,
];

/// Whether a bug is planted here.
#[inline]
pub fn planted(bug: Bug) -> bool {
    #[cfg(feature = "faults")]
    return soil::has(bug);
    #[cfg(not(feature = "faults"))]
    {
        let _ = bug;
        false
    }
}

/// A snapshot's bytes as a planted bug would have them.
pub fn spoilt(snapshot: Vec<u8>) -> Vec<u8> {
    #[cfg(feature = "faults")]
    return soil::spoilt(snapshot);
    #[cfg(not(feature = "faults"))]
    snapshot
}

/// As long as it lives, its bug is planted for this thread.
#[cfg(feature = "faults")]
#[derive(Debug)]
#[must_use = "dropping it takes the bug out"]
pub struct Planted(());

/// Plants a bug for this thread.
#[cfg(feature = "faults")]
pub fn plant(bug: Bug) -> Planted {
    soil::BUG.set(Some(bug));
    Planted(())
}

#[cfg(feature = "faults")]
impl Drop for Planted {
    fn drop(&mut self) {
        soil::BUG.set(None);
    }
}

#[cfg(feature = "faults")]
mod soil {
    use super::Bug;
    use serde_json::{Value, json};
    use std::cell::Cell;

    thread_local! {
        pub static BUG: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    pub fn has(bug: Bug) -> bool {
        BUG.get() == Some(bug)
    }

    pub fn spoilt(snapshot: Vec<u8>) -> Vec<u8> {
        let forgotten = match BUG.get() {
            Some(Bug::HeardLostInSnapshot) => "heard",
            Some(Bug::AnswersLostInSnapshot) => "answers",
            _ => return snapshot,
        };
        let Ok(mut state) = serde_json::from_slice::<Value>(&snapshot) else { return snapshot };
        state[forgotten] = json!([]);
        state.to_string().into_bytes()
    }
}
