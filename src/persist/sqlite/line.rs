//! The writer's connection, and the one place where a transaction begins and ends.
//!
//! Promise: nobody learns of a commit that failed before it has been read back whether it was done.

use super::batch::{self, Fence};
use super::{sql, trouble};
use crate::cluster::shard::Shard;
use crate::persist::health::Trouble;
use crate::persist::job::{Held, Job};
use crate::persist::writer::{Outcome, Shared};
use crate::persist::{Claim, PublishedSource};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the outcome of a commit is asked for while the store does not answer.
const RESOLVE: Duration = Duration::from_millis(250);

/// The only connection that writes; made anew when it has lost its trust.
#[derive(Debug)]
pub(super) struct Line {
    options: SqliteConnectOptions,
    conn: Option<SqliteConnection>,
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
    Failed(sqlx::Error),
    /// The journal was closed before the store could say.
    Unknown,
}

impl From<sqlx::Error> for Undone {
    fn from(err: sqlx::Error) -> Self {
        Self::Failed(err)
    }
}

impl Line {
    pub(super) fn new(options: SqliteConnectOptions, conn: SqliteConnection, shared: Arc<Shared>) -> Self {
        Self { options, conn: Some(conn), shared }
    }

    /// Begins a transaction, on a new connection if there is none.
    pub(super) async fn begin(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        if let Err(err) = self.begin_now().await {
            self.note(&err);
            // A lock passes; after anything else only a new connection is to be trusted.
            if trouble(&err) != Trouble::Busy {
                self.disconnect().await;
            }
            return Err(err);
        }
        Ok(self.open())
    }

    async fn begin_now(&mut self) -> Result<(), sqlx::Error> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(self.options.connect().await?),
        };
        sqlx::query(sql::BEGIN).execute(conn).await.map(|_| ())
    }

    /// The connection within a transaction.
    pub(super) fn open(&mut self) -> &mut SqliteConnection {
        self.conn.as_mut().expect("a transaction has begun on it")
    }

    /// Ends a transaction whose statement failed; nothing of it is written.
    pub(super) async fn give_up(&mut self, err: sqlx::Error) -> Undone {
        if !batch::unique(&err) {
            self.note(&err);
        }
        self.rollback().await;
        Undone::Failed(err)
    }

    /// Ends a transaction that is not wanted.
    pub(super) async fn rollback(&mut self) {
        let Some(conn) = self.conn.as_mut() else { return };
        let undone = sqlx::query(sql::ROLLBACK).execute(conn).await;
        // After some faults SQLite has rolled back by itself; any other refusal costs the connection its trust.
        if undone.is_err_and(|err| !err.to_string().contains("no transaction is active")) {
            self.disconnect().await;
        }
    }

    async fn disconnect(&mut self) {
        if let Some(conn) = self.conn.take() {
            let _ = conn.close().await;
        }
    }

    /// Empties the log and closes.
    pub(super) async fn close(mut self) {
        if let Some(conn) = &mut self.conn
            && sqlx::query(sql::CHECKPOINT).fetch_one(conn).await.is_err()
        {
            tracing::warn!("the log was not moved into the database at the close");
        }
        self.disconnect().await;
    }

    /// Commits, or finds out for certain that nothing was committed, however long the store takes to say so.
    pub(super) async fn commit(&mut self, proof: Proof<'_>) -> Result<(), Undone> {
        let Err(err) = self.commit_now().await else {
            self.shared.health.set(None);
            return Ok(());
        };
        self.note(&err);
        // The connection goes first: SQLite then rolls back what is not committed.
        self.rollback().await;
        self.disconnect().await;
        let full = trouble(&err) == Trouble::Full;
        loop {
            match self.resolve(&proof, full).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Undone::Failed(err)),
                Err(again) => self.note(&again),
            }
            if self.shared.closing.load(Ordering::Acquire) {
                tracing::error!("outcome of a commit is not known");
                return Err(Undone::Unknown);
            }
            tokio::time::sleep(RESOLVE).await;
        }
    }

    /// Reads back what became of a commit that failed. After a fault of the disk the log is first moved into the
    /// database: then what can be seen is durable, and what cannot be seen is gone and will not come back at the
    /// next start. A full disk needs no such step: the commit's mark is what did not fit.
    async fn resolve(&mut self, proof: &Proof<'_>, full: bool) -> Result<bool, sqlx::Error> {
        let mut conn = self.options.connect().await?;
        if !full {
            let busy: i64 = sqlx::query(sql::CHECKPOINT).fetch_one(&mut conn).await?.try_get(0)?;
            if busy != 0 {
                return Err(sqlx::Error::Protocol("the log is in use".to_owned()));
            }
        }
        let done = match proof {
            Proof::Batch(jobs, outcome, held) => batch::landed(&mut conn, jobs, outcome, held).await?,
            Proof::Quest(source) => published(&mut conn, source).await?.is_some(),
            Proof::Claims(claims) => match claims.first() {
                Some(claim) => {
                    let fence = Fence {
                        shard: claim.shard,
                        held: Held { epoch: claim.epoch, head: claim.head },
                        n: 0,
                        acked: 0,
                    };
                    batch::fence(&mut conn, &[fence]).await?.contains(&claim.shard)
                }
                None => true,
            },
        };
        self.conn = Some(conn);
        Ok(done)
    }

    /// Commits what nobody is waiting for.
    pub(super) async fn commit_now(&mut self) -> Result<(), sqlx::Error> {
        #[cfg(test)]
        match self.shared.sabotage.swap(0, Ordering::AcqRel) {
            0 => {}
            how => {
                let sql = if how == 1 { sql::ROLLBACK } else { sql::COMMIT };
                sqlx::query(sql).execute(self.open()).await?;
                return Err(sqlx::Error::Protocol("sabotaged".to_owned()));
            }
        }
        sqlx::query(sql::COMMIT).execute(self.open()).await.map(|_| ())
    }

    /// Whether writes work again.
    pub(super) async fn probe(&mut self) {
        let Ok(conn) = self.begin().await else { return };
        let written = match sqlx::query(sql::PROBE).execute(conn).await {
            Ok(_) => self.commit_now().await,
            Err(err) => Err(err),
        };
        match written {
            Ok(()) => self.shared.health.set(None),
            Err(err) => {
                let _ = self.give_up(err).await;
            }
        }
    }

    /// For tests.
    #[cfg(test)]
    pub(super) async fn sql(&mut self, sql: &'static str) -> Result<(), String> {
        let conn = self.conn.as_mut().ok_or("no connection")?;
        sqlx::raw_sql(sql).execute(conn).await.map(|_| ()).map_err(|err| err.to_string())
    }

    fn note(&self, err: &sqlx::Error) {
        self.shared.health.set(Some(trouble(err)));
    }
}

/// The text of a version of a quest, if it is published.
pub(super) async fn published(
    conn: &mut SqliteConnection,
    source: &PublishedSource,
) -> Result<Option<String>, sqlx::Error> {
    let query = sqlx::query_scalar(sql::QUEST_SOURCE).bind(source.quest.as_str()).bind(source.version);
    query.fetch_optional(conn).await
}
