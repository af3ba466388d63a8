//! The journal in memory: the same promises without a disk, for tests and the simulator, with faults on demand.
//!
//! The data outlives its handles: [`MemoryJournal::reopen`] is a process that starts anew on what the last one left.
//! Entries are kept in their stored form, so that reading them takes the same way as in any other store.

use super::{Append, AppendError, Claim, Journal, Loaded, LoadedPage, PublishedSource, ReadError, Stored, record};
use crate::cluster::shard::Shard;
use crate::faults::{Bug, planted};
use crate::ids::EntityId;
use crate::quest::entry::Cause;
use crate::units::Timestamp;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

mod faults;

pub use faults::Faults;

/// A handle on a journal in memory; clones are the same handle, with the same claims.
#[derive(Debug, Clone)]
pub struct MemoryJournal {
    id: Arc<str>,
    data: Arc<Mutex<Data>>,
    handle: Arc<Mutex<Handle>>,
    /// Cancelled when another owner has taken a shard of this handle.
    lost: Arc<CancellationToken>,
}

/// What a disk would hold.
#[derive(Debug, Default)]
struct Data {
    shards: HashMap<Shard, Row>,
    streams: HashMap<EntityId, Stream>,
    quests: Vec<PublishedSource>,
}

#[derive(Debug, Default)]
struct Row {
    epoch: u64,
    out_acked: u64,
    /// By offset, from 1: whose entry, its number, and the epoch.
    log: Vec<(EntityId, u64, u64)>,
}

#[derive(Debug, Default)]
struct Stream {
    records: Vec<Record>,
    causes: HashSet<String>,
    awards: HashSet<String>,
    wake: Option<Timestamp>,
    snapshot: Option<(u64, Vec<u8>)>,
}

#[derive(Debug)]
struct Record {
    ver: u32,
    payload: Vec<u8>,
    has_out: bool,
}

/// What a process would hold.
#[derive(Debug, Default)]
struct Handle {
    epochs: HashMap<Shard, u64>,
    acked: HashMap<Shard, u64>,
    fail: u32,
    crash: bool,
    delays: Option<faults::Delays>,
    gone: Option<&'static str>,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self { id: "memory".into(), data: Arc::default(), handle: Arc::default(), lost: Arc::default() }
    }

    /// Another handle on the same data, as of a new process: without claims, faults, or what was not yet written.
    pub fn reopen(&self) -> Self {
        Self { id: self.id.clone(), data: self.data.clone(), handle: Arc::default(), lost: Arc::default() }
    }

    /// Makes this handle fail.
    pub fn faults(&self) -> Faults<'_> {
        Faults::of(self)
    }

    /// No holder of the lock can panic half-way through a change, so a poisoned lock guards whole data.
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self) -> MutexGuard<'_, Handle> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) {
        let delay = self.handle().delays.as_mut().map_or(Duration::ZERO, faults::Delays::next);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// For what only reads.
    fn reading(&self) -> Result<MutexGuard<'_, Data>, ReadError> {
        let gone = self.handle().gone;
        match gone {
            None => Ok(self.data()),
            Some(gone) => Err(ReadError::Unavailable(gone.to_owned())),
        }
    }

    /// Writes or refuses; the `bool` says that the process dies right after.
    fn write(&self, append: Append) -> Result<(u64, bool), AppendError> {
        let (mut data, mut handle) = (self.data(), self.handle());
        handle.check()?;
        if handle.fail > 0 {
            handle.fail -= 1;
            return Err(AppendError::Unavailable("a fault was asked for".to_owned()));
        }
        let shard = Shard::of(&append.entity);
        let data = &mut *data;
        let row = data.shards.entry(shard).or_default();
        let mine = handle.epochs.get(&shard).copied().unwrap_or(0);
        if mine != row.epoch && !(mine > 0 && planted(Bug::NoFence)) {
            if handle.epochs.remove(&shard).is_some() {
                self.lost.cancel();
            }
            return Err(AppendError::Lost);
        }
        let stream = data.streams.entry(append.entity.clone()).or_default();
        stream.push(&append)?;
        row.log.push((append.entity, append.entry.seq, mine));
        row.ack(handle.acked.get(&shard).copied().unwrap_or(0));
        let crash = std::mem::take(&mut handle.crash);
        if crash {
            handle.gone = Some("the process has crashed");
        }
        Ok((row.head(), crash))
    }

    /// Entries of a shard in order; a page ends before one that cannot be read, unless it is the first.
    fn page(&self, shard: Shard, after: u64, limit: u32, only_out: bool) -> Result<Vec<Stored>, ReadError> {
        let data = self.reading()?;
        let Some(row) = data.shards.get(&shard) else { return Ok(Vec::new()) };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut page = Vec::new();
        for (offset, (entity, seq, epoch)) in (1_u64..).zip(&row.log).filter(|(offset, _)| *offset > after) {
            let record = &data.streams[entity].records[place(*seq)];
            if page.len() >= limit {
                break;
            }
            if only_out && !record.has_out {
                continue;
            }
            match record::decode(entity, offset, *seq, record.ver, &record.payload) {
                Ok(entry) => page.push(Stored { entity: entity.clone(), offset, epoch: *epoch, entry }),
                Err(err) if page.is_empty() => return Err(err),
                Err(_) => break,
            }
        }
        Ok(page)
    }
}

