//! Rebuilds the projection for people from the journal after a start, in the background: the node serves meanwhile.
//!
//! Cards are absolute, and the board takes none that is older than what it has; so it does not matter who comes first,
//! the rebuild or the entity itself. Entities come a page at a time, each from its snapshot on: the work grows with how
//! many there are, not with all that ever happened.

use crate::actors::node::Node;
use crate::cluster::router::DELIVERY_DEADLINE;
use crate::cluster::shard::Shard;
use crate::persist::{Claim, ReadError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Entities read at once: some 4 MB of snapshots and entries at a time.
const PAGE: u32 = 500;

/// Shows every entity of these shards on the board.
pub async fn run(node: Arc<Node>, claims: Vec<Claim>, stop: CancellationToken) {
    for claim in claims.into_iter().filter(|claim| claim.head > 0) {
        let shown = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            shown = show(&node, claim.shard) => shown,
        };
        if let Err(err) = shown {
            warn!(%err, "the overview of a shard could not be rebuilt; its cards appear when its entities speak");
            tokio::time::sleep(DELIVERY_DEADLINE / 10).await;
        }
    }
}

async fn show(node: &Node, shard: Shard) -> Result<(), ReadError> {
    let mut after = None;
    loop {
        let page = node.journal.load_page(shard, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        for (id, loaded) in page {
            // The card of an entity that cannot be read is stale; the others are not.
            match loaded.map(|loaded| loaded.restore(&id)) {
                Ok(Some(aggregate)) => node.overview.restored(&aggregate),
                Ok(None) | Err(_) => debug!(entity = %id, "its card appears when it speaks"),
            }
        }
    }
}
