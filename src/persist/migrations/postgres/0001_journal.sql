-- The journal. Once released, this file is never edited: a change is a new file with the next number.
-- The shard leads in every key, and nothing here needs sequences, triggers, foreign keys, advisory locks or
-- LISTEN, so that a database that spreads tables over machines can hold it too.

-- What is true of the whole journal: `id` (16 hex digits) and `shards`.
CREATE TABLE meta (
  key   text NOT NULL PRIMARY KEY,
  value text NOT NULL
);

-- One row is fencing token (epoch), allocator of offsets (head) and cursor of delivery (out_acked). Each append
-- writes it: room in its page keeps the new versions there.
CREATE TABLE shard (
  shard     int2 PRIMARY KEY,
  owner     text NOT NULL,
  epoch     int8 NOT NULL,
  head      int8 NOT NULL DEFAULT 0,
  out_acked int8 NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO shard (shard, owner, epoch) SELECT n, '', 0 FROM generate_series(0, 255) AS n;

-- Who serves, and until when by this database's clock. It decides who may claim; the epoch alone decides who may write.
CREATE TABLE node (
  node  text PRIMARY KEY,
  until timestamptz NOT NULL
);

-- The truth. `seq` is dense within an entity, `off` within a shard; `payload` is read as `ver` says.
CREATE TABLE event (
  shard   int2 NOT NULL,
  kind    int2 NOT NULL,
  id      text COLLATE "C" NOT NULL,
  seq     int8 NOT NULL,
  off     int8 NOT NULL,
  epoch   int8 NOT NULL,
  ver     int4 NOT NULL,
  cause   text COLLATE "C",
  out_n   int4 NOT NULL,
  at      int8 NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (shard, kind, id, seq)
);
CREATE UNIQUE INDEX event_off ON event (shard, off);
CREATE UNIQUE INDEX event_cause ON event (shard, kind, id, cause) WHERE cause IS NOT NULL;
-- What is not delivered yet is found by event_off too: it lies between a shard's out_acked and its head.

-- Natural keys of awards: what makes a second one impossible.
CREATE TABLE award (
  shard int2 NOT NULL,
  kind  int2 NOT NULL,
  id    text COLLATE "C" NOT NULL,
  key   text COLLATE "C" NOT NULL,
  seq   int8 NOT NULL,
  PRIMARY KEY (shard, kind, id, key)
);

-- When an entity wants to be woken; no row: not at all.
CREATE TABLE wake (
  shard int2 NOT NULL,
  kind  int2 NOT NULL,
  id    text COLLATE "C" NOT NULL,
  due   int8 NOT NULL,
  PRIMARY KEY (shard, kind, id)
);

-- A cache: any row may be deleted at any time. `form` says how `state` is to be read.
CREATE TABLE snapshot (
  shard int2 NOT NULL,
  kind  int2 NOT NULL,
  id    text COLLATE "C" NOT NULL,
  seq   int8 NOT NULL,
  form  int4 NOT NULL,
  state bytea NOT NULL,
  PRIMARY KEY (shard, kind, id)
);

-- Published quests; `n` is the order of publication. The text is bytes: it may hold what a text column may not.
CREATE TABLE quest (
  id      text COLLATE "C" NOT NULL,
  version int4 NOT NULL,
  n       int8 NOT NULL,
  source  bytea NOT NULL,
  PRIMARY KEY (id, version)
);
