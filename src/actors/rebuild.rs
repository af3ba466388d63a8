//! Rebuilds the projection for people from the journal after a start, in the background: the node serves meanwhile.
//!
//! Cards are absolute and an entity that commits meanwhile writes a newer card over an older one only if the rebuild
//! has passed it; so the rebuild folds each entity whole and writes only cards of entities that have not spoken since.

use crate::actors::node::Node;
use crate::cluster::router::DELIVERY_DEADLINE;
use crate::ids::EntityId;
use crate::persist::{Claim, ReadError, Stored};
use crate::quest::aggregate::Aggregate;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Entries read at once.
const PAGE: u32 = 1_000;

/// Folds every entry up to the heads at the claim.
pub async fn run(node: Arc<Node>, claims: Vec<Claim>, stop: CancellationToken) {
    for claim in claims.into_iter().filter(|claim| claim.head > 0) {
        let folded = tokio::select! {
            () = stop.cancelled() => return,
            folded = fold(&node, &claim) => folded,
        };
        match folded {
            Ok(entities) => entities.values().for_each(|(aggregate, last)| node.overview.restored(aggregate, last)),
            Err(err) => {
                warn!(%err, "the overview of a shard could not be rebuilt; its cards appear when its entities speak");
                tokio::time::sleep(DELIVERY_DEADLINE / 10).await;
            }
        }
    }
}

type Folded = BTreeMap<EntityId, (Aggregate, Stored)>;

async fn fold(node: &Node, claim: &Claim) -> Result<Folded, ReadError> {
    let mut entities: Folded = BTreeMap::new();
    let mut after = 0;
    while after < claim.head {
        let page = match node.journal.scan(claim.shard, after, PAGE).await {
            Ok(page) => page,
            // The card of the one entity is stale; the others are not.
            Err(ReadError::Corrupt { offset, .. }) if offset > after => {
                after = offset;
                continue;
            }
            Err(err) => return Err(err),
        };
        let Some(last) = page.last() else { break };
        after = last.offset;
        for stored in page.into_iter().filter(|stored| stored.offset <= claim.head) {
            let id = stored.entity.clone();
            // Behind an entry that cannot be read an entity stands still.
            if entities.get(&id).map_or(1, |(aggregate, _)| aggregate.seq + 1) != stored.entry.seq {
                continue;
            }
            let slot = entities.entry(id.clone()).or_insert_with(|| (Aggregate::new(id), stored.clone()));
            slot.0.apply(&stored.entry);
            slot.1 = stored;
        }
    }
    Ok(entities)
}
