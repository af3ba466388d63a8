//! Reads a whole journal and says whether it tells one consistent story: what was earned, by whom, told to whom.
//!
//! Points, badges, stock and progress are derived here a second time, from the facts alone and by other code than
//! `evolve`, so a fault of the rules or of a store shows as a difference instead of being believed twice.
//! Promise: it only reads, holds one shard's entities at a time, and keeps of the others only what letters between
//! shards must be compared by. A journal that is written to meanwhile may show letters as pending, nothing worse.

mod check;
mod letters;
mod player;
mod region;
mod team;
pub mod verdict;

pub use check::Check;
pub use verdict::{Difference, Verdict};

use crate::cluster::shard::Shard;
use crate::content;
use crate::ids::EntityId;
use crate::persist::{Journal, ReadError};
use crate::quest::aggregate::Aggregate;
use crate::quest::catalog::Catalog;

/// Entries read at once.
const BATCH: u32 = 1_000;

/// Verifies a journal. An error says that it cannot be read, a difference that what it says cannot all be true.
pub async fn verify(journal: &dyn Journal) -> Result<Verdict, ReadError> {
    let (catalog, unread) = catalog(journal).await?;
    let mut check = Check::new(&catalog);
    for (quest, message) in unread {
        check.differ(&quest, 0, "quest", message);
    }
    for shard in Shard::all() {
        read_shard(journal, &mut check, shard).await?;
    }
    Ok(check.finish())
}

/// The published quests; and those that cannot be read any more.
async fn catalog(journal: &dyn Journal) -> Result<(Catalog, Vec<(String, String)>), ReadError> {
    let (mut catalog, mut unread) = (Catalog::default(), Vec::new());
    for published in journal.published().await? {
        let name = format!("{}@{}", published.quest, published.version);
        // The codes that hang at places decide no award that could be looked up here.
        match content::publish(&published.source, &name, published.version, &|step| step.to_string()) {
            Ok(quest) => catalog = catalog.with(quest.quest),
            Err(report) => unread.push((name, format!("{} errors in its source", report.errors))),
        }
    }
    Ok((catalog, unread))
}

async fn read_shard(journal: &dyn Journal, check: &mut Check<'_>, shard: Shard) -> Result<(), ReadError> {
    let mut offset = 0;
    loop {
        let batch = journal.scan(shard, offset, BATCH).await?;
        let Some(last) = batch.last() else { break };
        offset = last.offset;
        for stored in &batch {
            check.take(shard, stored);
        }
    }
    for id in check.entities_in_hand() {
        let loaded = journal.load(&id).await?;
        if let Some((seq, bytes)) = loaded.snapshot {
            check.snapshot(&id, seq, &bytes, &loaded.tail);
        }
    }
    // Whatever is not among the undelivered was acknowledged: nobody will carry it again.
    let waiting = journal.undelivered(shard, 0, 1).await?;
    let acked = waiting.first().map_or(offset, |stored| stored.offset - 1);
    check.end_of_shard(shard, acked);
    Ok(())
}

/// An entity without history, to be compared with.
fn blank(id: &EntityId) -> Aggregate {
    Aggregate::new(id.clone())
}
