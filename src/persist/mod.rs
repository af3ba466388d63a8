//! The only room that names a database: the journal, its snapshots, and published quests.
//!
//! The journal is the only truth. What it promises, on every store:
//! - **Atomic**: an [`Entry`] with its facts, messages, notices and awards is written whole or not at all.
//! - **Durable before `Ok`**: when `append` answers `Ok`, the entry survives `kill -9` and a power cut.
//! - **One writer**: an append carries the shard's epoch and the entity's expected position; a stale owner's append
//!   is refused in the same statement that would have written it.
//! - **Dense**: an entity's entries are numbered 1, 2, 3, ...; a shard's offsets likewise.
//! - **Never twice**: an entity bears each cause and each award key at most once.
//! - **Never guessed**: an append whose outcome is unknown is resolved by the store before it answers.

use crate::cluster::shard::Shard;
use crate::faults::{self, Bug};
use crate::ids::{EntityId, QuestId};
use crate::quest::aggregate::Aggregate;
use crate::quest::entry::Entry;
use crate::units::Timestamp;
use futures_util::future::BoxFuture;
use rand::TryRngCore;
use rand::rngs::OsRng;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::broadcast;

pub mod commons;
mod control;
mod desk;
mod health;
mod job;
mod members;
pub mod memory;
mod place;
pub mod postgres;
mod record;
pub mod sqlite;
#[cfg(test)]
mod suite;
mod ticket;
mod writer;

pub use control::{ASKED, AuditLine, Control, ControlError, Revocation, Revocations, Revoked};
pub use members::Members;
pub use place::{OpenError, Place};

/// Proof of ownership of a shard: what an append must bear to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The shard.
    pub shard: Shard,
    /// The epoch that this ownership began; grows with each change of owner.
    pub epoch: u64,
    /// The shard's last offset at the time of the claim.
    pub head: u64,
    /// Messages of entries up to this offset have all been delivered.
    pub out_acked: u64,
}

/// One append: an entry to the stream of one entity.
#[derive(Debug, Clone)]
pub struct Append {
    /// Whose stream.
    pub entity: EntityId,
    /// The entry; `entry.seq` is the position expected, the last one plus 1.
    pub entry: Entry,
    /// When the entity wants to be woken after this entry; `None`: not at all. Replaces what it wanted before.
    pub wake: Option<Timestamp>,
}

/// What a store says of an append that it has not accepted. Nothing was written, but for the one case that `Lost`
/// names.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The shard belongs to another owner now: stop all its actors and tell nobody anything. Also said of a shard
    /// that this handle never claimed, and when the store itself ended under way: then the next load shows whether
    /// the entry is there.
    #[error("the shard has another owner")]
    Lost,
    /// The cause has an entry already: what was asked was done before.
    #[error("it was done before: {0}")]
    Repeated(String),
    /// The position or an award stands already: reload the entity.
    #[error("the entity's stream is not where it was thought to be: {0}")]
    Conflict(String),
    /// The store cannot write now (locked, full, gone); the same append may succeed later.
    #[error("the journal cannot be written now: {0}")]
    Unavailable(String),
}

/// A fault of reading.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The store cannot be read now.
    #[error("the journal cannot be read now: {0}")]
    Unavailable(String),
    /// What is stored is not what this version of Waystone writes or knows.
    #[error("{entity} cannot be read at entry {seq}: {reason}")]
    Corrupt {
        /// Whose stream, or what else was read.
        entity: String,
        /// At which entry; 0 is the snapshot.
        seq: u64,
        /// Its shard's offset; 0 where it is not known. A reader of a whole shard goes on after it.
        offset: u64,
        /// What was found.
        reason: String,
    },
}

/// An entity as stored: a snapshot, if there is one, and the entries after it.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The position of the snapshot and its bytes, as `save_snapshot` was given them.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// Entries after the snapshot, in order.
    pub tail: Vec<Entry>,
}

