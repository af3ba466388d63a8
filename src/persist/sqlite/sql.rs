//! Every statement that the SQLite journal runs, in one place, as constants: nothing is ever pasted into SQL.
//!
//! A statement over many rows comes in the [`SIZES`] below, so that a batch of any size is a few statements whose
//! prepared forms stay in the connection's cache (4 sizes of 6 statements, of the 100 that it holds).

/// Rows that one statement takes, largest first. 64 is near the knee that was measured (50), and lets the common
/// batch of as many be one statement; 704 of SQLite's 32,766 parameters.
pub(super) const SIZES: [usize; 4] = [64, 16, 4, 1];

/// A statement over many rows, in each of the [`SIZES`].
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) sql: [&'static str; 4],
    /// Parameters of a row.
    pub(super) columns: usize,
    /// Whether rows of nothing but NULL may fill a statement up, since they match nothing.
    pub(super) padded: bool,
}

macro_rules! four {
    ($($row:tt)*) => {
        concat!($($row)*, ",", $($row)*, ",", $($row)*, ",", $($row)*)
    };
}
macro_rules! rows {
    ($columns:literal, $padded:literal, $before:literal, $row:literal, $after:literal) => {
        Rows {
            sql: [
                concat!($before, four!(four!(four!($row))), $after),
                concat!($before, four!(four!($row)), $after),
                concat!($before, four!($row), $after),
                concat!($before, $row, $after),
            ],
            columns: $columns,
            padded: $padded,
        }
    };
}

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

/// Those entities of (shard, kind, id, last, n) whose stream does not end at `last`, or that want to be woken:
/// n, where the stream ends, and whether there is a wake.
pub(super) const ENDS: Rows = rows!(
    5,
    true,
    "SELECT n, ends, woken FROM (SELECT v.column5 AS n, v.column4 AS last, coalesce((SELECT e.seq FROM event e \
       WHERE e.shard = v.column1 AND e.kind = v.column2 AND e.id = v.column3 ORDER BY e.seq DESC LIMIT 1), 0) AS ends, \
       EXISTS (SELECT 1 FROM wake w WHERE w.shard = v.column1 AND w.kind = v.column2 AND w.id = v.column3) AS woken \
     FROM (VALUES ",
    "(?,?,?,?,?)",
    ") AS v) WHERE ends <> last OR woken"
);

/// The fence, of (shard, epoch, head, n, out_acked): moves the heads on and answers with the shards still owned.
/// It writes the row that a takeover writes too, so the two can never both pass.
pub(super) const FENCE: Rows = rows!(
    5,
    true,
    "UPDATE shard SET head = shard.head + v.column4, \
       out_acked = max(shard.out_acked, min(v.column5, shard.head + v.column4)) \
     FROM (VALUES ",
    "(?,?,?,?,?)",
    ") AS v WHERE shard.shard = v.column1 AND shard.epoch = v.column2 AND shard.head = v.column3 \
     RETURNING shard.shard"
);

pub(super) const EVENTS: Rows = rows!(
    11,
    false,
    "INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?)",
    ""
);

pub(super) const AWARDS: Rows =
    rows!(5, false, "INSERT INTO award (shard, kind, id, key, seq) VALUES ", "(?,?,?,?,?)", "");

pub(super) const WAKES_SET: Rows = rows!(
    4,
    false,
    "INSERT INTO wake (shard, kind, id, due) VALUES ",
    "(?,?,?,?)",
    " ON CONFLICT (shard, kind, id) DO UPDATE SET due = excluded.due"
);

/// CROSS JOIN keeps the few rows given outside and the table inside, by its key.
pub(super) const WAKES_CLEAR: Rows = rows!(
    3,
    true,
    "DELETE FROM wake WHERE rowid IN (SELECT w.rowid FROM (VALUES ",
    "(?,?,?)",
    ") AS v CROSS JOIN wake w ON w.shard = v.column1 AND w.kind = v.column2 AND w.id = v.column3)"
);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_as_many_rows_as_it_says() {
        for statement in [ENDS, FENCE, EVENTS, AWARDS, WAKES_SET, WAKES_CLEAR] {
            for (sql, size) in statement.sql.iter().zip(SIZES) {
                assert_eq!(sql.matches('?').count(), statement.columns * size, "{sql}");
            }
        }
    }
}
