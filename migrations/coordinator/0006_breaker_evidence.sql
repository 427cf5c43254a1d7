-- The breaker counts keys that fail, not renders. What it knew before is dropped: it closes, and opens again if the origin
-- is sick.
DROP VIEW shard_state;
DROP TABLE breaker;

-- One row while the last render of some keys has failed; none otherwise.
CREATE TABLE breaker (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  failures INTEGER NOT NULL,       -- keys whose last render has failed within the minute before the last change
  pauses INTEGER NOT NULL,         -- pauses since it opened, each twice as long as the one before; 0: it is closed
  probe_at INTEGER NOT NULL,       -- while it is open: when the next render may begin
  evidence TEXT NOT NULL           -- the last results: hash of the key, time, and s(uccess), e(rror) or u(nreachable)
);

CREATE VIEW shard_state AS
-- One row: the object as a whole.
SELECT
  (SELECT value FROM facts WHERE name = 'shard') AS shard,   -- its name, '<route>#<number>'; NULL: never asked for a page
  COUNT(*) FILTER (WHERE e.state IN ('fresh', 'stale', 'expired')) AS pages,
  COUNT(*) FILTER (WHERE e.state = 'fresh') AS fresh,
  COUNT(*) FILTER (WHERE e.state = 'stale') AS stale,
  COUNT(*) FILTER (WHERE e.state = 'expired') AS expired,
  COUNT(*) FILTER (WHERE e.state = 'passing') AS passing,
  (SELECT COUNT(*) FROM entries WHERE failures > 0) AS failing,   -- keys whose last render has failed
  (SELECT COUNT(*) FROM registered_tags) AS tags,
  (SELECT COUNT(*) FROM leases) AS renders,                  -- under way or queued
  (SELECT COUNT(*) FROM entries WHERE l2_due IS NOT NULL) AS l2_pending,   -- writes and deletions still to be made
  (SELECT COUNT(*) FROM entries WHERE l2_due IS NOT NULL AND l2_attempts > 0) AS l2_failing,   -- of those, once refused
  -- closed: renders begin as requested. open: the origin is sick, and renders only invalidated pages.
  -- half-open: the next render is the probe that finds out whether the origin has recovered.
  (SELECT CASE WHEN COALESCE(SUM(pauses), 0) = 0 THEN 'closed' WHEN MAX(probe_at) > now THEN 'open' ELSE 'half-open' END
    FROM moment LEFT JOIN breaker ON 1) AS breaker,
  (SELECT COALESCE(SUM(failures), 0) FROM breaker) AS breaker_failures,   -- keys that failed within the minute before the last change
  (SELECT probe_at FROM breaker WHERE pauses > 0) AS probe_at,   -- while it is open: when the next render may begin
  (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', probe_at / 1000.0, 'unixepoch') FROM breaker WHERE pauses > 0) AS probe_utc,
  (SELECT COUNT(*) FROM sweeps WHERE done_at IS NULL) AS open_sweeps,   -- purges and eager refreshes under way
  (SELECT COUNT(*) FROM sweep_pages) AS sweep_pages,         -- pages that they have still to deal with
  (SELECT MAX(seq) FROM invalidations) AS last_invalidation  -- number of the latest that was received here
FROM entry_state e;
