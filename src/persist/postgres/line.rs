//! The connection of one writer: how it is made, what it waits for at the longest, and what a fault of it means.
//!
//! Promise: no wait is without a deadline, on either side; and a fault says whether what was asked may have been done.

use super::batch::{Answer, Round, shard, uint};
use crate::faults::{self, Point};
use crate::persist::health::Trouble;
use crate::persist::job::Acked;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{ConnectOptions, Row};
use std::time::Duration;

/// Longest wait for a lock: below a request's deadline, so that who waits behind a migration hears why.
const LOCK: &str = "2s";
/// Longest statement: likewise.
pub(super) const STATEMENT: &str = "4s";
/// Longest wait for an answer: the database has given up by then, or is not there.
const ANSWER: Duration = Duration::from_secs(5);
/// Longest wait for a new connection.
const CONNECT: Duration = Duration::from_secs(3);

/// What may keep the database from doing what was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// A row that stands already; nothing was done.
    Unique(String),
    /// It says no; nothing was done.
    Refused(Trouble),
    /// No answer: it may have been done, or may yet be.
    Unknown(Trouble),
}

/// The connection; made anew when it has lost its trust.
#[derive(Debug)]
pub(super) struct Line {
    options: PgConnectOptions,
    conn: Option<PgConnection>,
}

/// What every connection of ours sets for itself. Nothing of ours ever stands idle in a transaction.
pub(super) fn settings(options: PgConnectOptions, statement: &'static str) -> PgConnectOptions {
    options.application_name("waystone").disable_statement_logging().options([
        ("statement_timeout", statement),
        ("lock_timeout", LOCK),
        ("idle_in_transaction_session_timeout", "1s"),
        ("tcp_user_timeout", "5s"),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ])
}

/// Connects within the deadline.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Fault> {
    match tokio::time::timeout(CONNECT, options.connect()).await {
        Ok(Ok(conn)) => Ok(conn),
        // Nothing has been asked yet, so nothing can have been done.
        Ok(Err(err)) => Err(Fault::Refused(match trouble(&err) {
            Trouble::Other => Trouble::Unreachable,
            known => known,
        })),
        Err(_) => Err(Fault::Refused(Trouble::Unreachable)),
    }
}

/// What keeps Postgres from doing as asked, by its SQLSTATE.
pub(super) fn trouble(err: &sqlx::Error) -> Trouble {
    let code = err.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        Some("53100") => Trouble::Full,
        Some("53300") => Trouble::Crowded,
        Some("25006") => Trouble::ReadOnly,
        Some("55P03" | "57014" | "40001" | "40P01") => Trouble::Busy,
        Some("58030" | "58P01") => Trouble::Disk,
        Some(code) if code.starts_with("XX") => Trouble::Damaged,
        Some(code) if code.starts_with("57P") || code.starts_with("08") => Trouble::Unreachable,
        Some(_) => Trouble::Other,
        None => Trouble::Unreachable,
    }
}

impl From<sqlx::Error> for Fault {
    fn from(err: sqlx::Error) -> Self {
        let trouble = trouble(&err);
        match err.as_database_error() {
            Some(fault) if fault.is_unique_violation() => Self::Unique(fault.constraint().unwrap_or("").to_owned()),
            // A server that is ending says so at any time, also when the commit is done.
            Some(_) if trouble != Trouble::Unreachable => Self::Refused(trouble),
            _ => Self::Unknown(trouble),
        }
    }
}

impl Line {
    pub(super) fn new(options: PgConnectOptions, conn: PgConnection) -> Self {
        Self { options, conn: Some(conn) }
    }

    /// Runs one statement on the connection, or on a new one if there is none.
    pub(super) async fn run<T>(
        &mut self,
        ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Fault> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => connect(&self.options).await?,
        };
        match tokio::time::timeout(ANSWER, ask(&mut conn)).await {
            Ok(Ok(done)) => {
                self.conn = Some(conn);
                Ok(done)
            }
            Ok(Err(err)) => {
                let fault = Fault::from(err);
                // After a plain refusal the connection is as good as before; else only a new one is to be trusted.
                if !matches!(fault, Fault::Unknown(_)) {
                    self.conn = Some(conn);
                }
                Err(fault)
            }
            Err(_) => Err(Fault::Unknown(Trouble::Unreachable)),
        }
    }

    /// Tries a round.
    pub(super) async fn append(&mut self, round: &Round<'_>, acked: &Acked) -> Result<Answer, Fault> {
        let query = round.bind(acked);
        let rows = self.run(async |conn| faults::reach_amid(Point::InBatch, query.fetch_all(conn)).await).await?;
        rows.iter().try_fold(Answer::default(), answer).map_err(Fault::from)
    }

    pub(super) async fn close(mut self) {
        use sqlx::Connection as _;
        if let Some(conn) = self.conn.take() {
            // It is over in any case.
            let _ = tokio::time::timeout(ANSWER, conn.close()).await;
        }
    }
}

/// A row of the append's answer.
fn answer(mut answer: Answer, row: &PgRow) -> Result<Answer, sqlx::Error> {
    let gap: Option<String> = row.try_get(2)?;
    match (gap, shard(row.try_get(0)?)) {
        (Some(id), _) => drop(answer.gaps.insert((row.try_get(1)?, id), uint(row.try_get(3)?))),
        (None, Some(shard)) => drop(answer.live.insert(shard)),
        (None, None) => {}
    }
    Ok(answer)
}