impl Loaded {
    /// The entity as it stands; `None` when its snapshot is of no use: then it is made of its entries
    /// ([`Journal::load_entries`]).
    pub fn restore(&self, id: &EntityId) -> Option<Aggregate> {
        let mut aggregate = match &self.snapshot {
            Some((seq, bytes)) => {
                serde_json::from_slice::<Aggregate>(bytes).ok().filter(|kept| kept.seq == *seq && kept.id == *id)?
            }
            None => Aggregate::new(id.clone()),
        };
        let last = self.tail.len() - usize::from(faults::planted(Bug::LoadSkipsLast) && !self.tail.is_empty());
        self.tail[..last].iter().for_each(|entry| aggregate.apply(entry));
        Some(aggregate)
    }
}

/// Entities of a shard in the order of their ids, each as stored or with the fault of reading it.
pub type LoadedPage = Result<Vec<(EntityId, Result<Loaded, ReadError>)>, ReadError>;

/// An entry with its place in its shard.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Whose.
    pub entity: EntityId,
    /// Its shard's offset: dense, from 1.
    pub offset: u64,
    /// The shard's epoch in which it was written: whose it was then. 0 where it has just been written and was not
    /// read back.
    pub epoch: u64,
    /// The entry.
    pub entry: Entry,
}

/// What the owners of a shard before have left to do.
#[derive(Debug, Clone)]
pub struct Estate {
    /// Of which shard.
    pub shard: Shard,
    /// Entries whose messages are not known to be delivered, in order; `None`: they are many, or one of them cannot be
    /// read, and are to be read by pages ([`Journal::undelivered`]).
    pub undelivered: Option<Vec<Stored>>,
    /// Entities that want to be woken, and when.
    pub wakes: Vec<(EntityId, Timestamp)>,
}

/// Undelivered entries of one shard at most that come with its [`Estate`]: a shard in play has some dozens under way.
pub(crate) const ESTATE_ENTRIES: u32 = 200;

/// A version of a quest as published: its source text, unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedSource {
    /// The quest.
    pub quest: QuestId,
    /// Its version, from 1.
    pub version: u32,
    /// The quest file's text.
    pub source: String,
}

/// Entries of one run at most: half of what is written at once, so that a crowded place leaves the other half to all
/// others.
pub const RUN_MAX: usize = 256;

