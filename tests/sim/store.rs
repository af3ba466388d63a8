//! The journal as one process of the simulation has it: the one in memory, but slow, sometimes out of reach, and gone
//! at once when the process dies. A dead process never hears another answer, and nothing of it is written any more.

use crate::rng::Rng;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use waystone::cluster::shard::Shard;
use waystone::ids::EntityId;
use waystone::persist::memory::MemoryJournal;
use waystone::persist::{
    Append, AppendError, Claim, Journal, Loaded, LoadedPage, PublishedSource, ReadError, Stored,
};
use waystone::units::Timestamp;

/// What goes wrong, for all processes of a world: nothing any more once it is calm.
#[derive(Debug)]
pub struct Weather {
    pub rng: Mutex<Rng>,
    calm: AtomicBool,
}

impl Weather {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { rng: Mutex::new(Rng::new(seed)), calm: AtomicBool::new(false) })
    }

    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    /// True once in `n`, while there is a storm.
    pub fn strikes(&self, n: usize) -> bool {
        !self.calm.load(Ordering::SeqCst) && self.rng.lock().expect("no holder panics").one_in(n)
    }

    /// Milliseconds below `most`; mostly none.
    pub async fn pass(&self, most: usize) {
        if self.strikes(2) {
            let wait = self.rng.lock().expect("no holder panics").below(most);
            tokio::time::sleep(Duration::from_millis(wait as u64)).await;
        }
    }
}

/// How a process dies: at once, or at its next append before or after that is in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    Now = 1,
    BeforeAppend = 2,
    AfterAppend = 3,
}

/// One process's journal.
#[derive(Debug)]
pub struct Store {
    inner: MemoryJournal,
    weather: Arc<Weather>,
    dead: AtomicBool,
    doom: AtomicU8,
}

impl Store {
    pub fn new(inner: MemoryJournal, weather: Arc<Weather>) -> Arc<Self> {
        Arc::new(Self { inner, weather, dead: AtomicBool::new(false), doom: AtomicU8::new(0) })
    }

    pub fn die(&self, death: Death) {
        match death {
            Death::Now => self.dead.store(true, Ordering::SeqCst),
            later => self.doom.store(later as u8, Ordering::SeqCst),
        }
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn doomed(&self, death: Death) -> bool {
        let doomed = self.doom.load(Ordering::SeqCst) == death as u8;
        if doomed {
            self.dead.store(true, Ordering::SeqCst);
        }
        doomed
    }

    /// Never returns once the process is dead.
    async fn live(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    async fn write(&self, append: Append) -> Result<u64, AppendError> {
        self.weather.pass(40).await;
        self.live().await;
        if self.doomed(Death::BeforeAppend) {
            self.live().await;
        }
        if self.weather.strikes(40) {
            return Err(AppendError::Unavailable("a storm".to_owned()));
        }
        let written = self.inner.append(append).await;
        if written.is_ok() && self.doomed(Death::AfterAppend) {
            self.live().await;
        }
        self.weather.pass(40).await;
        self.live().await;
        written
    }

    async fn read<T>(&self, read: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
        self.live().await;
        self.weather.pass(10).await;
        self.live().await;
        read.await
    }
}

impl Journal for Store {
    fn id(&self) -> &str {
        self.inner.id()
    }
    fn claim(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>> {
        self.inner.claim(shards)
    }
    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        self.write(append).boxed()
    }
    fn load(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        self.read(self.inner.load(entity)).boxed()
    }
    fn load_entries(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>> {
        self.read(self.inner.load_entries(entity)).boxed()
    }
    fn load_page(&self, shard: Shard, after: Option<EntityId>, limit: u32) -> BoxFuture<'_, LoadedPage> {
        self.read(self.inner.load_page(shard, after, limit)).boxed()
    }
    fn save_snapshot(&self, entity: &EntityId, seq: u64, state: Vec<u8>) -> BoxFuture<'_, Result<(), AppendError>> {
        let save = self.inner.save_snapshot(entity, seq, state);
        async {
            self.live().await;
            save.await
        }
        .boxed()
    }
    fn delivered(&self, shard: Shard, offset: u64) {
        if !self.is_dead() {
            self.inner.delivered(shard, offset);
        }
    }
    fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        self.inner.undelivered(shard, after, limit)
    }
    fn wakes(&self, shard: Shard) -> BoxFuture<'_, Result<Vec<(EntityId, Timestamp)>, ReadError>> {
        self.inner.wakes(shard)
    }
    fn scan(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>> {
        self.inner.scan(shard, after, limit)
    }
    fn epoch(&self, shard: Shard) -> BoxFuture<'_, Result<u64, ReadError>> {
        self.inner.epoch(shard)
    }
    fn publish(&self, source: PublishedSource) -> BoxFuture<'_, Result<(), AppendError>> {
        self.inner.publish(source)
    }
    fn published(&self) -> BoxFuture<'_, Result<Vec<PublishedSource>, ReadError>> {
        self.inner.published()
    }
    fn ready(&self) -> Result<(), &'static str> {
        self.inner.ready()
    }
    fn lost(&self) -> BoxFuture<'_, ()> {
        self.inner.lost()
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        if self.is_dead() { std::future::ready(()).boxed() } else { self.inner.close() }
    }
}
