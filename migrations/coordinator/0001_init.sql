-- One row per page (key) that this shard has rendered or tried to render. Times are milliseconds since the Unix epoch.
CREATE TABLE entries (
  key TEXT PRIMARY KEY,            -- canonical URL of the page
  path TEXT NOT NULL,              -- its canonical path: all variants of a path share it
  version TEXT,                    -- ULID of the render that is published; NULL: nothing is published
  status INTEGER,                  -- HTTP status of the published page
  rendered_at INTEGER,             -- when its last byte arrived
  fresh_until INTEGER,             -- NULL: never ages
  stale_until INTEGER,             -- until when it may be served while it is revalidated; NULL: without end
  error_until INTEGER,             -- until when it may stand in for a failing site; NULL: without end
  body_bytes INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,   -- failed renders since the last good one
  retry_at INTEGER,                -- no render begins before
  pass_until INTEGER,              -- requests pass to the site until then: its answer may not be stored
  marked_by TEXT,                  -- ULID of the render that left retry_at or pass_until
  l2_pending TEXT,                 -- write to L2 still to be made: a version, or 'delete'; NULL: none
  l2_due INTEGER,                  -- when to attempt it
  l2_attempts INTEGER NOT NULL DEFAULT 0,
  l2_written_at INTEGER            -- when L2 was last written under this key
) WITHOUT ROWID;

CREATE INDEX entries_by_path ON entries (path);
CREATE INDEX entries_by_l2_due ON entries (l2_due) WHERE l2_due IS NOT NULL;

-- Which published pages carry a tag.
CREATE TABLE entry_tags (
  tag TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (tag, key)
) WITHOUT ROWID;

CREATE INDEX entry_tags_by_key ON entry_tags (key);

-- Renders under way: at most one per page.
CREATE TABLE leases (
  key TEXT PRIMARY KEY,
  token TEXT NOT NULL,             -- ULID: the fencing token, and the version of the page if it is published
  purpose TEXT NOT NULL CHECK (purpose IN ('cold', 'background')),
  expires_at INTEGER NOT NULL,
  attempt INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX leases_by_expiry ON leases (expires_at);

-- Tags that the tag index knows to be carried by pages of this shard.
CREATE TABLE registered_tags (
  tag TEXT PRIMARY KEY
) WITHOUT ROWID;

-- The latest invalidation received for each scope and mode. A page is concerned if its version is older than received.
CREATE TABLE invalidations (
  kind TEXT NOT NULL CHECK (kind IN ('path', 'tag')),
  name TEXT NOT NULL,              -- the path or the tag
  mode TEXT NOT NULL CHECK (mode IN ('stale', 'expire')),
  seq INTEGER NOT NULL,            -- its number in the tag index's log
  at INTEGER NOT NULL,             -- when the tag index took it
  received TEXT NOT NULL,          -- ULID of this object's own clock: ordered with versions and tokens
  PRIMARY KEY (kind, name, mode)
) WITHOUT ROWID;

-- Facts of this object: 'shard' (its own name), 'clock' (the last ULID issued).
CREATE TABLE facts (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
