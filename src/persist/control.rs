//! What is kept beside the journal for those who run a server: revoked tokens, and the audit log of operators.
//!
//! It is not of the journal, since it is no part of the game: it is never replayed, belongs to no shard, and ends by
//! age. Promise: durable before `Ok`; each call has a deadline; nothing here is ever waited for by a player's command.

use super::ReadError;
use crate::ids::{PlayerId, TokenId};
use crate::units::Timestamp;
use futures_util::future::BoxFuture;
use serde::Serialize;
use std::fmt::Debug;
use std::time::Duration;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Revoked {
    /// All tokens of a player that were signed at this moment or before, and those that do not say when.
    Player {
        /// Whose.
        player: PlayerId,
        /// The moment.
        until: Timestamp,
    },
    /// One token.
    Token {
        /// Its `jti`.
        token: TokenId,
    },
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// Its own name.
    pub id: String,
    /// When it was made.
    pub at: Timestamp,
    /// When it may be forgotten: no token that it is about is good any more.
    pub ends: Timestamp,
    /// Who made it.
    pub by: String,
    /// What is revoked.
    #[serde(flatten)]
    pub what: Revoked,
}

/// All revocations, and how often they have changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revocations {
    /// Grows with each change.
    pub version: i64,
    /// Those that have not ended, in no order.
    pub all: Vec<Revocation>,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditLine {
    /// Its place: later lines have greater ones.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// On which node.
    pub node: String,
    /// Who; `-` where nobody knows.
    pub who: String,
    /// By which role.
    pub role: String,
    /// What was asked.
    pub action: String,
    /// On whom or what; ids only.
    pub target: String,
    /// What became of it; `asked` if nobody came back to say.
    pub outcome: String,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// As many as may be kept.
    #[error("as many revocations as can be kept: lift some, or change the key that signs tokens")]
    Full,
    /// The store does not take it now.
    #[error("the store cannot be written now: {0}")]
    Unavailable(String),
}

/// Keeps revocations and the audit log.
pub trait Control: Send + Sync + Debug + 'static {
    /// All revocations that have not ended at `now`, unless their version is `known`: then `None`.
    fn revocations(
        &self,
        known: Option<i64>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Revocations>, ReadError>>;

    /// Keeps a revocation, if fewer than `max` are kept at its time; those that have ended are forgotten.
    fn revoke(&self, revocation: Revocation, max: u32) -> BoxFuture<'_, Result<(), ControlError>>;

    /// Takes a revocation back. `false`: there is none of that name.
    fn lift(&self, id: String) -> BoxFuture<'_, Result<bool, ControlError>>;

    /// Writes a line of the audit log.
    fn record(&self, line: AuditLine) -> BoxFuture<'_, Result<(), ControlError>>;

    /// Says what became of a line that was written with the outcome `asked`.
    fn conclude(&self, id: String, outcome: String) -> BoxFuture<'_, Result<(), ControlError>>;

    /// Lines before one, or the last ones: from the newest to older ones, `limit` at most.
    fn audit(&self, before: Option<String>, limit: u32) -> BoxFuture<'_, Result<Vec<AuditLine>, ReadError>>;

    /// Forgets lines from before a moment, and all but the newest `keep`.
    fn trim(&self, before: Timestamp, keep: u32) -> BoxFuture<'_, Result<(), ControlError>>;
}

/// Longest wait for a database's connection, and then for an answer.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// A change that has an answer by the deadline.
pub(super) async fn written<T>(write: impl Future<Output = Result<T, ControlError>>) -> Result<T, ControlError> {
    let late = |_| Err(ControlError::Unavailable("no answer in time".to_owned()));
    tokio::time::timeout(DEADLINE, write).await.unwrap_or_else(late)
}

/// The same of reading.
pub(super) async fn in_time<T>(read: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    let late = |_| Err(ReadError::Unavailable("no answer in time".to_owned()));
    tokio::time::timeout(DEADLINE, read).await.unwrap_or_else(late)
}

/// The outcome of a deed that is being done.
pub const ASKED: &str = "asked";

/// A revocation's row: id, at, ends, who; player and until, or token.
pub(super) type RevocationRow = (String, i64, i64, String, Option<String>, Option<i64>, Option<String>);
/// A line's row, in the order of [`AuditLine`].
pub(super) type AuditRow = (String, i64, String, String, String, String, String, String);

impl Revocation {
    /// As a row: player, until, token.
    pub(super) fn columns(&self) -> (Option<&str>, Option<i64>, Option<&str>) {
        match &self.what {
            Revoked::Player { player, until } => (Some(player.as_str()), Some(until.as_millis()), None),
            Revoked::Token { token } => (None, None, Some(token.as_str())),
        }
    }
}

/// The revocation of a row. One that cannot be read is a fault: passing it over would let a token in.
pub(super) fn revocation((id, at, ends, by, player, until, token): RevocationRow) -> Result<Revocation, ReadError> {
    let what = match (&player, until, &token) {
        (Some(player), Some(until), None) => {
            PlayerId::new(player).ok().map(|player| Revoked::Player { player, until: Timestamp::from_millis(until) })
        }
        (None, None, Some(token)) => TokenId::new(token).map(|token| Revoked::Token { token }),
        _ => None,
    };
    let fault = || {
        let reason = "it names neither a player nor a token".to_owned();
        ReadError::Corrupt { entity: "revocation".to_owned(), seq: 0, offset: 0, reason }
    };
    let (at, ends) = (Timestamp::from_millis(at), Timestamp::from_millis(ends));
    Ok(Revocation { what: what.ok_or_else(fault)?, id, at, ends, by })
}

/// The line of a row.
pub(super) fn audit_line((id, at, node, who, role, action, target, outcome): AuditRow) -> AuditLine {
    AuditLine { id, at: Timestamp::from_millis(at), node, who, role, action, target, outcome }
}
