-- How often the page was rendered of late: halved each day, one more with each render.
ALTER TABLE entries ADD COLUMN heat INTEGER NOT NULL DEFAULT 0;

-- Invalidations whose pages are dealt with one by one: deleted from L2 (mode 'purge'), rendered again (refresh 'eager').
CREATE TABLE sweeps (
  seq INTEGER PRIMARY KEY,         -- the invalidation's number in the tag index's log
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  mode TEXT NOT NULL,
  refresh TEXT NOT NULL CHECK (refresh IN ('lazy', 'eager')),
  received TEXT NOT NULL,          -- ULID of this object's clock: pages of a later version are done
  matched INTEGER,                 -- how many pages there were; NULL: not listed yet
  done INTEGER NOT NULL DEFAULT 0, -- deleted or rendered again
  failed INTEGER NOT NULL DEFAULT 0,
  done_at INTEGER                  -- when the last one was dealt with
);

-- The pages still to be dealt with, the hottest first.
CREATE TABLE sweep_pages (
  seq INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  key TEXT NOT NULL,
  begun INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (seq, rank)
) WITHOUT ROWID;
