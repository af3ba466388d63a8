//! Reads a whole journal and says whether it tells one consistent story: what was earned, by whom, told to whom.
//!
//! Points, badges, stock and progress are derived here a second time, from the facts alone and by other code than
//! `evolve`, so a fault of the rules or of a store shows as a difference instead of being believed twice.
//! Promise: it only reads, holds one shard's entities at a time, and keeps of the others only what letters between
//! shards must be compared by. The journal must be of one moment, as one that was opened for reading only is: if it
//! were written to between two shards, a message would be heard that was never sent.

mod check;
pub mod history;
mod letters;
mod news;
mod parts;
mod player;
mod region;
mod team;
mod tidings;
mod trial;
pub mod verdict;
mod words;

pub use check::Check;
pub use history::{History, Recorder};
pub use verdict::{Difference, Verdict};
pub use words::CHECKS;

use crate::cluster::shard::Shard;
use crate::content;
use crate::ids::EntityId;
use crate::persist::{Journal, Loaded, ReadError};
use crate::quest::aggregate::Aggregate;
use crate::quest::catalog::Catalog;

/// Entries read at once.
const BATCH: u32 = 1_000;

/// Verifies a journal. An error says that it cannot be read, a difference that what it says cannot all be true.
pub async fn verify(journal: &dyn Journal) -> Result<Verdict, ReadError> {
    verify_with(journal, None).await
}

/// Verifies a journal, and holds a history of what clients were told against it. The history must have been read
/// before the journal is, or its clients must have stopped.
pub async fn verify_with(journal: &dyn Journal, history: Option<&History>) -> Result<Verdict, ReadError> {
    let (catalog, unread) = catalog(journal).await?;
    let mut check = Check::new(&catalog);
    if let Some(history) = history {
        check = check.with_history(history, journal.id());
    }
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
        let batch = match journal.scan(shard, offset, BATCH).await {
            Ok(batch) => batch,
            // Named and passed over, so that the rest is verified too.
            Err(ReadError::Corrupt { entity, seq, offset: at, reason }) if at > offset => {
                check.unreadable(&entity, seq, at, reason);
                offset = at;
                continue;
            }
            Err(err) => return Err(err),
        };
        let Some(last) = batch.last() else { break };
        offset = last.offset;
        for stored in &batch {
            check.take(shard, stored);
        }
    }
    for id in check.entities_in_hand() {
        match journal.load(&id).await {
            Ok(Loaded { snapshot: Some((seq, bytes)), tail }) => check.snapshot(&id, seq, &bytes, &tail),
            Ok(Loaded { snapshot: None, .. }) => {}
            Err(ReadError::Corrupt { entity, seq, reason, .. }) => check.differ(&entity, seq, "unreadable", reason),
            Err(err) => return Err(err),
        }
    }
    // Whatever is not among the undelivered was acknowledged: nobody will carry it again.
    let first = match journal.undelivered(shard, 0, 1).await {
        Ok(waiting) => waiting.first().map(|stored| stored.offset),
        Err(ReadError::Corrupt { offset: at, .. }) if at > 0 => Some(at),
        Err(err) => return Err(err),
    };
    let acked = first.map_or(offset, |first| first - 1);
    check.owned_in(shard, journal.epoch(shard).await?);
    check.end_of_shard(shard, acked);
    Ok(())
}

/// An entity without history, to be compared with.
fn blank(id: &EntityId) -> Aggregate {
    Aggregate::new(id.clone())
}
