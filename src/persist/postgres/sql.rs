//! Every statement that the Postgres journal runs, in one place, as constants: nothing is ever pasted into SQL.
//!
//! Rows travel as arrays, one for each column. No statement leaves a transaction open: each is its own.

/// Writes a batch: atomic, fenced, and in one round trip.
///
/// - `f`: of each shard what it must still be (shard, epoch, head), how far its head moves (n), and up to where its
///   messages are delivered. The update locks the row that a takeover writes, so the two can never both pass.
/// - `e`: the entries. `first` marks an entity's first one here: the entry before it must be there, or the whole
///   shard is left alone and the entity is named.
/// - `a`: awards, `w`: wakes to set, `c`: wakes to clear.
///
/// Answers with rows (shard, kind, id, ends): those without an id name a shard that took its entries; those with one
/// an entity whose stream ends elsewhere than was thought.
pub(super) const APPEND: &str = r#"
WITH f AS (SELECT * FROM unnest($1::int2[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])
             AS f(shard, epoch, head, n, acked)),
e AS (SELECT * FROM unnest($6::int2[], $7::int2[], $8::text[], $9::int8[], $10::int8[], $11::int4[], $12::text[],
                           $13::int4[], $14::int8[], $15::bytea[], $16::bool[])
        AS e(shard, kind, id, seq, off, ver, cause, out_n, at, payload, first)),
gap AS MATERIALIZED (
  SELECT e.shard, e.kind, e.id FROM e
  WHERE e.first AND e.seq > 1 AND NOT EXISTS (
    SELECT 1 FROM event p WHERE p.shard = e.shard AND p.kind = e.kind AND p.id = e.id AND p.seq = e.seq - 1)),
fence AS (
  UPDATE shard s SET head = s.head + f.n, out_acked = greatest(s.out_acked, least(f.acked, s.head + f.n))
  FROM f WHERE s.shard = f.shard AND s.epoch = f.epoch AND s.head = f.head
    AND NOT EXISTS (SELECT 1 FROM gap WHERE gap.shard = f.shard)
  RETURNING s.shard, s.epoch),
events AS (
  INSERT INTO event (shard, kind, id, seq, off, epoch, ver, cause, out_n, at, payload)
  SELECT e.shard, e.kind, e.id, e.seq, e.off, fence.epoch, e.ver, e.cause, e.out_n, e.at, e.payload
  FROM e JOIN fence ON fence.shard = e.shard),
awards AS (
  INSERT INTO award (shard, kind, id, key, seq)
  SELECT a.shard, a.kind, a.id, a.key, a.seq
  FROM unnest($17::int2[], $18::int2[], $19::text[], $20::text[], $21::int8[]) AS a(shard, kind, id, key, seq)
  JOIN fence ON fence.shard = a.shard),
wakes AS (
  INSERT INTO wake AS old (shard, kind, id, due)
  SELECT w.shard, w.kind, w.id, w.due
  FROM unnest($22::int2[], $23::int2[], $24::text[], $25::int8[]) AS w(shard, kind, id, due)
  JOIN fence ON fence.shard = w.shard
  ON CONFLICT (shard, kind, id) DO UPDATE SET due = excluded.due),
cleared AS (
  DELETE FROM wake USING unnest($26::int2[], $27::int2[], $28::text[]) AS c(shard, kind, id)
  JOIN fence ON fence.shard = c.shard
  WHERE wake.shard = c.shard AND wake.kind = c.kind AND wake.id = c.id)
SELECT fence.shard, NULL::int2 AS kind, NULL::text AS id, 0::int8 AS ends FROM fence
UNION ALL
SELECT gap.shard, gap.kind, gap.id, coalesce((
    SELECT p.seq FROM event p WHERE p.shard = gap.shard AND p.kind = gap.kind AND p.id = gap.id
    ORDER BY p.seq DESC LIMIT 1), 0) FROM gap
"#;

/// Where shards stand, to find out what became of a batch: shard, epoch, head. Asked after a batch that found a row
/// changed, and so after whoever changed it.
pub(super) const SHARDS_NOW: &str = "SELECT shard, epoch, head FROM shard WHERE shard = ANY($1::int2[])";

