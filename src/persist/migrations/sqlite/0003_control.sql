-- Tokens that are called back, until none of them can be good any more. `meta.revocations` counts the changes.
CREATE TABLE revocation (
  id     TEXT NOT NULL PRIMARY KEY,
  at     INTEGER NOT NULL,
  ends   INTEGER NOT NULL,
  who    TEXT NOT NULL,
  -- Either all tokens of a player that were signed until a moment, or one token.
  player TEXT,
  until  INTEGER,
  token  TEXT
) STRICT;

-- What operators did. `id` begins with the time, so its order is the order of time.
CREATE TABLE audit (
  id      TEXT NOT NULL PRIMARY KEY,
  at      INTEGER NOT NULL,
  node    TEXT NOT NULL,
  who     TEXT NOT NULL,
  role    TEXT NOT NULL,
  action  TEXT NOT NULL,
  target  TEXT NOT NULL,
  outcome TEXT NOT NULL
) STRICT;
