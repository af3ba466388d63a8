//! The one writer: a task that owns the only connection which writes, and commits whatever has queued up meanwhile.
//!
//! No timer makes batches: while one commits, the next gathers. An answer is given after its commit. When a commit
//! fails, what became of it is read back before anyone is answered (see [`Writer::resolve`]).

use super::batch::{self, Acked, Fence, Held, Job, Outcome, Save};
use super::health::{Health, Trouble};
use super::sql;
use super::ticket::Ticket;
use crate::cluster::shard::Shard;
use crate::persist::{AppendError, Claim, PublishedSource, ReadError, record};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Appends in one transaction at most: beyond it the commit's share of the cost is below 1 %, and waits only grow.
const BATCH: usize = 512;
/// Snapshots that travel with a transaction at most, so that they never hold appends up for long.
const SAVES: usize = 32;
/// How often a store in trouble is tried again.
const PROBE: Duration = Duration::from_secs(1);
/// How often the outcome of a commit is asked for while the store does not answer.
const RESOLVE: Duration = Duration::from_millis(250);

/// What the journal's handle and its writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) health: Health,
    pub(super) acked: Acked,
    /// Set when the handle closes: what cannot be finished is given up.
    pub(super) closing: AtomicBool,
    /// For tests: the next commit fails, 1 without and 2 after having been done.
    #[cfg(test)]
    pub(super) sabotage: std::sync::atomic::AtomicU8,
}

/// What the writer is asked for, in order.
#[derive(Debug)]
pub(super) enum Request {
    Append(Box<Job>, Ticket<Result<u64, AppendError>>),
    Claim(Vec<Shard>, Ticket<Result<Vec<Claim>, ReadError>>),
    Publish(PublishedSource, Ticket<Result<(), AppendError>>),
    #[cfg(test)]
    Sql(&'static str, Ticket<Result<(), String>>),
    Close,
}

/// A snapshot and who waits for it.
pub(super) type Keep = (Save, Ticket<Result<(), AppendError>>);

/// The task's state.
#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    conn: Option<SqliteConnection>,
    requests: mpsc::Receiver<Request>,
    keeps: mpsc::Receiver<Keep>,
    shared: Arc<Shared>,
    held: HashMap<Shard, Held>,
    /// Kept until the last write is done: while it is open the folder is locked.
    _lock: Option<File>,
}

