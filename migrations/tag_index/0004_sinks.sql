-- One row per invalidation and cache in front (sink) that is purged of what it names. It stays for as long as the log, to
-- tell what came of it. Times are milliseconds since the Unix epoch.
CREATE TABLE sink_deliveries (
  seq INTEGER NOT NULL,
  sink TEXT NOT NULL CHECK (sink IN ('platform_cache', 'zone_purge')),
  tag TEXT NOT NULL,               -- the Cache-Tag that is purged: pages carry one for each scope that may name them
  due INTEGER,                     -- when to purge it; NULL: purged for good
  settled INTEGER NOT NULL,        -- from when on no edge fills the cache with the old page again: a purge is for good
  purges INTEGER NOT NULL DEFAULT 0,   -- that the sink has taken
  PRIMARY KEY (seq, sink)
) WITHOUT ROWID;

CREATE INDEX sink_deliveries_by_due ON sink_deliveries (sink, due) WHERE due IS NOT NULL;

-- When each sink may be asked again.
CREATE TABLE sinks (
  sink TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,       -- purges in a row that it has not taken
  not_before INTEGER NOT NULL,     -- the pause after the last of them
  paid_until INTEGER NOT NULL      -- its rate limit: moves on with each purge
) WITHOUT ROWID;

CREATE VIEW sink_state AS
-- Each invalidation in the log and each cache in front that it is purged in. It is on its way until it is purged for good.
SELECT
  d.seq,
  i.kind,
  i.name,
  d.sink,
  d.tag,
  CASE WHEN d.due IS NULL THEN 'done' ELSE 'pending' END AS state,
  d.purges,                        -- the first as soon as may be, the last when no edge can show the old page any more
  strftime('%Y-%m-%dT%H:%M:%fZ', d.due / 1000.0, 'unixepoch') AS due_utc,
  s.failures,                      -- of the sink, in a row
  strftime('%Y-%m-%dT%H:%M:%fZ', CASE WHEN s.failures > 0 THEN s.not_before END / 1000.0, 'unixepoch') AS retry_utc
FROM
  sink_deliveries d
  JOIN invalidations i ON i.seq = d.seq
  LEFT JOIN sinks s ON s.sink = d.sink;
