//! Membership: which nodes live and who owns which shard, told to this node by the database each second.
//!
//! Promise: time is the database's; if it cannot be reached nobody is declared dead, and this node knows by its own
//! monotonic clock when its lease may have run out, so that it stops serving before another begins.

use super::ReadError;
use crate::cluster::member::{NodeId, Standing, View};
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::watch;

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
