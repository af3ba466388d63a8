//! One suite for every store: what [`super::Journal`] promises, as tests. A new store adds a [`Bench`] and a line.

use super::memory::MemoryJournal;
use super::postgres::{self, PostgresJournal};
use super::sqlite::{self, DATABASE, SqliteJournal};
use super::{Append, AppendError, Journal};
use crate::cluster::shard::Shard;
use crate::ids::{EntityId, PlayerId, RegionId, TeamId};
use crate::quest::act::CommandId;
use crate::quest::command::{Command, PlayerCommand};
use crate::quest::entry::{Cause, Entry, Outgoing};
use crate::quest::event::{Event, PlayerEvent, TeamEvent};
use crate::units::Timestamp;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

mod appends;
mod control;
pub(super) mod members;
mod owners;
mod reads;

/// A store under test.
pub(super) trait Bench: Sized {
    type Store: Journal;
    /// Whether what a living process has claimed is not free for another one.
    const LEASES: bool = true;
    /// An empty store, with all shards claimed.
    async fn new() -> Self;
    fn journal(&self) -> &Self::Store;
    /// Another process on the same data, while the first one is there; it has claimed nothing.
    async fn rival(&self) -> Self::Store;
    /// Closes and opens anew, with all shards claimed.
    async fn reopen(&mut self);
    /// Replaces an entry as it is stored.
    async fn overwrite(&self, entity: &EntityId, seq: u64, ver: u32, payload: &str);
}

/// The memory store.
pub(super) struct Memory(MemoryJournal);

impl Bench for Memory {
    type Store = MemoryJournal;
    async fn new() -> Self {
        let journal = MemoryJournal::new();
        claim_all(&journal).await;
        Self(journal)
    }
    fn journal(&self) -> &MemoryJournal {
        &self.0
    }
    async fn rival(&self) -> MemoryJournal {
        self.0.reopen()
    }
    async fn reopen(&mut self) {
        self.0.close().await;
        self.0 = self.0.reopen();
        claim_all(&self.0).await;
    }
    async fn overwrite(&self, entity: &EntityId, seq: u64, ver: u32, payload: &str) {
        self.0.faults().overwrite(entity, seq, ver, payload.as_bytes());
    }
}

/// The SQLite store.
pub(super) struct Sqlite {
    pub(super) dir: Folder,
    pub(super) journal: SqliteJournal,
}

impl Bench for Sqlite {
    type Store = SqliteJournal;
    const LEASES: bool = false;
    async fn new() -> Self {
        let dir = Folder::new();
        let journal = SqliteJournal::open(&dir.0, sqlite::Options::default()).await.expect("a new folder");
        claim_all(&journal).await;
        Self { dir, journal }
    }
    fn journal(&self) -> &SqliteJournal {
        &self.journal
    }
    async fn rival(&self) -> SqliteJournal {
        SqliteJournal::open_unlocked(&self.dir.0).await.expect("the database is there")
    }
    async fn reopen(&mut self) {
        self.journal.close().await;
        self.journal = SqliteJournal::open(&self.dir.0, sqlite::Options::default()).await.expect("it was closed");
        claim_all(&self.journal).await;
    }
    async fn overwrite(&self, entity: &EntityId, seq: u64, ver: u32, payload: &str) {
        let sql = "UPDATE event SET ver = ?, payload = CAST(? AS BLOB) WHERE kind = ? AND id = ? AND seq = ?";
        let query = sqlx::query(sql).bind(ver).bind(payload).bind(entity.kind()).bind(entity.key());
        let seq = i64::try_from(seq).expect("small");
        let done = query.bind(seq).execute(&mut self.dir.connect().await).await.expect("a valid statement");
        assert_eq!(done.rows_affected(), 1);
    }
}

/// The Postgres store, in a database of its own on a server that the test process starts.
pub(super) struct Postgres {
    pub(super) url: String,
    pub(super) journal: PostgresJournal,
}

impl Postgres {
    /// The URL of an empty database.
    pub(super) async fn database() -> String {
        let created = tokio::task::spawn_blocking(|| waystone_kit::Postgres::shared().create_database());
        created.await.expect("it does not panic").expect("the server runs")
    }
    pub(super) async fn open(url: &str) -> PostgresJournal {
        let options = postgres::Options { seize: true, ..postgres::Options::default() };
        PostgresJournal::open(url, options).await.expect("the database is migrated")
    }
    /// Another connection to the database.
    pub(super) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the server runs")
    }
}