/// Where in a vector the entry of this number is.
fn place(seq: u64) -> usize {
    usize::try_from(seq.saturating_sub(1)).unwrap_or(usize::MAX)
}

impl Data {
    fn load(&self, entity: &EntityId, snapshots: bool) -> Result<Loaded, ReadError> {
        let Some(stream) = self.streams.get(entity) else { return Ok(Loaded::default()) };
        let snapshot = stream.snapshot.clone().filter(|_| snapshots);
        let after = snapshot.as_ref().map_or(0, |(seq, _)| *seq);
        let records = (1_u64..).zip(&stream.records).filter(|(seq, _)| *seq > after);
        let decode = |(seq, record): (u64, &Record)| record::decode(entity, 0, seq, record.ver, &record.payload);
        Ok(Loaded { snapshot, tail: records.map(decode).collect::<Result<_, _>>()? })
    }
}

impl Handle {
    fn check(&self) -> Result<(), AppendError> {
        self.gone.map_or(Ok(()), |gone| Err(AppendError::Unavailable(gone.to_owned())))
    }
}

impl Row {
    fn head(&self) -> u64 {
        u64::try_from(self.log.len()).unwrap_or(u64::MAX)
    }

    fn ack(&mut self, offset: u64) {
        self.out_acked = self.out_acked.max(offset.min(self.head()));
    }
}

impl Stream {
    fn ends(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX)
    }

    /// Adds an entry whole, or refuses it and changes nothing.
    fn push(&mut self, append: &Append) -> Result<(), AppendError> {
        let entry = &append.entry;
        if entry.seq != self.ends() + 1 {
            return Err(record::not_next(entry.seq, self.ends()));
        }
        let cause = entry.cause.as_ref().map(Cause::key);
        if let Some(cause) = cause.as_ref().filter(|cause| self.causes.contains(*cause)) {
            return Err(record::cause_stands(cause));
        }
        let awards: HashSet<&String> = entry.awards.iter().collect();
        if awards.len() < entry.awards.len() || awards.iter().any(|award| self.awards.contains(*award)) {
            return Err(record::award_stands(&entry.awards));
        }
        self.causes.extend(cause);
        self.awards.extend(entry.awards.iter().cloned());
        self.wake = append.wake;
        let (payload, has_out) = (record::encode(entry), !entry.out.is_empty());
        self.records.push(Record { ver: record::VERSION, payload, has_out });
        Ok(())
    }
}

impl Journal for MemoryJournal {
    fn id(&self) -> &str {
        &self.id
    }

