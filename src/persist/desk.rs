//! Where a store's handle hands in what its writers shall do: one queue a writer, each shard always the same one.
//!
//! Promise: whoever asks gets an answer by a deadline, and one that never lies (see [`super::ticket`]).

use super::health::{Health, Trouble};
use super::job::{Job, Save};
use super::ticket::{self, Missed, Ticket};
use super::writer::{Backend, Keep, Request, Shared, Writer};
use super::{Append, AppendError, Claim, PublishedSource, RUN_MAX, ReadError};
use crate::cluster::shard::Shard;
use crate::ids::EntityId;
use futures_util::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// Requests that wait for a writer: two batches, tens of milliseconds of work; beyond it who asks waits here.
const QUEUE: usize = 1024;
const _: () = assert!(RUN_MAX <= QUEUE, "a run is queued as one");
/// Snapshots that wait: a cache is not worth more memory.
const SNAPSHOTS: usize = 256;
/// Longest wait for the writers to finish at the close: a commit, a checkpoint, and some for a slow disk.
const CLOSE: Duration = Duration::from_secs(30);

/// The desk.
#[derive(Debug)]
pub(super) struct Desk {
    /// One a writer; none: nothing is written through this handle.
    lanes: Vec<Lane>,
    pub(super) shared: Arc<Shared>,
    deadline: Duration,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Lane {
    requests: mpsc::Sender<Request>,
    keeps: mpsc::Sender<Keep>,
}

impl Desk {
    /// A desk with a writer for each backend. A request waits at most `deadline` for its turn.
    pub(super) fn open<B: Backend>(backends: Vec<B>, shared: Arc<Shared>, deadline: Duration) -> Self {
        let mut tasks = JoinSet::new();
        let mut lane = |backend| {
            let (requests, to_do) = mpsc::channel(QUEUE);
            let (keeps, to_keep) = mpsc::channel(SNAPSHOTS);
            let writer = Writer::new(backend, to_do, to_keep, shared.clone()).run();
            if B::BLOCKS {
                let runtime = Handle::current();
                tasks.spawn_blocking(move || runtime.block_on(writer));
            } else {
                tasks.spawn(writer);
            }
            Lane { requests, keeps }
        };
        let lanes = backends.into_iter().map(&mut lane).collect();
        // A handle that is dropped lets its writers finish what is queued.
        Self { lanes, shared, deadline, tasks: Mutex::new(tasks) }
    }

    /// The desk of a handle that only reads.
    pub(super) fn read_only() -> Self {
        let shared = Shared::new(Health::read_only());
        Self { lanes: Vec::new(), shared, deadline: Duration::ZERO, tasks: Mutex::default() }
    }

    /// The lane of a shard.
    fn lane(&self, shard: Shard) -> Option<&Lane> {
        let lanes = self.lanes.len();
        (lanes > 0).then(|| &self.lanes[usize::from(shard.number()) % lanes])
    }

    async fn ask<T>(
        &self,
        lane: Option<&Lane>,
        request: impl FnOnce(Ticket<T>) -> Request,
    ) -> Result<T, AppendError> {
        let Some(lane) = lane else { return Err(unavailable(Trouble::ReadOnly.text())) };
        ticket::ask(&lane.requests, self.deadline, request).await.map_err(|missed| self.missed(missed))
    }

    fn missed(&self, missed: Missed) -> AppendError {
        match missed {
            Missed::NotDone => {
                unavailable(self.shared.health.check().err().unwrap_or("its turn did not come in time"))
            }
            Missed::Closed => unavailable(Trouble::Closed.text()),
            Missed::Unknown => AppendError::Lost,
        }
    }

    pub(super) async fn append(&self, append: Append) -> Result<u64, AppendError> {
        let job = Box::new(Job::new(append));
        self.ask(self.lane(job.shard), |ticket| Request::Append(job, ticket)).await?
    }

    pub(super) async fn append_run(&self, run: Vec<Append>) -> (Vec<u64>, Option<AppendError>) {
        let Some(first) = run.first() else { return (Vec::new(), None) };
        let Some(lane) = self.lane(Shard::of(&first.entity)) else {
            return (Vec::new(), Some(unavailable(Trouble::ReadOnly.text())));
        };
        let request = |append| {
            let job = Box::new(Job::new(append));
            move |ticket| Request::Append(job, ticket)
        };
        let requests = run.into_iter().map(request).collect();
        let mut offsets = Vec::new();
        for verdict in ticket::ask_run(&lane.requests, self.deadline, requests).await {
            match verdict.map_err(|missed| self.missed(missed)).flatten() {
                Ok(offset) => offsets.push(offset),
                // Whatever follows one that was refused is not the next of its stream.
                Err(fault) => return (offsets, Some(fault)),
            }
        }
        (offsets, None)
    }

