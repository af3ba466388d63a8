//! Who is shut out, and what operators did: revoked tokens as this node knows them, and the audit log.
//!
//! Each node of a cluster asks the store once a second whether revocations have changed, and closes the sessions that
//! they are about; the node that took the wish knows at once. A deed of an operator is written down before it is done,
//! and again with its outcome: what cannot be written down is not done.
//! Promise: a token that is revoked opens nothing after two seconds, on any node that reaches the store; one that does
//! not reach it goes by what it read last. Bounded by [`REVOCATIONS_MAX`], [`AUDIT_AGE`] and [`AUDIT_MAX`]. The log
//! has ids, never positions, tokens or what people said.

use crate::actors::contract::CloseReason;
use crate::actors::mailbox::SessionMessage;
use crate::actors::node::Node;
use crate::clock::Clock;
use crate::ids::{PlayerId, TokenId};
use crate::persist::{ASKED, Control, ControlError, ReadError};
use crate::quest::refusal::Refusal;
use crate::units::Timestamp;
use arc_swap::ArcSwap;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Mutex;

pub use crate::persist::{AuditLine, Revocation, Revoked};

/// Longest life of a token that is taken; for as long its revocation is remembered.
pub const TOKEN_LIFE_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Revocations kept, 2 MB on each node: whoever needs more should change the key that signs.
pub const REVOCATIONS_MAX: u32 = 10_000;
/// How long lines of the audit log are kept: a season, and the time to ask about it.
pub const AUDIT_AGE: Duration = Duration::from_secs(400 * 86_400);
/// And how many: some 20 MB.
pub const AUDIT_MAX: u32 = 100_000;
/// How often a member of a cluster looks for revocations of others: half of what is promised.
const LOOK: Duration = Duration::from_secs(1);
/// After so many lines the log is looked over for what is too old.
const TRIM_EVERY: u64 = 256;

/// What a token says of itself, for when it is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credential {
    /// When it was signed.
    pub issued: Option<Timestamp>,
    /// Its own name.
    pub token: Option<TokenId>,
}

/// What an operator is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Who; `-` where nobody knows.
    pub who: String,
    /// By which role.
    pub role: &'static str,
    /// What.
    pub action: &'static str,
    /// On whom or what; ids only.
    pub target: String,
}

/// Revocations and the audit log of a node.
#[derive(Debug)]
pub struct Access {
    control: Arc<dyn Control>,
    clock: Clock,
    node: OnceLock<String>,
    known: ArcSwap<Known>,
    /// One reads at a time, or an older answer could come last.
    reading: Mutex<()>,
    recorded: AtomicU64,
}

/// The revocations as they were read last.
#[derive(Debug, Default)]
struct Known {
    version: Option<i64>,
    all: Vec<Revocation>,
    /// Tokens of these players that were signed at this moment or before.
    players: HashMap<PlayerId, Timestamp>,
    tokens: HashSet<TokenId>,
}

impl Access {
    /// Over a store.
    pub fn new(control: Arc<dyn Control>, clock: Clock) -> Self {
        let (node, known, reading, recorded) = Default::default();
        Self { control, clock, node, known, reading, recorded }
    }

    /// From now on the node bears this name in the log.
    pub fn call(&self, node: &str) {
        self.node.get_or_init(|| node.to_owned());
    }

    /// Whether a player's token is revoked.
    pub fn revokes(&self, player: &PlayerId, credential: &Credential) -> bool {
        let known = self.known.load();
        if known.players.is_empty() && known.tokens.is_empty() {
            return false;
        }
        // One that does not say when it was signed may have been signed before.
        let signed_before = |until: &Timestamp| credential.issued.is_none_or(|issued| issued <= *until);
        known.players.get(player).is_some_and(signed_before)
            || credential.token.as_ref().is_some_and(|token| known.tokens.contains(token))
    }

    /// Reads the revocations, if they have changed. True when they had.
    pub async fn read(&self) -> Result<bool, ReadError> {
        let _one = self.reading.lock().await;
        let version = self.known.load().version;
        let Some(found) = self.control.revocations(version, self.clock.now()).await? else { return Ok(false) };
        let mut known = Known { version: Some(found.version), ..Known::default() };
        for revocation in &found.all {
            match &revocation.what {
                Revoked::Player { player, until } => {
                    let latest = known.players.entry(player.clone()).or_insert(*until);
                    *latest = (*latest).max(*until);
                }
                Revoked::Token { token } => {
                    known.tokens.insert(token.clone());
                }
            }
        }
        known.all = found.all;
        known.all.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        self.known.store(Arc::new(known));
        Ok(true)
    }

