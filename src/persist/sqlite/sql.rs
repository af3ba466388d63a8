//! Every statement that the SQLite journal runs, in one place, as constants: nothing is ever pasted into SQL.
//!
//! The writer's are one row each: the database is in our own process, so a row more costs no way there and back, and
//! all of them stay prepared in the connection's cache.

// Of the folder and the schema.
pub(super) const HAS_TABLE: &str = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?";
pub(super) const SCHEMA: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
pub(super) const META: &str = "SELECT value FROM meta WHERE key = ?";
pub(super) const META_SET: &str = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING";

// Of a transaction.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(super) const BEGIN_READING: &str = "BEGIN";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";
pub(super) const SAVEPOINT: &str = "SAVEPOINT one";
pub(super) const SAVEPOINT_UNDO: &str = "ROLLBACK TO one";
pub(super) const SAVEPOINT_KEEP: &str = "RELEASE one";
/// A write of one page that changes nothing of worth.
pub(super) const PROBE: &str =
    "INSERT INTO meta (key, value) VALUES ('probe', '1') ON CONFLICT (key) DO UPDATE SET value = value + 1";
/// Answers (busy, pages in the log, pages moved); not busy means that all that can be seen is on the disk.
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Takes a shard over: epoch, head, out_acked.
pub(super) const CLAIM: &str = "INSERT INTO shard (shard, epoch) VALUES (?, 1) \
     ON CONFLICT (shard) DO UPDATE SET epoch = epoch + 1 RETURNING epoch, head, out_acked";

/// Of an entity (1 shard, 2 kind, 3 id): where its stream ends, and whether it wants to be woken.
pub(super) const END: &str = "SELECT coalesce((SELECT seq FROM event WHERE shard = ?1 AND kind = ?2 AND id = ?3 \
       ORDER BY seq DESC LIMIT 1), 0), \
     EXISTS (SELECT 1 FROM wake WHERE shard = ?1 AND kind = ?2 AND id = ?3)";

/// The fence (1 shard, 2 epoch, 3 head, 4 n, 5 out_acked): moves the head on, if the shard is still owned.
/// It writes the row that a takeover writes too, so the two can never both pass.
pub(super) const FENCE: &str = "UPDATE shard SET head = head + ?4, out_acked = max(out_acked, min(?5, head + ?4)) \
     WHERE shard = ?1 AND epoch = ?2 AND head = ?3";

pub(super) const EVENT: &str = "INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

pub(super) const AWARD: &str = "INSERT INTO award (shard, kind, id, key, seq) VALUES (?1, ?2, ?3, ?4, ?5)";

pub(super) const WAKE_SET: &str = "INSERT INTO wake (shard, kind, id, due) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (shard, kind, id) DO UPDATE SET due = excluded.due";

pub(super) const WAKE_CLEAR: &str = "DELETE FROM wake WHERE shard = ?1 AND kind = ?2 AND id = ?3";

/// Keeps a snapshot (1 shard, 2 kind, 3 id, 4 seq, 5 state, 6 form) of an entry that is there, unless a newer one is.
pub(super) const SNAPSHOT_SAVE: &str = "INSERT INTO snapshot (shard, kind, id, seq, state, form) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS \
       (SELECT 1 FROM event WHERE shard = ?1 AND kind = ?2 AND id = ?3 AND seq = ?4) \
     ON CONFLICT (shard, kind, id) DO UPDATE SET seq = excluded.seq, state = excluded.state, \
       form = excluded.form WHERE excluded.seq > snapshot.seq OR excluded.form <> snapshot.form";

/// Is the first entry of a batch there, as this batch wrote it?
pub(super) const LANDED: &str =
    "SELECT count(*) FROM event WHERE shard = ? AND kind = ? AND id = ? AND seq = ? AND epoch = ? AND off = ?";

pub(super) const QUEST_SOURCE: &str = "SELECT source FROM quest WHERE id = ? AND version = ?";
pub(super) const QUEST_SAVE: &str = "INSERT INTO quest (id, version, source) VALUES (?, ?, ?)";

// Of reading.
pub(super) const QUESTS: &str = "SELECT id, version, source FROM quest ORDER BY n";

/// A snapshot whose entry is not in the journal is none: the journal is the truth.
pub(super) const SNAPSHOT: &str = "SELECT s.seq, s.state FROM snapshot s \
     WHERE s.shard = ? AND s.kind = ? AND s.id = ? AND s.form = ? AND EXISTS \
       (SELECT 1 FROM event e WHERE e.shard = s.shard AND e.kind = s.kind AND e.id = s.id AND e.seq = s.seq)";

pub(super) const TAIL: &str = "SELECT seq, ver, payload FROM event \
     WHERE shard = ? AND kind = ? AND id = ? AND seq > ? ORDER BY seq";

/// A shard's entities (1 shard) in order after one (2 kind, 3 id), 4 at most.
pub(super) const ENTITIES: &str = "SELECT DISTINCT kind, id FROM event \
     WHERE shard = ?1 AND (kind, id) > (?2, ?3) ORDER BY kind, id LIMIT ?4";

/// Entries with messages (1 shard, 2 after, 3 limit).
pub(super) const UNDELIVERED: &str = "SELECT kind, id, seq, off, ver, payload, epoch FROM event \
     WHERE shard = ?1 AND out_n > 0 \
       AND off > max(?2, coalesce((SELECT out_acked FROM shard WHERE shard = ?1), 0)) ORDER BY off LIMIT ?3";

pub(super) const EPOCH: &str = "SELECT coalesce((SELECT epoch FROM shard WHERE shard = ?), 0)";

pub(super) const WAKES: &str = "SELECT kind, id, due FROM wake WHERE shard = ? ORDER BY due, kind, id";

pub(super) const SCAN: &str = "SELECT kind, id, seq, off, ver, payload, epoch FROM event \
     WHERE shard = ? AND off > ? ORDER BY off LIMIT ?";
