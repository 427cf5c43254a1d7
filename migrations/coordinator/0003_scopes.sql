-- Invalidations of more kinds and modes. SQLite can't change a CHECK: the table is made anew.
ALTER TABLE invalidations RENAME TO invalidations_before;

-- The latest invalidation received for each scope and mode. A page is concerned if its version is older than received.
CREATE TABLE invalidations (
  kind TEXT NOT NULL CHECK (kind IN ('path', 'tag', 'prefix', 'route', 'everything')),
  name TEXT NOT NULL,              -- the path, the tag, the prefix or the route; '' for everything
  mode TEXT NOT NULL CHECK (mode IN ('stale', 'expire', 'purge')),
  seq INTEGER NOT NULL,            -- its number in the tag index's log
  at INTEGER NOT NULL,             -- when the tag index took it
  received TEXT NOT NULL,          -- ULID of this object's own clock: ordered with versions and tokens
  PRIMARY KEY (kind, name, mode)
) WITHOUT ROWID;

INSERT INTO invalidations SELECT kind, name, mode, seq, at, received FROM invalidations_before;
DROP TABLE invalidations_before;