    /// All revocations, the newest first.
    pub fn revocations(&self) -> Vec<Revocation> {
        let now = self.clock.now();
        self.known.load().all.iter().filter(|revocation| revocation.ends > now).cloned().collect()
    }

    /// Lines of the audit log before one, or the last ones, from the newest on.
    pub async fn audit(&self, before: Option<String>, limit: u32) -> Result<Vec<AuditLine>, Refusal> {
        self.control.audit(before, limit).await.map_err(|err| unreadable(&err))
    }

    /// Writes down what is about to be done; without this it must not be done. Gives the line's name.
    pub async fn begin(&self, deed: Deed) -> Result<String, Refusal> {
        self.note(deed, ASKED).await
    }

    /// Writes down what has been done already, or was refused.
    pub async fn note(&self, deed: Deed, outcome: &str) -> Result<String, Refusal> {
        let at = self.clock.now();
        let Deed { who, role, action, target } = deed;
        // By time, and for one millisecond by chance.
        let id = format!("{:013x}{:016x}", at.as_millis().max(0), rand::random::<u64>());
        let (role, action, outcome) = (role.to_owned(), action.to_owned(), outcome.to_owned());
        let node = self.node.get().cloned().unwrap_or_default();
        let line = AuditLine { id: id.clone(), at, node, who, role, action, target, outcome };
        self.control.record(line).await.map_err(unwritable)?;
        if self.recorded.fetch_add(1, Ordering::Relaxed).is_multiple_of(TRIM_EVERY) {
            let trimmed = self.control.trim(at - AUDIT_AGE, AUDIT_MAX).await;
            if let Err(err) = trimmed {
                tracing::warn!(%err, "old lines of the audit log stay for now");
            }
        }
        Ok(id)
    }

    /// Writes down what became of it.
    pub async fn end(&self, id: String, outcome: &str) {
        if let Err(err) = self.control.conclude(id, outcome.to_owned()).await {
            // Its beginning stands in the log, and stays without an end.
            tracing::error!(%err, "the outcome of an operator's deed could not be written down");
        }
    }
}

impl Node {
    /// Revokes; from now on here, and within two seconds everywhere.
    pub async fn revoke(&self, what: Revoked, by: &str) -> Result<Revocation, Refusal> {
        let at = self.clock.now();
        let from = match &what {
            Revoked::Player { until, .. } => at.max(*until),
            Revoked::Token { .. } => at,
        };
        // A day more than any token lives covers clocks that differ.
        let ends = from + TOKEN_LIFE_MAX + Duration::from_secs(86_400);
        let id = format!("{:016x}", rand::random::<u64>());
        let revocation = Revocation { id, at, ends, by: by.to_owned(), what };
        self.access.control.revoke(revocation.clone(), REVOCATIONS_MAX).await.map_err(|err| match err {
            ControlError::Full => Refusal::limit_exceeded(&err.to_string()),
            ControlError::Unavailable(_) => unwritable(err),
        })?;
        self.look_for_revocations().await.map_err(|err| unreadable(&err))?;
        Ok(revocation)
    }

    /// Takes a revocation back; `false`: there is none of that name.
    pub async fn lift(&self, id: &str) -> Result<bool, Refusal> {
        let lifted = self.access.control.lift(id.to_owned()).await.map_err(unwritable)?;
        self.look_for_revocations().await.map_err(|err| unreadable(&err))?;
        Ok(lifted)
    }

    /// Reads the revocations, and closes the sessions that they are about.
    pub async fn look_for_revocations(&self) -> Result<(), ReadError> {
        if self.access.read().await? {
            for session in self.sessions.of(|player, credential| self.access.revokes(player, credential)) {
                // One that has just ended needs no telling.
                session.cast(SessionMessage::Close(CloseReason::Revoked)).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Looks for revocations of other nodes, until the node ends.
    pub(super) async fn keep_looking(self: Arc<Self>) {
        let look = async {
            let mut good = true;
            loop {
                tokio::time::sleep(LOOK).await;
                let looked = self.look_for_revocations().await;
                if let (Err(err), true) = (&looked, good) {
                    tracing::warn!(%err, "revocations cannot be read now; those that are known stand");
                }
                good = looked.is_ok();
            }
        };
        self.stop.run_until_cancelled(look).await;
    }
}

fn unwritable(err: ControlError) -> Refusal {
    Refusal::unavailable(&format!("it could not be written down, so it was not done: {err}"))
}

fn unreadable(err: &ReadError) -> Refusal {
    Refusal::unavailable(&format!("this cannot be read now: {err}"))
}

#[cfg(test)]
mod tests;
