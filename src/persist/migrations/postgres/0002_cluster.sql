-- Nodes of a cluster. All columns may be empty: a node without an address is a single one, which is no member.
ALTER TABLE node
  ADD COLUMN name         text COLLATE "C",
  ADD COLUMN address      text,
  ADD COLUMN protocol_min int4,
  ADD COLUMN protocol_max int4,
  ADD COLUMN draining     bool,
  ADD COLUMN unreachable  text[];
-- Placement goes by names, so no two living nodes may share one: of two that start at once one is refused by this.
CREATE UNIQUE INDEX node_name ON node (name);

-- When the owner claimed the shard, by this database's clock; empty: before this was written down, or nobody has.
ALTER TABLE shard ADD COLUMN since timestamptz;