    pub(super) async fn claim(&self, shards: Vec<Shard>) -> Result<Vec<Claim>, ReadError> {
        Ok(sorted(self.each_lane(shards, Request::Claim).await?))
    }

    pub(super) async fn claim_free(&self, shards: Vec<Shard>) -> Result<Vec<Claim>, ReadError> {
        Ok(sorted(self.each_lane(shards, Request::ClaimFree).await?))
    }

    pub(super) async fn release(&self, shards: Vec<Shard>) -> Result<(), ReadError> {
        self.each_lane(shards, Request::Release).await.map(drop)
    }

    /// Asks each writer for its part of the shards. Side by side: a shard is a commit of its own, which is what a start
    /// waits for.
    async fn each_lane<T>(
        &self,
        shards: Vec<Shard>,
        request: impl Fn(Vec<Shard>, Ticket<Result<T, ReadError>>) -> Request,
    ) -> Result<Vec<T>, ReadError> {
        if self.lanes.is_empty() {
            return Err(ReadError::Unavailable(Trouble::ReadOnly.text().to_owned()));
        }
        let request = &request;
        let asked = self.lanes.iter().enumerate().filter_map(|(n, lane)| {
            let of_lane = |shard: &&Shard| usize::from(shard.number()) % self.lanes.len() == n;
            let shards: Vec<Shard> = shards.iter().filter(of_lane).copied().collect();
            (!shards.is_empty()).then_some(async move {
                let answer = self.ask(Some(lane), |ticket| request(shards, ticket)).await;
                answer.unwrap_or_else(|missed| Err(ReadError::Unavailable(missed.to_string())))
            })
        });
        try_join_all(asked).await
    }

    pub(super) async fn save_snapshot(&self, entity: &EntityId, seq: u64, state: Vec<u8>) -> Result<(), AppendError> {
        let save = Save { entity: entity.clone(), seq, state };
        let Some(lane) = self.lane(Shard::of(entity)) else { return Err(unavailable(Trouble::ReadOnly.text())) };
        if lane.keeps.capacity() == 0 {
            tracing::debug!("snapshot dropped, too many wait");
            return Ok(());
        }
        let kept = ticket::ask(&lane.keeps, self.deadline, |ticket| (save, ticket)).await;
        kept.map_err(|missed| self.missed(missed))?
    }

    pub(super) async fn publish(&self, source: PublishedSource) -> Result<(), AppendError> {
        self.ask(self.lanes.first(), |ticket| Request::Publish(source, ticket)).await?
    }

    /// Lets the writers finish what is queued, and waits for them.
    pub(super) async fn close(&self) {
        let mut tasks = self.tasks.lock().await;
        self.shared.closing.store(true, Ordering::Release);
        let ended = async {
            for lane in &self.lanes {
                // An error means that it has ended already.
                let _ = lane.requests.send(Request::Close).await;
            }
            while let Some(ended) = tasks.join_next().await {
                if ended.is_err() {
                    tracing::error!("a writer of the journal has failed");
                }
            }
        };
        if tokio::time::timeout(CLOSE, ended).await.is_err() {
            tracing::error!("journal did not close in time");
        }
    }

    /// Runs SQL on the first writer's own connection.
    #[cfg(test)]
    pub(super) async fn on_writer(&self, sql: &'static str) {
        let done = self.ask(self.lanes.first(), |ticket| Request::Sql(sql, ticket)).await.expect("the writer runs");
        done.expect("a valid statement");
    }

    #[cfg(test)]
    pub(super) fn sabotage(&self, how: u8) {
        self.shared.sabotage.store(how, Ordering::Release);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What is queued is still written; the writers end by themselves when their queues are closed and empty. What
        // cannot be finished is given up, since a runtime that ends waits for a thread.
        self.shared.closing.store(true, Ordering::Release);
        self.tasks.get_mut().detach_all();
    }
}

/// The claims of all writers, by shard.
fn sorted(claims: Vec<Vec<Claim>>) -> Vec<Claim> {
    let mut claims = claims.concat();
    claims.sort_unstable_by_key(|claim| claim.shard);
    claims
}

fn unavailable(reason: &str) -> AppendError {
    AppendError::Unavailable(reason.to_owned())
}