/// Takes shards over (1 shards, 2 who), but for those that another node serves whose lease runs, or even then (3):
/// shard, epoch, head, out_acked. Rows are locked in their order, so two claims never wait for each other in a ring.
pub(super) const CLAIM: &str = "WITH mine AS ( \
       SELECT s.shard FROM shard s WHERE s.shard = ANY($1::int2[]) AND ($3 OR s.owner = $2 OR \
         NOT EXISTS (SELECT 1 FROM node WHERE node.node = s.owner AND node.until > now())) \
       ORDER BY s.shard FOR UPDATE) \
     UPDATE shard s SET owner = $2, epoch = s.epoch + 1, since = now() FROM mine WHERE s.shard = mine.shard \
     RETURNING s.shard, s.epoch, s.head, s.out_acked";

/// The same (1 shards, 2 who, 3 the epochs that are held of them, 0 for none), but never of what is held, nor of what
/// another serves.
pub(super) const CLAIM_FREE: &str = "WITH mine AS ( \
       SELECT s.shard FROM shard s JOIN unnest($1::int2[], $3::int8[]) AS w(shard, epoch) ON w.shard = s.shard \
       WHERE CASE WHEN s.owner = $2 THEN s.epoch <> w.epoch ELSE \
         NOT EXISTS (SELECT 1 FROM node WHERE node.node = s.owner AND node.until > now()) END \
       ORDER BY s.shard FOR UPDATE OF s) \
     UPDATE shard s SET owner = $2, epoch = s.epoch + 1, since = now() FROM mine WHERE s.shard = mine.shard \
     RETURNING s.shard, s.epoch, s.head, s.out_acked";

/// Gives shards up (of shard, epoch, acked), each unless it is another's by now.
pub(super) const RELEASE: &str = "WITH mine AS ( \
       SELECT s.shard, f.acked FROM shard s JOIN unnest($1::int2[], $2::int8[], $3::int8[]) AS f(shard, epoch, acked) \
         ON f.shard = s.shard WHERE s.epoch = f.epoch ORDER BY s.shard FOR UPDATE OF s) \
     UPDATE shard s SET owner = '', since = NULL, out_acked = greatest(s.out_acked, least(mine.acked, s.head)) \
     FROM mine WHERE s.shard = mine.shard";

/// Moves delivery cursors (of shard, epoch, acked) at the close.
pub(super) const DELIVERED: &str = "UPDATE shard s SET out_acked = greatest(s.out_acked, least(f.acked, s.head)) \
     FROM unnest($1::int2[], $2::int8[], $3::int8[]) AS f(shard, epoch, acked) \
     WHERE s.shard = f.shard AND s.epoch = f.epoch";

/// Keeps snapshots (of shard, kind, id, seq, form, state) of entries that are there, unless newer ones are.
pub(super) const SNAPSHOTS_SAVE: &str = "INSERT INTO snapshot AS old (shard, kind, id, seq, form, state) \
     SELECT s.shard, s.kind, s.id, s.seq, s.form, s.state \
     FROM unnest($1::int2[], $2::int2[], $3::text[], $4::int8[], $5::int4[], $6::bytea[]) \
       AS s(shard, kind, id, seq, form, state) \
     WHERE EXISTS (SELECT 1 FROM event e WHERE e.shard = s.shard AND e.kind = s.kind AND e.id = s.id AND e.seq = s.seq) \
     ON CONFLICT (shard, kind, id) DO UPDATE SET seq = excluded.seq, form = excluded.form, state = excluded.state \
       WHERE excluded.seq > old.seq OR excluded.form <> old.form";

/// Publishes (1 id, 2 version, 3 source) unless the version is there.
pub(super) const QUEST_SAVE: &str = "INSERT INTO quest (id, version, n, source) \
     SELECT $1, $2, coalesce((SELECT max(n) FROM quest), 0) + 1, $3 ON CONFLICT (id, version) DO NOTHING";
pub(super) const QUEST_SOURCE: &str = "SELECT source FROM quest WHERE id = $1 AND version = $2";

