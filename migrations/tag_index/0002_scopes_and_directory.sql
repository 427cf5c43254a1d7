-- Invalidations of more kinds and modes. SQLite can't change a CHECK: the table is made anew.
ALTER TABLE invalidations RENAME TO invalidations_before;

-- The log of invalidations: numbered in order, never changed. Times are milliseconds since the Unix epoch.
CREATE TABLE invalidations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('path', 'tag', 'prefix', 'route', 'everything')),
  name TEXT NOT NULL,              -- the path, the tag, the prefix or the route; '' for everything
  mode TEXT NOT NULL CHECK (mode IN ('stale', 'expire', 'purge')),
  refresh TEXT NOT NULL DEFAULT 'lazy' CHECK (refresh IN ('lazy', 'eager'))
);

INSERT INTO invalidations SELECT seq, at, kind, name, mode, 'lazy' FROM invalidations_before;
DROP TABLE invalidations_before;

-- One row per invalidation and coordinator that it concerns. It stays for as long as the log, to tell what came of it.
DROP INDEX deliveries_by_due;
ALTER TABLE deliveries RENAME TO deliveries_before;
CREATE TABLE deliveries (
  seq INTEGER NOT NULL,
  shard TEXT NOT NULL,
  due INTEGER,                     -- when to attempt it; NULL: the coordinator has applied it
  attempts INTEGER NOT NULL DEFAULT 0,
  matched INTEGER,                 -- pages that it concerned there, once applied
  PRIMARY KEY (seq, shard)
) WITHOUT ROWID;

INSERT INTO deliveries SELECT seq, shard, due, attempts, NULL FROM deliveries_before;
DROP TABLE deliveries_before;
CREATE INDEX deliveries_by_due ON deliveries (due) WHERE due IS NOT NULL;

-- Every coordinator that has ever been about to publish a page, under each number of shards that its route has had since:
-- that number says which paths it may hold.
CREATE TABLE shards (
  shard TEXT NOT NULL,             -- name of the coordinator object: '<route>#<number>'
  route TEXT NOT NULL,
  shards INTEGER NOT NULL,         -- over how many shards the route was spread
  PRIMARY KEY (shard, shards)
) WITHOUT ROWID;

CREATE INDEX shards_by_route ON shards (route);

-- Coordinators that registered before this table was there. How many shards their routes had is not known: 0.
INSERT INTO shards SELECT DISTINCT shard, substr(shard, 1, instr(shard, '#') - 1), 0 FROM tag_shards;
