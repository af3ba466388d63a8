-- Tokens that are called back, until none of them can be good any more. `meta.revocations` counts the changes.
CREATE TABLE revocation (
  id     text COLLATE "C" NOT NULL PRIMARY KEY,
  at     int8 NOT NULL,
  ends   int8 NOT NULL,
  who    text NOT NULL,
  -- Either all tokens of a player that were signed until a moment, or one token.
  player text,
  until  int8,
  token  text
);

-- What operators did. `id` begins with the time, so its order is the order of time.
CREATE TABLE audit (
  id      text COLLATE "C" NOT NULL PRIMARY KEY,
  at      int8 NOT NULL,
  node    text NOT NULL,
  who     text NOT NULL,
  role    text NOT NULL,
  action  text NOT NULL,
  target  text NOT NULL,
  outcome text NOT NULL
);