impl Bench for Postgres {
    type Store = PostgresJournal;
    async fn new() -> Self {
        let url = Self::database().await;
        assert_eq!(postgres::migrate(&url).await.expect("a new database").0, 0);
        let journal = Self::open(&url).await;
        claim_all(&journal).await;
        Self { url, journal }
    }
    fn journal(&self) -> &PostgresJournal {
        &self.journal
    }
    async fn rival(&self) -> PostgresJournal {
        Self::open(&self.url).await
    }
    async fn reopen(&mut self) {
        self.journal.close().await;
        self.journal = Self::open(&self.url).await;
        claim_all(&self.journal).await;
    }
    async fn overwrite(&self, entity: &EntityId, seq: u64, ver: u32, payload: &str) {
        let sql = "UPDATE event SET ver = $1, payload = $2 WHERE kind = $3 AND id = $4 AND seq = $5";
        let ver = i32::try_from(ver).expect("small");
        let query = sqlx::query(sql).bind(ver).bind(payload.as_bytes()).bind(i16::from(entity.kind()));
        let seq = i64::try_from(seq).expect("small");
        let done = query.bind(entity.key()).bind(seq).execute(&mut self.connect().await).await;
        assert_eq!(done.expect("a valid statement").rows_affected(), 1);
    }
}

/// A folder for one test; gone when the test is.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("waystone-journal-{}-{n}", std::process::id())))
    }
    /// Another connection to the database.
    pub(super) async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.0.join(DATABASE));
        SqliteConnection::connect_with(&options).await.expect("the database is there")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) async fn claim_all(journal: &impl Journal) {
    journal.claim(Shard::all().collect()).await.expect("shards can be claimed");
}

pub(super) fn player(key: &str) -> EntityId {
    EntityId::Player(PlayerId::new(key).expect("valid"))
}

pub(super) fn team(key: &str) -> EntityId {
    EntityId::Team(TeamId::new(key).expect("valid"))
}

/// The `n`th players of a shard, found by trying.
pub(super) fn players_of(shard: Shard) -> impl Iterator<Item = EntityId> {
    (0..).map(|n| player(&format!("p{n}"))).filter(move |entity| Shard::of(entity) == shard)
}

pub(super) fn entry(seq: u64) -> Entry {
    Entry {
        seq,
        at: Timestamp::from_millis(1_800_000_000_000),
        cause: None,
        hops: 0,
        events: vec![Event::Player(PlayerEvent::Shared { on: true })],
        out: Vec::new(),
        notices: Vec::new(),
        reply: None,
        awards: Vec::new(),
        dropped: false,
    }
}

pub(super) fn append(entity: &EntityId, seq: u64) -> Append {
    Append { entity: entity.clone(), entry: entry(seq), wake: None }
}

pub(super) fn caused(entity: &EntityId, seq: u64, cmd: &str) -> Append {
    let mut append = append(entity, seq);
    let (player, cmd) = (PlayerId::new("ada").expect("valid"), CommandId::new(cmd).expect("valid"));
    append.entry.cause = Some(Cause::Client { player, cmd, fingerprint: u64::MAX });
    append
}

pub(super) fn awarded(entity: &EntityId, seq: u64, awards: &[&str]) -> Append {
    let mut append = append(entity, seq);
    append.entry.awards = awards.iter().map(|award| (*award).to_owned()).collect();
    append
}

pub(super) fn sending(entity: &EntityId, seq: u64) -> Append {
    let mut append = append(entity, seq);
    let command = Command::Player(PlayerCommand::Share { on: false });
    append.entry.out = vec![Outgoing { to: player("bo"), command }];
    append
}

pub(super) fn waking(entity: &EntityId, seq: u64, due: i64) -> Append {
    Append { wake: Some(Timestamp::from_millis(due)), ..append(entity, seq) }
}

