-- Which coordinators hold pages that carry a tag.
CREATE TABLE tag_shards (
  tag TEXT NOT NULL,
  shard TEXT NOT NULL,             -- name of the coordinator object: '<route>#<number>'
  PRIMARY KEY (tag, shard)
) WITHOUT ROWID;

-- The log of invalidations: numbered in order, never changed. Times are milliseconds since the Unix epoch.
CREATE TABLE invalidations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('path', 'tag')),
  name TEXT NOT NULL,              -- the path or the tag
  mode TEXT NOT NULL CHECK (mode IN ('stale', 'expire'))
);

-- What edges poll: the latest row of the log for each scope and mode; an older one says nothing more.
CREATE TABLE feed (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  mode TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (kind, name, mode)
) WITHOUT ROWID;

CREATE UNIQUE INDEX feed_by_seq ON feed (seq);

-- One row per invalidation and coordinator that it concerns, until the coordinator has applied it.
CREATE TABLE deliveries (
  seq INTEGER NOT NULL,
  shard TEXT NOT NULL,
  due INTEGER NOT NULL,            -- when to attempt it
  attempts INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (seq, shard)
) WITHOUT ROWID;

CREATE INDEX deliveries_by_due ON deliveries (due);

-- Facts of this object: 'floor' (feed rows of up to this time may be gone).
CREATE TABLE facts (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
