//! The one writer: a task that owns the only connection which writes, and commits whatever has queued up meanwhile.
//!
//! No timer makes batches: while one commits, the next gathers. An answer is given after its commit. When a commit
//! fails, what became of it is read back before anyone is answered (see [`line`]).

use super::batch::{self, Fence, Outcome};
use super::health::{Health, Trouble};
use super::line::{self, Line, Proof, Undone};
use super::sql;
use crate::cluster::shard::Shard;
use crate::faults::{self, Point};
use crate::persist::job::{Acked, Held, Job, Save};
use crate::persist::ticket::Ticket;
use crate::persist::{AppendError, Claim, PublishedSource, ReadError, record};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::mpsc;

/// Appends in one transaction at most: eight full statements; more would only make each of them wait longer.
const BATCH: usize = 512;
/// Snapshots that travel with a transaction at most, so that they never hold appends up for long.
const SAVES: usize = 32;
/// How often a store in trouble is tried again.
const PROBE: Duration = Duration::from_secs(1);
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
    line: Line,
    requests: mpsc::Receiver<Request>,
    keeps: mpsc::Receiver<Keep>,
    shared: Arc<Shared>,
    held: HashMap<Shard, Held>,
    /// Kept until the last write is done: while it is open the folder is locked.
    _lock: Option<File>,
}

impl Writer {
    pub(super) fn new(
        line: Line,
        requests: mpsc::Receiver<Request>,
        keeps: mpsc::Receiver<Keep>,
        shared: Arc<Shared>,
        lock: Option<File>,
    ) -> Self {
        Self { line, requests, keeps, shared, held: HashMap::new(), _lock: lock }
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
                () = tokio::time::sleep(PROBE), if ill => { self.line.probe().await; continue }
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
                Request::Sql(sql, ticket) if ticket.take() => ticket.answer(self.line.sql(sql).await),
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
        let conn = self.line.begin().await?;
        match batch::fill(conn, jobs, saves, &self.held, &self.shared.acked, one_by_one).await {
            Ok(outcome) if saves.is_empty() && outcome.verdicts.iter().all(Result::is_err) => {
                self.line.rollback().await;
                Ok(outcome)
            }
            Ok(outcome) => {
                faults::reach(Point::InBatch);
                self.line.commit(Proof::Batch(jobs, &outcome, &self.held)).await?;
                Ok(outcome)
            }
            Err(err) => Err(self.line.give_up(err).await),
        }
    }

    async fn claim(&mut self, shards: Vec<Shard>) -> Result<Vec<Claim>, ReadError> {
        match self.try_claim(&shards).await {
            Ok(claims) => {
                let held = claims.iter().map(|claim| (claim.shard, Held { epoch: claim.epoch, head: claim.head }));
                self.held.extend(held);
                Ok(claims)
            }
            Err(Undone::Failed(err)) => Err(ReadError::Unavailable(err.to_string())),
            Err(Undone::Unknown) => Err(ReadError::Unavailable("the journal was closed under way".to_owned())),
        }
    }

    async fn try_claim(&mut self, shards: &[Shard]) -> Result<Vec<Claim>, Undone> {
        let conn = self.line.begin().await?;
        let claims = match take_over(conn, shards).await {
            Ok(claims) => claims,
            Err(err) => return Err(self.line.give_up(err).await),
        };
        self.line.commit(Proof::Claims(&claims)).await?;
        Ok(claims)
    }

    async fn publish(&mut self, source: PublishedSource) -> Result<(), AppendError> {
        match self.try_publish(&source).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(record::quest_differs(&source.quest, source.version)),
            Err(Undone::Failed(err)) => Err(unavailable(&err)),
            Err(Undone::Unknown) => Err(AppendError::Lost),
        }
    }

    /// `false`: the version is there with another text.
    async fn try_publish(&mut self, source: &PublishedSource) -> Result<bool, Undone> {
        let conn = self.line.begin().await?;
        match line::published(conn, source).await {
            Ok(None) => {}
            Ok(Some(found)) => {
                self.line.rollback().await;
                return Ok(found == source.source);
            }
            Err(err) => return Err(self.line.give_up(err).await),
        }
        let query = sqlx::query(sql::QUEST_SAVE).bind(source.quest.as_str()).bind(source.version);
        if let Err(err) = query.bind(source.source.as_str()).execute(conn).await {
            return Err(self.line.give_up(err).await);
        }
        self.line.commit(Proof::Quest(source)).await?;
        Ok(true)
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
        if let Ok(conn) = self.line.begin().await {
            let written = batch::fence(conn, &fences).await;
            if written.is_err() || self.line.commit_now().await.is_err() {
                self.line.rollback().await;
                tracing::warn!("delivery cursors were not written at the close");
            }
        }
        self.line.close().await;
        self.shared.health.set(Some(Trouble::Closed));
    }
}

async fn take_over(conn: &mut SqliteConnection, shards: &[Shard]) -> Result<Vec<Claim>, sqlx::Error> {
    let mut claims = Vec::with_capacity(shards.len());
    for shard in shards {
        let row = sqlx::query(sql::CLAIM).bind(shard.number()).fetch_one(&mut *conn).await?;
        let [epoch, head, out_acked] = [0, 1, 2].map(|column| row.try_get::<i64, _>(column).map(batch::uint));
        claims.push(Claim { shard: *shard, epoch: epoch?, head: head?, out_acked: out_acked? });
    }
    Ok(claims)
}

fn unavailable(err: &sqlx::Error) -> AppendError {
    AppendError::Unavailable(Trouble::of(err).text().to_owned())
}
