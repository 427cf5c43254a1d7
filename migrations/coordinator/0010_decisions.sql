-- The log of decisions: what the coordinator has changed, and why. A ring: the row of a decision is its number modulo the
-- setting decision_log, so that each one replaces the oldest. Earlier code does not write it.
CREATE TABLE decisions (
  slot INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,            -- the number of the decision
  at INTEGER NOT NULL,             -- when it was made, in milliseconds since the Unix epoch
  kind TEXT NOT NULL,              -- a word of docs/admin-api.md
  key TEXT,                        -- canonical URL of the page, if it concerns one page
  version TEXT,                    -- ULID of the page, or of the render
  reason TEXT,                     -- a word of docs/cache-status.md
  detail TEXT,                     -- the status, header, limit or target; at most 100 characters
  invalidation INTEGER,            -- number of the invalidation in the tag index's log
  pages INTEGER,                   -- how many pages it concerns
  took INTEGER                     -- milliseconds from the lease of the render to its result
);

CREATE VIEW decision_log AS
-- The decisions that the log still has, the oldest first.
SELECT
  seq,
  at,
  strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at_utc,
  kind,
  key,
  version,
  reason,
  detail,
  invalidation,
  pages,
  took AS duration_ms
FROM decisions
ORDER BY seq;