pub(super) fn named(entity: &EntityId, seq: u64, name: &str) -> Append {
    let mut append = append(entity, seq);
    append.entry.events = vec![Event::Team(TeamEvent::Created { name: name.to_owned(), secret: "s".to_owned() })];
    append
}

#[track_caller]
pub(super) fn assert_conflict(result: &Result<u64, AppendError>, word: &str) {
    match result {
        Err(AppendError::Conflict(text) | AppendError::Repeated(text)) => {
            assert!(text.starts_with(word), "{text:?} does not say {word:?}")
        }
        other => panic!("{other:?} is no conflict"),
    }
}

#[track_caller]
pub(super) fn assert_lost(result: &Result<u64, AppendError>) {
    assert!(matches!(result, Err(AppendError::Lost)), "{result:?} is not lost");
}

#[track_caller]
pub(super) fn assert_unavailable<T: std::fmt::Debug>(result: &Result<T, AppendError>, word: &str) {
    match result {
        Err(AppendError::Unavailable(text)) => assert!(text.contains(word), "{text:?} does not say {word:?}"),
        other => panic!("{other:?} is not unavailable"),
    }
}

/// The numbers of an entity's entries, without a snapshot.
pub(super) async fn seqs(journal: &impl Journal, entity: &EntityId) -> Vec<u64> {
    let loaded = journal.load(entity).await.expect("it can be read");
    loaded.tail.iter().map(|entry| entry.seq).collect()
}

pub(super) fn region(key: &str) -> EntityId {
    EntityId::Region(RegionId::new(key).expect("valid"))
}

macro_rules! suite {
    ($($file:ident: $($case:ident)*;)*) => {
        mod memory {
            use super::*;
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { $file::$case(Memory::new().await).await; })*)*
        }
        mod on_sqlite {
            use super::*;
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { $file::$case(Sqlite::new().await).await; })*)*
        }
        mod on_postgres {
            use super::*;
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { $file::$case(Postgres::new().await).await; })*)*
        }
    };
}

suite! {
    appends:
        offsets_are_dense_and_answered
        an_entry_comes_back_whole
        a_number_that_stands_is_refused
        a_gap_is_refused
        number_zero_is_refused
        a_second_cause_is_refused
        a_second_award_is_refused
        an_award_twice_in_one_entry_is_refused
        what_is_refused_leaves_nothing
        causes_and_awards_belong_to_one_entity
        a_shard_that_is_not_claimed_is_lost
        an_old_claim_is_lost
        other_shards_commit_beside_a_lost_one
        a_claim_tells_epoch_and_head
        appends_to_one_entity_may_queue
        only_the_guilty_is_refused
        a_thousand_at_once_are_dense_and_durable
        a_closed_journal_takes_nothing;
    control:
        revocations_are_seen_by_all_until_they_end
        revocations_are_bounded
        the_audit_log_is_read_from_its_end_and_trimmed_at_its_beginning;
    owners:
        what_is_held_is_not_claimed_again
        only_what_nobody_serves_is_free
        what_is_released_takes_nothing_and_is_no_loss
        a_release_comes_after_what_was_asked_before
        a_release_writes_how_far_deliveries_are
        deliveries_are_as_the_claim_found_them
        each_loss_is_told_once;
    reads:
        what_is_unknown_is_empty
        a_snapshot_spares_the_entries_before_it
        an_older_snapshot_is_ignored
        a_snapshot_of_no_entry_is_ignored
        undelivered_comes_in_order
        what_is_delivered_does_not_come_again
        delivery_travels_with_an_append
        delivery_is_written_at_the_close
        delivery_stops_at_the_head
        a_wake_is_replaced_and_removed
        wakes_come_in_order
        what_is_left_to_do_comes_for_many_shards_at_once
        a_scan_is_ordered_and_paged
        a_shard_is_loaded_page_by_page
        entries_can_be_read_past_a_snapshot
        an_entity_that_cannot_be_read_spoils_no_page
        an_entry_bears_the_epoch_of_its_writing
        publishing_again_is_no_fault
        another_text_of_a_version_is_refused
        an_unknown_event_stops_its_entity_only
        an_unknown_form_stops_its_entity_only
        an_entry_under_another_number_is_a_fault
        a_page_ends_before_what_cannot_be_read
        a_nul_in_a_name_survives;
}
