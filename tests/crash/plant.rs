//! Damage to a data folder, done with SQL behind the server's back: what a bad disk, a bad tool or a bad person does.

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::path::Path;
use waystone::persist::sqlite::DATABASE;

/// A row of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    shard: i64,
    kind: i64,
    id: String,
    /// Its number in its stream.
    pub(crate) seq: i64,
    off: i64,
    /// The payload.
    pub(crate) entry: Value,
}

impl Row {
    /// The entity, as `verify` names it.
    pub(crate) fn name(&self) -> String {
        let kind = ["", "player", "team", "region"][usize::try_from(self.kind).expect("a kind")];
        format!("{kind}/{}", self.id)
    }

    /// Whether it is a witness's.
    pub(crate) fn is_player(&self) -> bool {
        self.kind == 1
    }

    /// The place of the first fact of a kind that is as asked.
    pub(crate) fn event(&self, kind: &str, fact: &str, is: impl Fn(&Value) -> bool) -> Option<usize> {
        let events = self.entry["events"].as_array()?;
        events.iter().position(|event| event[kind].get(fact).is_some_and(&is))
    }

    /// Who sent the message that it heard, as `verify` names it.
    pub(crate) fn hears(&self) -> Option<String> {
        let (kind, id) = self.entry["cause"]["message"]["sender"].as_object()?.iter().next()?;
        Some(format!("{kind}/{}", id.as_str()?))
    }
}

/// What a fault does to one row.
#[derive(Debug)]
enum Deed {
    Delete(Row),
    Rewrite(Row),
    Append(Row),
    Move(Row, i64),
}

/// A folder's journal in the hands of a vandal; the deeds are done at the end.
pub(crate) struct Plant {
    conn: SqliteConnection,
    rows: Vec<Row>,
    deeds: Vec<Deed>,
}

impl Plant {
    /// Reads the journal, oldest first within each shard.
    pub(crate) async fn open(data: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(data.join(DATABASE));
        let mut conn = options.connect().await.expect("a journal");
        let query = "SELECT shard, kind, id, seq, off, payload FROM event ORDER BY at, shard, off";
        let stored = sqlx::query(query).fetch_all(&mut conn).await.expect("the journal's table");
        let row = |row: sqlx::sqlite::SqliteRow| Row {
            shard: row.get(0),
            kind: row.get(1),
            id: row.get(2),
            seq: row.get(3),
            off: row.get(4),
            entry: serde_json::from_slice(row.get::<&[u8], _>(5)).expect("a payload is JSON"),
        };
        let rows = stored.into_iter().map(row).collect();
        Self { conn, rows, deeds: Vec::new() }
    }

    /// The first row that is as asked.
    pub(crate) fn find(&self, is: impl Fn(&Row) -> bool) -> Row {
        self.rows.iter().find(|row| is(row)).cloned().expect("a finished game has such an entry")
    }

    /// The last one.
    pub(crate) fn last(&self, is: impl Fn(&Row) -> bool) -> Row {
        self.try_last(is).expect("a finished game has such an entry")
    }

    /// The last one that is not deleted.
    pub(crate) fn try_last(&self, is: impl Fn(&Row) -> bool) -> Option<Row> {
        self.rows.iter().rfind(|row| is(row)).cloned()
    }

    /// Takes a row out.
    pub(crate) fn delete(&mut self, row: &Row) {
        self.rows.retain(|known| (known.name(), known.seq) != (row.name(), row.seq));
        self.deeds.push(Deed::Delete(row.clone()));
    }

    /// Writes a row's payload anew; whose it is.
    pub(crate) fn rewrite(&mut self, row: &Row) -> String {
        self.deeds.push(Deed::Rewrite(row.clone()));
        row.name()
    }

    /// Puts a row at the end of its stream; whose it is.
    pub(crate) fn append(&mut self, mut row: Row) -> String {
        row.seq = self.last(|other| other.name() == row.name()).seq + 1;
        row.off =
            self.rows.iter().filter(|other| other.shard == row.shard).map(|other| other.off).max().unwrap_or(0) + 1;
        row.entry["seq"] = row.seq.into();
        let name = row.name();
        self.deeds.push(Deed::Append(row));
        name
    }

    /// Moves a row, and all behind it, on in its shard.
    pub(crate) fn move_offset(&mut self, row: &Row, by: i64) {
        self.deeds.push(Deed::Move(row.clone(), by));
    }

    /// Does it all. Snapshots go, which are a cache: the fault is to be found in the journal itself.
    pub(crate) async fn done(mut self) {
        sqlx::query("DELETE FROM snapshot").execute(&mut self.conn).await.expect("a cache may go at any time");
        for deed in std::mem::take(&mut self.deeds) {
            self.deed(deed).await;
        }
        self.conn.close().await.expect("the damage is done");
    }

    async fn deed(&mut self, deed: Deed) {
        let key = "shard = ? AND kind = ? AND id = ? AND seq = ?";
        let done = match deed {
            Deed::Delete(row) => {
                let sql = sqlx::AssertSqlSafe(format!("DELETE FROM event WHERE {key}"));
                sqlx::query(sql)
                    .bind(row.shard)
                    .bind(row.kind)
                    .bind(row.id)
                    .bind(row.seq)
                    .execute(&mut self.conn)
                    .await
            }
            Deed::Rewrite(row) => {
                let sql = sqlx::AssertSqlSafe(format!("UPDATE event SET payload = ? WHERE {key}"));
                let query = sqlx::query(sql).bind(row.entry.to_string().into_bytes());
                query.bind(row.shard).bind(row.kind).bind(row.id).bind(row.seq).execute(&mut self.conn).await
            }
            Deed::Append(row) => {
                let sql = "INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload) \
                           VALUES (?, ?, ?, ?, ?, 1, 1, NULL, 0, 0, ?)";
                let query = sqlx::query(sql).bind(row.shard).bind(row.kind).bind(row.id).bind(row.seq).bind(row.off);
                query.bind(row.entry.to_string().into_bytes()).execute(&mut self.conn).await
            }
            Deed::Move(row, by) => {
                // From behind, so that no two rows meet on the way.
                let sql = "UPDATE event SET off = -(off + ?) WHERE shard = ? AND off >= ?";
                let moved = sqlx::query(sql).bind(by).bind(row.shard).bind(row.off).execute(&mut self.conn).await;
                moved.expect("the row is there");
                sqlx::query("UPDATE event SET off = -off WHERE shard = ? AND off < 0")
                    .bind(row.shard)
                    .execute(&mut self.conn)
                    .await
            }
        };
        assert!(done.expect("the journal can be damaged").rows_affected() > 0, "the damage was to be done");
    }
}
