//! Membership: which nodes live and who owns which shard, told to this node by the database each second.
//!
//! Promise: time is the database's; if it cannot be reached nobody is declared dead, and this node knows by its own
//! monotonic clock when its lease may have run out, so that it stops serving before another begins.

use super::ReadError;
use crate::cluster::member::{NodeId, Owner, Standing, View};
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a node counts as living after it was heard last: three beats may be missed.
pub(super) const TTL: Duration = Duration::from_secs(3);
/// How often it is heard.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// Least time between two beats, however much news there is: 20 a second, and what comes meanwhile shares the next.
pub(super) const GAP: Duration = Duration::from_millis(50);
/// How long a node that joins waits for its name: the lease of its last run, if that was killed, and some.
pub(super) const NAME: Duration = Duration::from_secs(5);
/// How often it looks whether the name is free.
pub(super) const NAME_LOOK: Duration = Duration::from_millis(100);

/// The membership of one node, beside its journal.
pub trait Members: Send + Sync + Debug + 'static {
    /// This run of this node.
    fn me(&self) -> &NodeId;

    /// The last look at the cluster; renewed with each beat, each second and after [`Self::look`].
    fn views(&self) -> watch::Receiver<Arc<View>>;

    /// What to say of oneself from now on; if it has changed, with a beat at once.
    fn stand(&self, standing: Standing);

    /// Beats and looks at once, for there is news.
    fn look(&self);

    /// Whether this node's lease runs for certain: while it does, no other can have claimed what this node serves,
    /// unless this node was buried.
    fn is_certain(&self) -> bool;

    /// Ends the lease of another node whose process is gone. A wrong guess harms no entry.
    fn bury(&self, node: &NodeId) -> BoxFuture<'_, Result<(), ReadError>>;
}

/// Until when a lease runs for certain, by the monotonic clock; asked for with each command, so without a lock.
#[derive(Debug)]
pub(super) struct Until {
    base: Instant,
    /// Nanoseconds after the base.
    nanos: AtomicU64,
}

impl Until {
    /// A lease that does not run yet.
    pub(super) fn over() -> Self {
        Self { base: Instant::now(), nanos: AtomicU64::new(0) }
    }

    /// It runs until then.
    pub(super) fn set(&self, until: Instant) {
        let nanos = until.saturating_duration_since(self.base).as_nanos();
        self.nanos.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Whether it runs.
    pub(super) fn runs(&self) -> bool {
        Instant::now() < self.base + Duration::from_nanos(self.nanos.load(Ordering::Acquire))
    }
}

/// All owners as they were read, for views until they are read again.
#[derive(Debug, Clone)]
pub(super) struct Owners {
    read: Instant,
    rows: Vec<Owner>,
}

impl Owners {
    /// Of each shard, read just now.
    pub(super) fn new(rows: Vec<Owner>) -> Self {
        Self { read: Instant::now(), rows }
    }

    /// As they are now, if no shard has changed hands since.
    pub(super) fn now(&self) -> Vec<Owner> {
        let older = self.read.elapsed();
        let mut rows = self.rows.clone();
        rows.iter_mut().filter(|row| row.node.is_some()).for_each(|row| row.held += older);
        rows
    }

    /// What changes whenever one of them changes hands: a claim adds to the sum of epochs, a release to the free ones.
    pub(super) fn print(&self) -> (u64, u64) {
        let free = self.rows.iter().filter(|row| row.node.is_none()).count();
        (self.rows.iter().map(|row| row.epoch).sum(), u64::try_from(free).unwrap_or(u64::MAX))
    }
}
