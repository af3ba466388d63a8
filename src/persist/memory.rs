//! The journal in memory: the same promises without a disk, for tests and the simulator, with faults on demand.
//!
//! The data outlives its handles: [`MemoryJournal::reopen`] is a process that starts anew on what the last one left.
//! Entries are kept in their stored form, so that reading them takes the same way as in any other store.

use super::writer::LOSSES;
use super::{
    Append, AppendError, Claim, Control, Journal, Loaded, LoadedPage, PublishedSource, ReadError, Stored, record,
};
use crate::cluster::member::NodeId;
use crate::cluster::shard::Shard;
use crate::faults::{Bug, planted};
use crate::ids::EntityId;
use crate::units::Timestamp;
use data::{Data, place};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{RwLock, broadcast};
use tokio_util::sync::CancellationToken;

mod control;
mod data;
mod faults;
mod members;

pub use faults::Faults;
pub use members::{MemoryMembers, NameTaken};

/// A handle on a journal in memory; clones are the same handle, with the same claims.
#[derive(Debug, Clone)]
pub struct MemoryJournal {
    id: Arc<str>,
    /// This handle as an owner of shards.
    me: NodeId,
    data: Arc<Mutex<Data>>,
    handle: Arc<Mutex<Handle>>,
    /// Cancelled when another owner has taken a shard of this handle.
    lost: Arc<CancellationToken>,
    /// Which one.
    losses: broadcast::Sender<Shard>,
    /// Appends on their way are readers: a release comes after those that were asked for before it.
    order: Arc<RwLock<()>>,
}

/// What a process would hold.
#[derive(Debug, Default)]
struct Handle {
    epochs: HashMap<Shard, u64>,
    acked: HashMap<Shard, u64>,
    fail: u32,
    crash: bool,
    mute: Option<Shard>,
    delays: Option<faults::Delays>,
    gone: Option<&'static str>,
    cut: bool,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::over(Arc::default())
    }

    fn over(data: Arc<Mutex<Data>>) -> Self {
        let me = data.lock().unwrap_or_else(PoisonError::into_inner).open();
        let (handle, lost, order) = (Arc::default(), Arc::default(), Arc::default());
        Self { id: "memory".into(), me, data, handle, lost, losses: broadcast::Sender::new(LOSSES), order }
    }

    /// Another handle on the same data, as of a new process: without claims, faults, or what was not yet written.
    pub fn reopen(&self) -> Self {
        Self::over(self.data.clone())
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
        let trouble = self.handle().trouble();
        match trouble {
            None => Ok(self.data()),
            Some(trouble) => Err(ReadError::Unavailable(trouble.to_owned())),
        }
    }

    /// Writes or refuses; the `bool` says that whoever asked never hears of it.
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
                // Nobody may listen.
                let _ = self.losses.send(shard);
            }
            return Err(AppendError::Lost);
        }
        let stream = data.streams.entry(append.entity.clone()).or_default();
        stream.push(&append)?;
        let bears_letters = !append.entry.out.is_empty();
        row.log.push((append.entity, append.entry.seq, mine));
        row.ack(handle.acked.get(&shard).copied().unwrap_or(0));
        let (offset, crash) = (row.head(), std::mem::take(&mut handle.crash));
        if crash {
            handle.gone = Some("the process has crashed");
            data.died(&self.me);
        }
        let mute = bears_letters && handle.mute.take_if(|mute| *mute == shard).is_some();
        Ok((offset, crash || mute))
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

impl Handle {
    /// From now on what the shard's row says of deliveries counts: another owner may have been in between.
    fn hold(&mut self, claim: Claim) -> Claim {
        self.epochs.insert(claim.shard, claim.epoch);
        self.acked.insert(claim.shard, claim.out_acked);
        claim
    }

    /// Why nothing can be done through this handle.
    fn trouble(&self) -> Option<&'static str> {
        self.gone.or(self.cut.then_some("the database cannot be reached"))
    }

    fn check(&self) -> Result<(), AppendError> {
        self.trouble().map_or(Ok(()), |trouble| Err(AppendError::Unavailable(trouble.to_owned())))
    }
}

impl Journal for MemoryJournal {
    fn id(&self) -> &str {
        &self.id
    }

    fn claim(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        let claimed = self.reading().map(|mut data| {
            let mut handle = self.handle();
            shards.into_iter().map(|shard| handle.hold(data.claim(shard, &self.me))).collect()
        });
        std::future::ready(claimed).boxed()
    }

    fn claim_free(&self, mut shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        let claimed = self.reading().map(|mut data| {
            let mut handle = self.handle();
            shards.sort_unstable();
            shards.retain(|shard| {
                let Some(row) = data.shards.get(shard) else { return true };
                let held = handle.epochs.get(shard) == Some(&row.epoch);
                row.owner.as_ref().is_none_or(|owner| if *owner == self.me { !held } else { !data.lives(owner) })
            });
            shards.into_iter().map(|shard| handle.hold(data.claim(shard, &self.me))).collect()
        });
        std::future::ready(claimed).boxed()
    }

    fn release(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<(), ReadError>> {
        async move {
            let _last = self.order.write().await;
            let (mut data, mut handle) = (self.reading()?, self.handle());
            for shard in shards {
                let Some(epoch) = handle.epochs.remove(&shard) else { continue };
                let row = data.shards.entry(shard).or_default();
                if row.epoch == epoch {
                    row.ack(handle.acked.get(&shard).copied().unwrap_or(0));
                    (row.owner, row.since) = (None, None);
                }
            }
            Ok(())
        }
        .boxed()
    }

    fn losses(&self) -> broadcast::Receiver<Shard> {
        self.losses.subscribe()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        async {
            let place = self.order.read().await;
            self.wait().await;
            let written = self.write(append);
            drop(place);
            match written? {
                (offset, false) => {
                    self.wait().await;
                    Ok(offset)
                }
                (_, true) => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn append_run(&self, run: Vec<Append>) -> BoxFuture<'_, (Vec<u64>, Option<AppendError>)> {
        async {
            let place = self.order.read().await;
            // As one batch: its delays are those of one append, and nothing comes between.
            self.wait().await;
            let (mut offsets, mut fault) = (Vec::with_capacity(run.len()), None);
            let mut silent = false;
            for append in run {
                match self.write(append) {
                    Ok((offset, mute)) => {
                        offsets.push(offset);
                        silent |= mute;
                    }
                    Err(refused) => {
                        fault = Some(refused);
                        break;
                    }
                }
            }
            drop(place);
            if silent {
                return std::future::pending().await;
            }
            if !offsets.is_empty() {
                self.wait().await;
            }
            (offsets, fault)
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

    fn control(&self) -> Arc<dyn Control> {
        Arc::new(self.clone())
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.handle().trouble().map_or(Ok(()), Err)
    }

    fn lost(&self) -> BoxFuture<'_, ()> {
        let lost = Arc::clone(&self.lost);
        async move { lost.cancelled().await }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let (mut data, mut handle) = (self.data(), self.handle());
        let alive = handle.trouble().is_none();
        for (shard, epoch) in handle.epochs.iter().filter(|_| alive) {
            let row = data.shards.entry(*shard).or_default();
            if row.epoch == *epoch {
                row.ack(handle.acked.get(shard).copied().unwrap_or(0));
            }
        }
        if alive {
            data.nodes.remove(&self.me);
        }
        handle.gone.get_or_insert("the journal is closed");
        std::future::ready(()).boxed()
    }
}

#[cfg(test)]
mod tests;
