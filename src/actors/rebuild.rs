//! Rebuilds the projection for people from the journal when a shard has come to this node, in the background: the shard
//! is served meanwhile.
//!
//! Cards are absolute, and the board takes none that is older than what it has; so it does not matter who comes first,
//! the rebuild or the entity itself. Entities come a page at a time, each from its snapshot on: the work grows with how
//! many there are, not with all that ever happened.

use crate::actors::node::Node;
use crate::cluster::shard::Shard;
use crate::persist::ReadError;
use tracing::debug;

/// Entities read at once: some 4 MB of snapshots and entries at a time.
const PAGE: u32 = 500;

/// Shows every entity of a shard on the board.
pub async fn show(node: &Node, shard: Shard) -> Result<(), ReadError> {
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
