//! The writer: a task that commits whatever has queued up meanwhile, the same for every store.
//!
//! No timer makes batches: while one commits, the next gathers. An answer is given after its commit. What differs from
//! store to store is a [`Backend`]: how a batch is written at once, and how the fate of a failed commit is found out.

use super::health::{Health, Trouble};
use super::job::{Acked, Held, Job, Save};
use super::ticket::Ticket;
use super::{AppendError, Claim, PublishedSource, ReadError, record};
use crate::cluster::shard::Shard;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// Appends in one commit at most: the knee of what was measured on both stores; more would only make each of them
/// wait longer.
const BATCH: usize = 512;
/// Snapshots that travel with a commit at most, so that they never hold appends up for long.
const SAVES: usize = 32;
/// How often a store in trouble is tried again.
const PROBE: Duration = Duration::from_secs(1);

/// News of lost shards that wait for who listens: all shards twice, since each is lost once a claim.
pub(super) const LOSSES: usize = 512;

/// What the journal's handle and its writers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) health: Health,
    pub(super) acked: Acked,
    /// Set when the handle closes: what cannot be finished is given up.
    pub(super) closing: AtomicBool,
    /// Cancelled when a shard has been lost to another owner.
    lost: CancellationToken,
    /// Which one.
    losses: broadcast::Sender<Shard>,
    /// For tests: the next commit fails, 1 without and 2 after having been done.
    #[cfg(test)]
    pub(super) sabotage: std::sync::atomic::AtomicU8,
}

impl Shared {
    pub(super) fn new(health: Health) -> Arc<Self> {
        Arc::new(Self {
            health,
            acked: Acked::new(),
            closing: AtomicBool::new(false),
            lost: CancellationToken::new(),
            losses: broadcast::Sender::new(LOSSES),
            #[cfg(test)]
            sabotage: std::sync::atomic::AtomicU8::new(0),
        })
    }

    /// Returns when a shard has been lost to another owner.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Tells of each shard that is lost from now on.
    pub(super) fn losses(&self) -> broadcast::Receiver<Shard> {
        self.losses.subscribe()
    }

    /// Notes that some shard has been lost to another owner.
    pub(super) fn lose(&self) {
        self.lost.cancel();
    }
}

/// What the writer is asked for, in order.
#[derive(Debug)]
pub(super) enum Request {
    Append(Box<Job>, Ticket<Result<u64, AppendError>>),
    Claim(Vec<Shard>, Ticket<Result<Vec<Claim>, ReadError>>),
    ClaimFree(Vec<Shard>, Ticket<Result<Vec<Claim>, ReadError>>),
    Release(Vec<Shard>, Ticket<Result<(), ReadError>>),
    Publish(PublishedSource, Ticket<Result<(), AppendError>>),
    #[cfg(test)]
    Sql(&'static str, Ticket<Result<(), String>>),
    Close,
}

/// A snapshot and who waits for it.
pub(super) type Keep = (Save, Ticket<Result<(), AppendError>>);

/// What became of a batch whose commit is certain.
#[derive(Debug)]
pub(super) struct Outcome {
    /// For each job its offset, or why it was refused.
    pub(super) verdicts: Vec<Result<u64, AppendError>>,
    /// Where the shards written to now end.
    pub(super) heads: Vec<(Shard, u64)>,
    /// Shards that have another owner.
    pub(super) lost: Vec<Shard>,
}

/// A write that is not, or may not be, done.
#[derive(Debug)]
pub(super) enum Undone {
    /// It is not, and will not be; why, in a few words.
    Failed(String),
    /// The journal was closed before the store could say.
    Unknown,
}

/// How one store writes. Promise: what is answered is certain, however long the store takes to say so.
pub(super) trait Backend: Send + 'static {
    /// Whether it blocks where it stands, and so needs a thread of its own.
    const BLOCKS: bool = false;

    /// Writes appends, atomically in each shard and fenced by what is held of it; and keeps snapshots.
    fn write(
        &mut self,
        jobs: &[Job],
        saves: &[Save],
        held: &HashMap<Shard, Held>,
    ) -> impl Future<Output = Result<Outcome, Undone>> + Send;

    /// Takes shards over.
    fn claim(&mut self, shards: &[Shard]) -> impl Future<Output = Result<Vec<Claim>, Undone>> + Send;

    /// Takes over those that nobody serves, with one try, and leaves alone what is held.
    fn claim_free(
        &mut self,
        shards: &[Shard],
        held: &HashMap<Shard, Held>,
    ) -> impl Future<Output = Result<Vec<Claim>, Undone>> + Send;

    /// Gives up what is held of shards, with their cursors of delivery.
    fn release(&mut self, shards: &[(Shard, Held)]) -> impl Future<Output = Result<(), Undone>> + Send;