/// The journal. One suite of tests runs over every store.
pub trait Journal: Send + Sync + Debug + 'static {
    /// The journal's own id, made at its creation: the epoch of every player's stream.
    fn id(&self) -> &str;

    /// Takes over shards for this handle from now on: their epochs grow by one, and every claim of another handle is
    /// void. The handle keeps the epochs and puts them into its appends.
    fn claim(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>>;

    /// The same, but only of what no other living node serves, and without waiting for more: one try. What this handle
    /// holds already is left as it is and not among the answers.
    fn claim_free(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<Vec<Claim>, ReadError>>;

    /// Gives shards up in order, after every append that was asked for before: they are nobody's then, with their
    /// cursors of delivery as far as they are known here. Later appends through this handle answer `Lost`, which is no
    /// loss to speak of. What is not held is passed over; after a fault all are held as before, and may be released
    /// again.
    fn release(&self, shards: Vec<Shard>) -> BoxFuture<'_, Result<(), ReadError>>;

    /// Shards of this handle that turn out to have another owner, from now on. Who falls far behind hears `Lagged`,
    /// and must ask what it still has.
    fn losses(&self) -> broadcast::Receiver<Shard>;

    /// Writes one entry; appends that come at the same time share a commit. Answers with the entry's offset.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>>;

    /// Writes entries of one entity that follow one another, [`RUN_MAX`] at most, side by side with other appends: up to
    /// the first that is refused. Answers with the offsets of those that are written, and why the next one is not.
    fn append_run(&self, run: Vec<Append>) -> BoxFuture<'_, (Vec<u64>, Option<AppendError>)>;

    /// Reads one entity: its snapshot, if there is one of the form that this version writes, and what came after.
    fn load(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>>;

    /// Reads one entity from its first entry on, whatever snapshots there are: for when one cannot be used.
    fn load_entries(&self, entity: &EntityId) -> BoxFuture<'_, Result<Loaded, ReadError>>;

    /// Reads a shard's entities after one, `limit` at most, each as [`Self::load`] does: a cold start in bulk.
    /// Go on until there are none.
    fn load_page(&self, shard: Shard, after: Option<EntityId>, limit: u32) -> BoxFuture<'_, LoadedPage>;

    /// Keeps a snapshot of an entity at a position. A cache: older than one that is there is ignored.
    fn save_snapshot(&self, entity: &EntityId, seq: u64, state: Vec<u8>) -> BoxFuture<'_, Result<(), AppendError>>;

    /// Notes that messages of a shard's entries up to `offset` are delivered. Travels with later appends, so it may
    /// be forgotten by a crash; receivers recognise what comes again.
    fn delivered(&self, shard: Shard, offset: u64);

    /// Entries above a shard's `out_acked` that bear messages, in order, `limit` at most, after `after`.
    /// Go on until there are none: a page ends early before an entry that cannot be read, and the next one, which
    /// begins with it, is the fault that names it.
    fn undelivered(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>>;

    /// All entities of a shard that want to be woken, and when.
    fn wakes(&self, shard: Shard) -> BoxFuture<'_, Result<Vec<(EntityId, Timestamp)>, ReadError>>;

    /// What is left to do in shards that have just been claimed, all at once: after a node has died its shards come to
    /// others by the dozen. In the order of the claims.
    fn estates(&self, claims: Vec<Claim>) -> BoxFuture<'_, Result<Vec<Estate>, ReadError>> {
        let one = async |Claim { shard, head, out_acked, .. }| {
            if head == 0 {
                return Ok(Estate { shard, undelivered: Some(Vec::new()), wakes: Vec::new() });
            }
            let undelivered = match self.undelivered(shard, out_acked, ESTATE_ENTRIES).await {
                Ok(page) => Some(page).filter(|page| page.len() < ESTATE_ENTRIES as usize),
                Err(ReadError::Corrupt { .. }) => None,
                Err(err) => return Err(err),
            };
            Ok(Estate { shard, undelivered, wakes: self.wakes(shard).await? })
        };
        Box::pin(async move {
            let mut estates = Vec::with_capacity(claims.len());
            for claim in claims {
                estates.push(one(claim).await?);
            }
            Ok(estates)
        })
    }

    /// All entries of a shard after an offset, in order, `limit` at most: for projections and for `verify`.
    /// Pages end as those of [`Self::undelivered`] do.
    fn scan(&self, shard: Shard, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Stored>, ReadError>>;

    /// A shard's epoch now; 0 before its first claim. No entry bears a later one.
    fn epoch(&self, shard: Shard) -> BoxFuture<'_, Result<u64, ReadError>>;

    /// Keeps a version of a quest. The same version with the same text is no error; with another text it is.
    fn publish(&self, source: PublishedSource) -> BoxFuture<'_, Result<(), AppendError>>;

    /// All versions of all quests, oldest first.
    fn published(&self) -> BoxFuture<'_, Result<Vec<PublishedSource>, ReadError>>;

    /// What is kept beside it for those who run the server.
    fn control(&self) -> Arc<dyn Control>;

    /// Whether writes are taken; `Err` says in a few words what is wrong.
    fn ready(&self) -> Result<(), &'static str>;

    /// Returns when another owner has taken a shard of this handle: a node that serves all shards must end then.
    fn lost(&self) -> BoxFuture<'_, ()>;

    /// Commits what is under way, checkpoints and closes.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The id of a new journal or of a process: 16 hex digits from the system's randomness.
fn new_id() -> Result<String, String> {
    let random = OsRng.try_next_u64().map_err(|err| err.to_string())?;
    Ok(format!("{random:016x}"))
}
