//! The writer's connection, and the one place where a transaction begins and ends.
//!
//! Promise: nobody learns of a commit that failed before it has been read back whether it was done.

use super::batch::{self, Fence};
use super::{schema, sql, trouble};
use crate::cluster::shard::Shard;
use crate::persist::health::Trouble;
use crate::persist::job::{Held, Job};
use crate::persist::writer::{Outcome, Shared};
use crate::persist::{Claim, PublishedSource};
use rusqlite::{Connection, Error, OptionalExtension as _, ffi, params};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the outcome of a commit is asked for while the store does not answer.
const RESOLVE: Duration = Duration::from_millis(250);

/// The only connection that writes; made anew when it has lost its trust.
#[derive(Debug)]
pub(super) struct Line {
    dir: PathBuf,
    conn: Option<Connection>,
    shared: Arc<Shared>,
}

/// What would show that a transaction whose commit failed was done all the same.
pub(super) enum Proof<'p> {
    Batch(&'p [Job], &'p Outcome, &'p HashMap<Shard, Held>),
    Claims(&'p [Claim]),
    Quest(&'p PublishedSource),
}

/// A transaction that is not, or may not be, done.
pub(super) enum Undone {
    /// It is not.
    Failed(Error),
    /// The journal was closed before the store could say.
    Unknown,
}

impl From<Error> for Undone {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

impl Line {
    pub(super) fn new(dir: PathBuf, conn: Connection, shared: Arc<Shared>) -> Self {
        Self { dir, conn: Some(conn), shared }
    }

    /// Begins a transaction, on a new connection if there is none.
    pub(super) fn begin(&mut self) -> Result<&Connection, Error> {
        if let Err(err) = self.begin_now() {
            self.note(&err);
            // A lock passes; after anything else only a new connection is to be trusted.
            if trouble(&err) != Trouble::Busy {
                self.disconnect();
            }
            return Err(err);
        }
        Ok(self.open())
    }

    fn begin_now(&mut self) -> Result<(), Error> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(schema::connect(&self.dir)?),
        };
        conn.prepare_cached(sql::BEGIN)?.execute([]).map(|_| ())
    }

    /// The connection within a transaction.
    pub(super) fn open(&self) -> &Connection {
        self.conn.as_ref().expect("a transaction has begun on it")
    }

    /// Ends a transaction whose statement failed; nothing of it is written.
    pub(super) fn give_up(&mut self, err: Error) -> Undone {
        if !batch::unique(&err) {
            self.note(&err);
        }
        self.rollback();
        Undone::Failed(err)
    }

    /// Ends a transaction that is not wanted.
    pub(super) fn rollback(&mut self) {
        let Some(conn) = &self.conn else { return };
        let undone = conn.execute_batch(sql::ROLLBACK);
        // After some faults SQLite has rolled back by itself; any other refusal costs the connection its trust.
        if undone.is_err_and(|err| !err.to_string().contains("no transaction is active")) {
            self.disconnect();
        }
    }

    fn disconnect(&mut self) {
        // Closing rolls back what is not committed; if it fails there is nobody to tell.
        let _ = self.conn.take().map(Connection::close);
    }

    /// Empties the log and closes.
    pub(super) fn close(mut self) {
        if let Some(conn) = &self.conn
            && checkpoint(conn).is_err()
        {
            tracing::warn!("the log was not moved into the database at the close");
        }
        self.disconnect();
    }

    /// Commits, or finds out for certain that nothing was committed, however long the store takes to say so.
    pub(super) fn commit(&mut self, proof: Proof<'_>) -> Result<(), Undone> {
        let Err(err) = self.commit_now() else {
            self.shared.health.set(None);
            return Ok(());
        };
        self.note(&err);
        // The connection goes first: SQLite then rolls back what is not committed.
        self.rollback();
        self.disconnect();
        let full = trouble(&err) == Trouble::Full;
        loop {
            match self.resolve(&proof, full) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Undone::Failed(err)),
                Err(again) => self.note(&again),
            }
            if self.shared.closing.load(Ordering::Acquire) {
                tracing::error!("outcome of a commit is not known");
                return Err(Undone::Unknown);
            }
            #[expect(clippy::disallowed_methods, reason = "the writer has a thread of its own")]
            std::thread::sleep(RESOLVE);
        }
    }

    /// Reads back what became of a commit that failed. After a fault of the disk the log is first moved into the
    /// database: then what can be seen is durable, and what cannot be seen is gone and will not come back at the
    /// next start. A full disk needs no such step: the commit's mark is what did not fit.
    fn resolve(&mut self, proof: &Proof<'_>, full: bool) -> Result<bool, Error> {
        let conn = schema::connect(&self.dir)?;
        if !full {
            checkpoint(&conn)?;
        }
        let done = match proof {
            Proof::Batch(jobs, outcome, held) => batch::landed(&conn, jobs, outcome, held)?,
            Proof::Quest(source) => published(&conn, source)?.is_some(),
            Proof::Claims(claims) => match claims.first() {
                Some(claim) => {
                    let fence = Fence {
                        shard: claim.shard,
                        held: Held { epoch: claim.epoch, head: claim.head },
                        n: 0,
                        acked: 0,
                    };
                    batch::fence(&conn, &[fence])?.contains(&claim.shard)
                }
                None => true,
            },
        };
        self.conn = Some(conn);
        Ok(done)
    }

    /// Commits what nobody is waiting for.
    pub(super) fn commit_now(&mut self) -> Result<(), Error> {
        #[cfg(test)]
        match self.shared.sabotage.swap(0, Ordering::AcqRel) {
            0 => {}
            how => {
                let sql = if how == 1 { sql::ROLLBACK } else { sql::COMMIT };
                self.open().execute_batch(sql)?;
                return Err(Error::InvalidQuery);
            }
        }
        self.open().prepare_cached(sql::COMMIT)?.execute([]).map(|_| ())
    }

    /// Whether writes work again.
    pub(super) fn probe(&mut self) {
        let Ok(conn) = self.begin() else { return };
        let written = match conn.execute(sql::PROBE, []) {
            Ok(_) => self.commit_now(),
            Err(err) => Err(err),
        };
        match written {
            Ok(()) => self.shared.health.set(None),
            Err(err) => {
                let _ = self.give_up(err);
            }
        }
    }

    /// For tests.
    #[cfg(test)]
    pub(super) fn sql(&mut self, sql: &'static str) -> Result<(), String> {
        let conn = self.conn.as_ref().ok_or("no connection")?;
        conn.execute_batch(sql).map_err(|err| err.to_string())
    }

    fn note(&self, err: &Error) {
        self.shared.health.set(Some(trouble(err)));
    }
}

/// Moves the log into the database.
fn checkpoint(conn: &Connection) -> Result<(), Error> {
    let busy: i64 = conn.query_row(sql::CHECKPOINT, [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)) }
}

/// The text of a version of a quest, if it is published.
pub(super) fn published(conn: &Connection, source: &PublishedSource) -> Result<Option<String>, Error> {
    let row = params![source.quest.as_str(), source.version];
    conn.query_row(sql::QUEST_SOURCE, row, |row| row.get(0)).optional()
}