/// What would show that a transaction whose commit failed was done all the same.
enum Proof<'p> {
    Batch(&'p [Job], &'p Outcome),
    Claims(&'p [Claim]),
    Quest(&'p PublishedSource),
}

/// A transaction that is not, or may not be, done.
enum Undone {
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

impl Writer {
    pub(super) fn new(
        options: SqliteConnectOptions,
        conn: SqliteConnection,
        requests: mpsc::Receiver<Request>,
        keeps: mpsc::Receiver<Keep>,
        shared: Arc<Shared>,
        lock: Option<File>,
    ) -> Self {
        Self { options, conn: Some(conn), requests, keeps, shared, held: HashMap::new(), _lock: lock }
    }

    /// Runs until the handle closes or is dropped, and everything queued before is done.
    pub(super) async fn run(mut self) {
        let (mut requests, mut keeps) = (Vec::with_capacity(BATCH), Vec::with_capacity(SAVES));
        loop {
            let ill = self.shared.health.check().is_err();
            let received = tokio::select! {
                biased;
                received = self.requests.recv_many(&mut requests, BATCH) => received,
                Some(keep) = self.keeps.recv() => { keeps.push(keep); 1 }
                () = tokio::time::sleep(PROBE), if ill => { self.probe().await; continue }
            };
            while keeps.len() < SAVES
                && let Ok(keep) = self.keeps.try_recv()
            {
                keeps.push(keep);
            }
            self.serve(&mut requests, &mut keeps).await;
            if received == 0 {
                break;
            }
        }
        self.finish().await;
    }

    /// Does what was asked, in order; appends that stand side by side share a transaction.
    async fn serve(&mut self, requests: &mut Vec<Request>, keeps: &mut Vec<Keep>) {
        let (mut jobs, mut tickets) = (Vec::new(), Vec::new());
        for request in requests.drain(..) {
            if let Request::Append(job, ticket) = request {
                if ticket.take() {
                    jobs.push(*job);
                    tickets.push(ticket);
                }
                continue;
            }
            self.write(std::mem::take(&mut jobs), std::mem::take(&mut tickets), Vec::new()).await;
            match request {
                Request::Claim(shards, ticket) if ticket.take() => ticket.answer(self.claim(shards).await),
                Request::Publish(source, ticket) if ticket.take() => ticket.answer(self.publish(source).await),
                #[cfg(test)]
                Request::Sql(sql, ticket) if ticket.take() => ticket.answer(self.sql(sql).await),
                Request::Close => self.requests.close(),
                _ => {}
            }
        }
        let keeps = keeps.drain(..).filter(|(_, ticket)| ticket.take()).collect();
        self.write(jobs, tickets, keeps).await;
    }

    /// One transaction, or two when an append was guilty; then the answers.
    async fn write(&mut self, jobs: Vec<Job>, tickets: Vec<Ticket<Result<u64, AppendError>>>, keeps: Vec<Keep>) {
        let (mut ours, mut waiting) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
        for (job, ticket) in jobs.into_iter().zip(tickets) {
            if self.held.contains_key(&job.shard) {
                ours.push(job);
                waiting.push(ticket);
            } else {
                ticket.answer(Err(AppendError::Lost));
            }
        }
        let (saves, savers): (Vec<Save>, Vec<_>) = keeps.into_iter().unzip();
        if ours.is_empty() && saves.is_empty() {
            return;
        }
        let mut done = self.transact(&ours, &saves, false).await;
        if matches!(&done, Err(Undone::Failed(err)) if batch::unique(err)) {
            done = self.transact(&ours, &saves, true).await;
        }
        match done {
            Ok(outcome) => {
                for (shard, head) in outcome.heads {
                    self.held.entry(shard).and_modify(|held| held.head = head);
                }
                outcome.lost.iter().for_each(|shard| self.forget(*shard));
                waiting.into_iter().zip(outcome.verdicts).for_each(|(ticket, verdict)| ticket.answer(verdict));
                savers.into_iter().for_each(|saver| saver.answer(Ok(())));
            }
            Err(Undone::Failed(err)) => {
                let fault = unavailable(&err);
                waiting.into_iter().for_each(|ticket| ticket.answer(Err(fault.clone())));
                savers.into_iter().for_each(|saver| saver.answer(Err(fault.clone())));
            }
            Err(Undone::Unknown) => {
                ours.iter().for_each(|job| self.forget(job.shard));
                waiting.into_iter().for_each(|ticket| ticket.answer(Err(AppendError::Lost)));
            }
        }
    }

    fn forget(&mut self, shard: Shard) {
        if self.held.remove(&shard).is_some() {
            tracing::warn!(shard = shard.number(), "shard has another owner");
        }
    }

    async fn transact(&mut self, jobs: &[Job], saves: &[Save], one_by_one: bool) -> Result<Outcome, Undone> {
        self.begin().await?;
        let (held, acked) = (&self.held, &self.shared.acked);
        let conn = self.conn.as_mut().expect("begin has left a connection");
        match batch::fill(conn, jobs, saves, held, acked, one_by_one).await {
            Ok(outcome) if saves.is_empty() && outcome.verdicts.iter().all(Result::is_err) => {
                self.rollback().await;
                Ok(outcome)
            }
            Ok(outcome) => {
                self.commit(Proof::Batch(jobs, &outcome)).await?;
                Ok(outcome)
            }
            Err(err) => Err(self.give_up(err).await),
        }
    }

    async fn claim(&mut self, shards: Vec<Shard>) -> Result<Vec<Claim>, ReadError> {
        let claims = async {
            self.begin().await?;
            let claims = match self.take_over(&shards).await {
                Ok(claims) => claims,
                Err(err) => return Err(self.give_up(err).await),
            };
            self.commit(Proof::Claims(&claims)).await?;
            Ok(claims)
        };
        match claims.await {
            Ok(claims) => {
                let held = claims.iter().map(|claim| (claim.shard, Held { epoch: claim.epoch, head: claim.head }));
                self.held.extend(held);
                Ok(claims)
            }
            Err(Undone::Failed(err)) => Err(ReadError::Unavailable(err.to_string())),
            Err(Undone::Unknown) => Err(ReadError::Unavailable("the journal was closed under way".to_owned())),
        }
    }

    async fn take_over(&mut self, shards: &[Shard]) -> Result<Vec<Claim>, sqlx::Error> {
        let conn = self.conn.as_mut().expect("begin has left a connection");
        let mut claims = Vec::with_capacity(shards.len());
        for shard in shards {
            let row = sqlx::query(sql::CLAIM).bind(shard.number()).fetch_one(&mut *conn).await?;
            let [epoch, head, out_acked] = [0, 1, 2].map(|column| row.try_get::<i64, _>(column).map(batch::uint));
            claims.push(Claim { shard: *shard, epoch: epoch?, head: head?, out_acked: out_acked? });
        }
        Ok(claims)
    }

    async fn publish(&mut self, source: PublishedSource) -> Result<(), AppendError> {
        let done: Result<bool, Undone> = async {
            self.begin().await?;
            let conn = self.conn.as_mut().expect("begin has left a connection");
            match published(conn, &source).await {
                Ok(None) => {}
                Ok(Some(found)) => {
                    self.rollback().await;
                    return Ok(found == source.source);
                }
                Err(err) => return Err(self.give_up(err).await),
            }
            let query = sqlx::query(sql::QUEST_SAVE).bind(source.quest.as_str()).bind(source.version);
            if let Err(err) = query.bind(source.source.as_str()).execute(conn).await {
                return Err(self.give_up(err).await);
            }
            self.commit(Proof::Quest(&source)).await?;
            Ok(true)
        }
        .await;
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(record::quest_differs(&source.quest, source.version)),
            Err(Undone::Failed(err)) => Err(unavailable(&err)),
            Err(Undone::Unknown) => Err(AppendError::Lost),
        }
    }

    /// Begins a transaction, on a new connection if there is none.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let begun = async {
            if self.conn.is_none() {
                self.conn = Some(self.options.connect().await?);
            }
            let conn = self.conn.as_mut().expect("it was just made");
            sqlx::query(sql::BEGIN).execute(conn).await
        };
        let begun = begun.await.map(|_| ());
        if let Err(err) = &begun {
            self.note(err);
        }
        begun
    }

    /// Ends a transaction whose statement failed; nothing of it is written.
    async fn give_up(&mut self, err: sqlx::Error) -> Undone {
        if !batch::unique(&err) {
            self.note(&err);
        }
        self.rollback().await;
        Undone::Failed(err)
    }

    async fn rollback(&mut self) {
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

    async fn commit(&mut self, proof: Proof<'_>) -> Result<(), Undone> {
        let Err(err) = self.commit_now().await else {
            self.shared.health.set(None);
            return Ok(());
        };
        self.note(&err);
        // The connection goes first: SQLite then rolls back what is not committed.
        self.rollback().await;
        self.disconnect().await;
        let full = Trouble::of(&err) == Trouble::Full;
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
            Proof::Batch(jobs, outcome) => batch::landed(&mut conn, jobs, outcome, &self.held).await?,
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

    async fn commit_now(&mut self) -> Result<(), sqlx::Error> {
        let conn = self.conn.as_mut().expect("a transaction is open on it");
        #[cfg(test)]
        match self.shared.sabotage.swap(0, Ordering::AcqRel) {
            0 => {}
            how => {
                let sql = if how == 1 { sql::ROLLBACK } else { sql::COMMIT };
                sqlx::query(sql).execute(conn).await?;
                return Err(sqlx::Error::Protocol("sabotaged".to_owned()));
            }
        }
        sqlx::query(sql::COMMIT).execute(conn).await.map(|_| ())
    }

    /// Whether writes work again.
    async fn probe(&mut self) {
        if self.begin().await.is_err() {
            return;
        }
        let conn = self.conn.as_mut().expect("begin has left a connection");
        let written = sqlx::query(sql::PROBE).execute(conn).await;
        let written = match written {
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

    fn note(&self, err: &sqlx::Error) {
        self.shared.health.set(Some(Trouble::of(err)));
    }

    /// Writes what was to travel with later appends, empties the log and closes.
    async fn finish(mut self) {
        let acked = |(shard, held): (&Shard, &Held)| Fence {
            shard: *shard,
            held: *held,
            n: 0,
            acked: self.shared.acked.get(*shard),
        };
        let fences: Vec<Fence> = self.held.iter().map(acked).filter(|fence| fence.acked > 0).collect();
        if self.begin().await.is_ok() {
            let conn = self.conn.as_mut().expect("begin has left a connection");
            let written = batch::fence(conn, &fences).await;
            if written.is_err() || self.commit_now().await.is_err() {
                self.rollback().await;
                tracing::warn!("delivery cursors were not written at the close");
            }
        }
        if let Some(conn) = self.conn.as_mut()
            && sqlx::query(sql::CHECKPOINT).fetch_one(conn).await.is_err()
        {
            tracing::warn!("the log was not moved into the database at the close");
        }
        self.disconnect().await;
        self.shared.health.set(Some(Trouble::Closed));
    }

    #[cfg(test)]
    async fn sql(&mut self, sql: &'static str) -> Result<(), String> {
        let conn = self.conn.as_mut().ok_or("no connection")?;
        sqlx::raw_sql(sql).execute(conn).await.map(|_| ()).map_err(|err| err.to_string())
    }
}

fn unavailable(err: &sqlx::Error) -> AppendError {
    AppendError::Unavailable(Trouble::of(err).text().to_owned())
}

async fn published(conn: &mut SqliteConnection, source: &PublishedSource) -> Result<Option<String>, sqlx::Error> {
    let query = sqlx::query_scalar(sql::QUEST_SOURCE).bind(source.quest.as_str()).bind(source.version);
    query.fetch_optional(conn).await
}