    /// Keeps a version of a quest; `false`: it is there with another text.
    fn publish(&mut self, source: &PublishedSource) -> impl Future<Output = Result<bool, Undone>> + Send;

    /// Finds out whether writes work again.
    fn probe(&mut self) -> impl Future<Output = ()> + Send;

    /// Writes what was to travel with later appends, and closes.
    fn finish(self, held: &HashMap<Shard, Held>) -> impl Future<Output = ()> + Send;

    /// Runs SQL on the connection that writes.
    #[cfg(test)]
    fn sql(&mut self, sql: &'static str) -> impl Future<Output = Result<(), String>> + Send;
}

/// The task's state.
#[derive(Debug)]
pub(super) struct Writer<B> {
    backend: B,
    requests: mpsc::Receiver<Request>,
    keeps: mpsc::Receiver<Keep>,
    shared: Arc<Shared>,
    held: HashMap<Shard, Held>,
}

impl<B: Backend> Writer<B> {
    pub(super) fn new(
        backend: B,
        requests: mpsc::Receiver<Request>,
        keeps: mpsc::Receiver<Keep>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { backend, requests, keeps, shared, held: HashMap::new() }
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
                () = tokio::time::sleep(PROBE), if ill => { self.backend.probe().await; continue }
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
        self.backend.finish(&self.held).await;
        self.shared.health.set(Some(Trouble::Closed));
    }

    /// Does what was asked, in order; appends that stand side by side share a commit.
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
                Request::ClaimFree(shards, ticket) if ticket.take() => ticket.answer(self.claim_free(shards).await),
                Request::Release(shards, ticket) if ticket.take() => ticket.answer(self.release(shards).await),
                Request::Publish(source, ticket) if ticket.take() => ticket.answer(self.publish(source).await),
                #[cfg(test)]
                Request::Sql(sql, ticket) if ticket.take() => ticket.answer(self.backend.sql(sql).await),
                Request::Close => self.requests.close(),
                _ => {}
            }
        }
        let keeps = keeps.drain(..).filter(|(_, ticket)| ticket.take()).collect();
        self.write(jobs, tickets, keeps).await;
    }

    /// One batch; then the answers.
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
        match self.backend.write(&ours, &saves, &self.held).await {
            Ok(outcome) => {
                for (shard, head) in outcome.heads {
                    self.held.entry(shard).and_modify(|held| held.head = head);
                }
                outcome.lost.iter().for_each(|shard| self.forget(*shard));
                waiting.into_iter().zip(outcome.verdicts).for_each(|(ticket, verdict)| ticket.answer(verdict));
                savers.into_iter().for_each(|saver| saver.answer(Ok(())));
            }
            Err(Undone::Failed(why)) => {
                let fault = AppendError::Unavailable(why);
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
            self.shared.lose();
            // Nobody may listen.
            let _ = self.shared.losses.send(shard);
        }
    }

    async fn claim(&mut self, shards: Vec<Shard>) -> Result<Vec<Claim>, ReadError> {
        let claimed = self.backend.claim(&shards).await;
        self.hold(claimed)
    }

    async fn claim_free(&mut self, shards: Vec<Shard>) -> Result<Vec<Claim>, ReadError> {
        let claimed = self.backend.claim_free(&shards, &self.held).await;
        self.hold(claimed)
    }

    fn hold(&mut self, claimed: Result<Vec<Claim>, Undone>) -> Result<Vec<Claim>, ReadError> {
        let claims = claimed.map_err(unread)?;
        for Claim { shard, epoch, head, out_acked } in &claims {
            self.shared.acked.reset(*shard, *out_acked);
            self.held.insert(*shard, Held { epoch: *epoch, head: *head });
        }
        Ok(claims)
    }

    async fn release(&mut self, shards: Vec<Shard>) -> Result<(), ReadError> {
        let held = |shard: &Shard| self.held.get(shard).map(|held| (*shard, *held));
        let ours: Vec<(Shard, Held)> = shards.iter().filter_map(held).collect();
        if !ours.is_empty() {
            self.backend.release(&ours).await.map_err(unread)?;
            self.held.retain(|shard, _| ours.iter().all(|(ours, _)| ours != shard));
        }
        Ok(())
    }

    async fn publish(&mut self, source: PublishedSource) -> Result<(), AppendError> {
        match self.backend.publish(&source).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(record::quest_differs(&source.quest, source.version)),
            Err(Undone::Failed(why)) => Err(AppendError::Unavailable(why)),
            Err(Undone::Unknown) => Err(AppendError::Lost),
        }
    }
}

fn unread(undone: Undone) -> ReadError {
    ReadError::Unavailable(match undone {
        Undone::Failed(why) => why,
        Undone::Unknown => "the journal was closed under way".to_owned(),
    })
}
