-- The journal. Once released, this file is never edited: a change is a new file with the next number.
-- Ordinary rowid tables: measured 1.4 to 1.6 times faster to append to than WITHOUT ROWID.

-- What is true of the whole journal: `id` (16 hex digits), `shards`, and `probe`, which tests whether writes work.
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- One row is fencing token (epoch), allocator of offsets (head) and cursor of delivery (out_acked).
CREATE TABLE shard (
  shard     INTEGER PRIMARY KEY,
  epoch     INTEGER NOT NULL,
  head      INTEGER NOT NULL DEFAULT 0,
  out_acked INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The truth. `seq` is dense within an entity, `off` within a shard; `payload` is read as `ver` says.
CREATE TABLE event (
  shard   INTEGER NOT NULL,
  kind    INTEGER NOT NULL,
  id      TEXT NOT NULL,
  seq     INTEGER NOT NULL,
  off     INTEGER NOT NULL,
  epoch   INTEGER NOT NULL,
  ver     INTEGER NOT NULL,
  cause   TEXT,
  out_n   INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (shard, kind, id, seq)
) STRICT;
CREATE UNIQUE INDEX event_off ON event (shard, off);
CREATE UNIQUE INDEX event_cause ON event (shard, kind, id, cause) WHERE cause IS NOT NULL;
CREATE INDEX event_out ON event (shard, off) WHERE out_n > 0;

-- Natural keys of awards: what makes a second one impossible.
CREATE TABLE award (
  shard INTEGER NOT NULL,
  kind  INTEGER NOT NULL,
  id    TEXT NOT NULL,
  key   TEXT NOT NULL,
  seq   INTEGER NOT NULL,
  PRIMARY KEY (shard, kind, id, key)
) STRICT;

-- When an entity wants to be woken; no row: not at all.
CREATE TABLE wake (
  shard INTEGER NOT NULL,
  kind  INTEGER NOT NULL,
  id    TEXT NOT NULL,
  due   INTEGER NOT NULL,
  PRIMARY KEY (shard, kind, id)
) STRICT;

-- A cache: any row may be deleted at any time.
CREATE TABLE snapshot (
  shard INTEGER NOT NULL,
  kind  INTEGER NOT NULL,
  id    TEXT NOT NULL,
  seq   INTEGER NOT NULL,
  state BLOB NOT NULL,
  PRIMARY KEY (shard, kind, id)
) STRICT;

-- Published quests, in the order of publication.
CREATE TABLE quest (
  n       INTEGER PRIMARY KEY,
  id      TEXT NOT NULL,
  version INTEGER NOT NULL,
  source  TEXT NOT NULL,
  UNIQUE (id, version)
) STRICT;