/// A write that changes nothing of worth, and wants the locks that an append wants: where those cannot be had, writes do
/// not work, whatever else does.
pub(super) const PROBE: &str = "WITH s AS (UPDATE shard SET head = head WHERE false), \
     e AS (INSERT INTO event SELECT * FROM event WHERE false) UPDATE meta SET value = value WHERE key = 'shards'";

// Of leases.
/// Renews (1 who, 2 seconds).
pub(super) const LEASE: &str = "INSERT INTO node AS old (node, until) \
     VALUES ($1, now() + make_interval(secs => $2)) ON CONFLICT (node) DO UPDATE SET until = excluded.until";
/// How many shards a node has.
pub(super) const OWNED: &str = "SELECT count(*) FROM shard WHERE owner = $1";
pub(super) const LEASE_END: &str = "DELETE FROM node WHERE node = $1";

// Of membership.
/// A name becomes free when who bore it is gone (1 name).
pub(super) const NAME_FREE: &str = "DELETE FROM node WHERE name = $1 AND until <= now()";
/// Whether a key of this fingerprint (1) is the cluster's; if nobody lives in it, it is from now on.
pub(super) const KEY_IS: &str = "INSERT INTO meta (key, value) VALUES ('data_key', $1) ON CONFLICT (key) DO UPDATE \
     SET value = CASE WHEN EXISTS (SELECT 1 FROM node WHERE until > now()) THEN meta.value ELSE excluded.value END \
     RETURNING value = $1";
/// Joins, unless the name is another's (1 who, 2 seconds, 3 name, 4 address, 5 and 6 protocols).
pub(super) const JOIN: &str = "INSERT INTO node (node, until, name, address, protocol_min, protocol_max) \
     VALUES ($1, now() + make_interval(secs => $2), $3, $4, $5, $6) ON CONFLICT DO NOTHING";
/// A beat (as above, and 7 draining, 8 unreachable): renews, and tells in the same round trip, as of just before:
/// - what changes whenever a shard changes hands: a claim adds to the sum of epochs, a release to the free ones;
/// - how many versions of quests there are, and whether the own lease still ran;
/// - each other living member, or one row without any.
pub(super) const BEAT: &str = "WITH beat AS ( \
       INSERT INTO node (node, until, name, address, protocol_min, protocol_max, draining, unreachable) \
       VALUES ($1, now() + make_interval(secs => $2), $3, $4, $5, $6, $7, $8) ON CONFLICT (node) \
       DO UPDATE SET until = excluded.until, draining = excluded.draining, unreachable = excluded.unreachable) \
     SELECT s.epochs, s.free, (SELECT count(*) FROM quest), \
       EXISTS (SELECT 1 FROM node WHERE node.node = $1 AND node.until > now()), \
       n.node, n.name, n.address, n.protocol_min, n.protocol_max, coalesce(n.draining, false), \
       coalesce(n.unreachable, '{}'), (extract(epoch FROM now()) * 1000)::int8 \
     FROM (SELECT sum(epoch)::int8 AS epochs, count(*) FILTER (WHERE owner = '') AS free FROM shard) s \
     LEFT JOIN node n ON n.until > now() AND n.address IS NOT NULL AND n.node <> $1";
/// Whose all shards are: shard, owner, epoch, and for how many seconds.
pub(super) const OWNERS: &str = "SELECT shard, owner, epoch, extract(epoch FROM now() - since)::float8 FROM shard";
/// Ends the lease of a node.
pub(super) const BURY: &str = "UPDATE node SET until = now() WHERE node = $1 AND until > now()";

/// Nodes long gone.
pub(super) const LEASES_SWEEP: &str = "DELETE FROM node WHERE until < now() - interval '1 day'";

// Of the schema.
pub(super) const HAS_TABLE: &str = "SELECT count(*) FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)";
pub(super) const SCHEMA: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
pub(super) const META: &str = "SELECT value FROM meta WHERE key = $1";
pub(super) const META_SET: &str = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
pub(super) const DURABILITY: &str = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
     current_setting('full_page_writes')";

// Of reading.
pub(super) const QUESTS: &str = "SELECT id, version, source FROM quest ORDER BY n, id, version";