    fn claim(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        let claimed = self.reading().map(|mut data| {
            let mut claim = |shard| {
                let row = data.shards.entry(shard).or_default();
                row.epoch += 1;
                Claim { shard, epoch: row.epoch, head: row.head(), out_acked: row.out_acked }
            };
            let claims: Vec<Claim> = shards.into_iter().map(&mut claim).collect();
            self.handle().epochs.extend(claims.iter().map(|claim| (claim.shard, claim.epoch)));
            claims
        });
        std::future::ready(claimed).boxed()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        async {
            self.wait().await;
            match self.write(append)? {
                (offset, false) => {
                    self.wait().await;
                    Ok(offset)
                }
                (_, true) => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn load(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        let loaded = self.reading().and_then(|data| data.load(entity, true));
        std::future::ready(loaded).boxed()
    }

    fn load_entries(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        let loaded = self.reading().and_then(|data| data.load(entity, false));
        std::future::ready(loaded).boxed()
    }

    fn load_page(&self, shard: Shard, after: Option<EntityId>, limit: u32) -> BoxFuture<'_, LoadedPage> {
        let page = self.reading().map(|data| {
            let later = |id: &&EntityId| Shard::of(id) == shard && after.as_ref().is_none_or(|after| *id > after);
            let entities: BTreeSet<&EntityId> = data.streams.keys().filter(later).collect();
            let entities = entities.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
            entities.map(|entity| (entity.clone(), data.load(entity, true))).collect()
        });
        std::future::ready(page).boxed()
    }

    fn save_snapshot(&self, entity: &EntityId, seq: u64, state: Vec<u8>) -> BoxFuture<'_, Result<(), AppendError>> {
        let saved = self.handle().check();
        if let (Ok(()), Some(stream)) = (&saved, self.data().streams.get_mut(entity)) {
            let older = stream.snapshot.as_ref().is_none_or(|(there, _)| *there < seq);
            if older && (1..=stream.ends()).contains(&seq) {
                stream.snapshot = Some((seq, state));
            }
        }
        std::future::ready(saved).boxed()
    }

    fn delivered(&self, shard: Shard, offset: u64) {
        let mut handle = self.handle();
        let acked = handle.acked.entry(shard).or_default();
        *acked = offset.max(*acked);
    }

    fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        let known = self.handle().acked.get(&shard).copied().unwrap_or(0);
        let stored = self.data().shards.get(&shard).map_or(0, |row| row.out_acked);
        let page = self.page(shard, after.max(known).max(stored), limit, true);
        std::future::ready(page).boxed()
    }

    fn wakes(&self, shard: Shard) -> BoxFuture<'_, Result<Vec<(EntityId, Timestamp)>, ReadError>> {
        let wakes = self.reading().map(|data| {
            let of_shard = data.streams.iter().filter(|(entity, _)| Shard::of(entity) == shard);
            let ordered: BTreeMap<(Timestamp, &EntityId), ()> =
                of_shard.filter_map(|(entity, stream)| Some(((stream.wake?, entity), ()))).collect();
            ordered.into_keys().map(|(due, entity)| (entity.clone(), due)).collect()
        });
        std::future::ready(wakes).boxed()
    }

    fn scan(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        std::future::ready(self.page(shard, after, limit, false)).boxed()
    }

    fn epoch(&self, shard: Shard) -> BoxFuture<'_, Result<u64, ReadError>> {
        let epoch = self.reading().map(|data| data.shards.get(&shard).map_or(0, |row| row.epoch));
        std::future::ready(epoch).boxed()
    }

    fn publish(&self, source: PublishedSource) -> BoxFuture<'_, Result<(), AppendError>> {
        let mut published = self.handle().check();
        if published.is_ok() {
            let mut data = self.data();
            let same = |there: &&PublishedSource| (&there.quest, there.version) == (&source.quest, source.version);
            match data.quests.iter().find(same) {
                None => data.quests.push(source),
                Some(there) if there.source == source.source => {}
                Some(_) => published = Err(record::quest_differs(&source.quest, source.version)),
            }
        }
        std::future::ready(published).boxed()
    }

    fn published(&self) -> BoxFuture<'_, Result<Vec<PublishedSource>, ReadError>> {
        std::future::ready(self.reading().map(|data| data.quests.clone())).boxed()
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.handle().gone.map_or(Ok(()), Err)
    }

    fn lost(&self) -> BoxFuture<'_, ()> {
        let lost = Arc::clone(&self.lost);
        async move { lost.cancelled().await }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let (mut data, mut handle) = (self.data(), self.handle());
        let alive = handle.gone.is_none();
        for (shard, epoch) in handle.epochs.iter().filter(|_| alive) {
            let row = data.shards.entry(*shard).or_default();
            if row.epoch == *epoch {
                row.ack(handle.acked.get(shard).copied().unwrap_or(0));
            }
        }
        handle.gone.get_or_insert("the journal is closed");
        std::future::ready(()).boxed()
    }
}

#[cfg(test)]
mod tests;