/// Where all shards stand at one moment: shard, head, out_acked, epoch.
pub(super) const HEADS: &str = "SELECT shard, head, out_acked, epoch FROM shard";
pub(super) const EPOCH: &str = "SELECT epoch FROM shard WHERE shard = $1";

/// Many entities at once (1 shard, 2 kind, 3 id, 4 the last offset that counts, of each; 5 the form that snapshots must
/// be of, 0 for none): place in the question, snapshot's seq and (with its first entry only) state, then the entry.
/// A snapshot whose entry is not in the journal is none: the journal is the truth. (As a scalar, not as EXISTS, which
/// was planned as a walk over all entries of the entity.)
pub(super) const LOAD: &str = "SELECT x.ord, s.seq, \
     CASE WHEN t.seq IS NULL OR t.seq = s.seq + 1 THEN s.state END, t.seq, t.ver, t.payload \
     FROM unnest($1::int2[], $2::int2[], $3::text[], $4::int8[]) WITH ORDINALITY AS x(shard, kind, id, cut, ord) \
     LEFT JOIN LATERAL (SELECT s.seq, s.state FROM snapshot s \
       WHERE s.shard = x.shard AND s.kind = x.kind AND s.id = x.id AND s.form = $5 AND x.cut >= \
         (SELECT e.off FROM event e WHERE e.shard = s.shard AND e.kind = s.kind AND e.id = s.id AND e.seq = s.seq)) s \
       ON true \
     LEFT JOIN LATERAL (SELECT e.seq, e.ver, e.payload FROM event e \
       WHERE e.shard = x.shard AND e.kind = x.kind AND e.id = x.id AND e.seq > coalesce(s.seq, 0) AND e.off <= x.cut \
       ORDER BY e.seq) t ON true \
     ORDER BY x.ord, t.seq";

/// A shard's entities (1 shard) in order after one (2 kind, 3 id), 4 at most, each found by one step down the key.
pub(super) const ENTITIES: &str = "WITH RECURSIVE t AS ( \
     (SELECT e.kind, e.id FROM event e WHERE e.shard = $1 AND (e.kind, e.id) > ($2, $3) ORDER BY e.kind, e.id LIMIT 1) \
     UNION ALL \
     SELECT n.kind, n.id FROM t CROSS JOIN LATERAL (SELECT e.kind, e.id FROM event e \
       WHERE e.shard = $1 AND (e.kind, e.id) > (t.kind, t.id) ORDER BY e.kind, e.id LIMIT 1) n) \
     SELECT kind, id FROM t LIMIT $4";

/// Entries with messages (1 shard, 2 after, 3 limit, 4 the last offset that counts, 5 delivered up to; NULL: as the
/// shard has it).
pub(super) const UNDELIVERED: &str = "SELECT kind, id, seq, off, epoch, ver, payload FROM event \
     WHERE shard = $1 AND out_n > 0 AND off <= $4 \
       AND off > greatest($2, coalesce($5, (SELECT out_acked FROM shard WHERE shard = $1), 0)) ORDER BY off LIMIT $3";

/// All entries (1 shard, 2 after, 3 limit, 4 the last offset that counts).
pub(super) const SCAN: &str = "SELECT kind, id, seq, off, epoch, ver, payload FROM event \
     WHERE shard = $1 AND off > $2 AND off <= $4 ORDER BY off LIMIT $3";

/// Entries with messages of many shards (1), after an offset in each (2), so many of each at most (3).
pub(super) const LEFT: &str = "SELECT e.kind, e.id, e.seq, e.off, e.epoch, e.ver, e.payload \
     FROM unnest($1::int2[], $2::int8[]) AS x(shard, after) \
     CROSS JOIN LATERAL (SELECT * FROM event WHERE shard = x.shard AND out_n > 0 AND off > x.after \
       ORDER BY off LIMIT $3) e ORDER BY e.shard, e.off";

/// Who of many shards (1) wants to be woken.
pub(super) const WAKES: &str = "SELECT kind, id, due FROM wake WHERE shard = ANY($1) ORDER BY due, kind, id";
