-- Bounds for what grew with everything that had ever existed. Times are milliseconds since the Unix epoch.

-- The coordinator's generation when it registered the tag, or itself. A coordinator gets a new generation whenever it
-- forgets tags. A message about what it has forgotten concerns older generations only, however late it arrives.
ALTER TABLE tag_shards ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shards ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- The tags of one coordinator, in order.
CREATE INDEX tag_shards_by_shard ON tag_shards (shard);

-- Coordinators whose oldest pending deliveries were dropped, because the log and the feed can't wait for them. A dropped
-- delivery has neither due nor matched. One invalidation of everything replaces those of a coordinator.
CREATE TABLE dropped_deliveries (
  shard TEXT PRIMARY KEY,
  since INTEGER NOT NULL,          -- the first invalidation that was dropped since the last one that was applied
  seq INTEGER NOT NULL,            -- the latest one
  at INTEGER NOT NULL,             -- its time: pages rendered until then count as invalidated
  mode TEXT NOT NULL,              -- the strongest mode of those that were dropped
  due INTEGER NOT NULL,            -- when to attempt it
  attempts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX dropped_deliveries_by_due ON dropped_deliveries (due);

-- Coordinators that no request reaches any more, because their route has left the configuration or has fewer shards. Each
-- is called until it has forgotten its pages.
CREATE TABLE retirements (
  shard TEXT PRIMARY KEY,
  due INTEGER NOT NULL,            -- when to call it
  attempts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX retirements_by_due ON retirements (due);

DROP VIEW tag_state;
DROP VIEW delivery_state;
DROP VIEW shard_directory;

CREATE VIEW pending_deliveries AS
-- Each invalidation and coordinator that has not applied it, whether the delivery is due or was dropped.
SELECT d.seq, d.shard, d.due, d.attempts
FROM deliveries d
WHERE d.due IS NOT NULL OR (d.matched IS NULL AND EXISTS
  (SELECT 1 FROM dropped_deliveries f WHERE f.shard = d.shard AND d.seq BETWEEN f.since AND f.seq));

CREATE VIEW tag_state AS
-- Each tag that some coordinator carries, or that was invalidated. How fresh its pages are, the coordinators know.
SELECT
  t.tag,
  (SELECT COUNT(*) FROM tag_shards s WHERE s.tag = t.tag) AS shards,   -- coordinators that carry it, or have until recently
  f.seq AS last_invalidated_by,    -- NULL: never, or before what the feed remembers (10,000 targets)
  f.mode AS last_invalidated_mode,
  f.at AS last_invalidated_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', f.at / 1000.0, 'unixepoch') AS last_invalidated_utc,
  -- Of all its invalidations, how many have still to be applied by how many coordinators, together.
  (SELECT COUNT(*) FROM pending_deliveries d JOIN invalidations i ON i.seq = d.seq
    WHERE i.kind = 'tag' AND i.name = t.tag) AS pending
FROM
  (SELECT tag FROM tag_shards UNION SELECT name FROM feed WHERE kind = 'tag') t
  LEFT JOIN feed f ON f.kind = 'tag' AND f.name = t.tag AND f.seq =
    (SELECT MAX(seq) FROM feed WHERE kind = 'tag' AND name = t.tag);

CREATE VIEW delivery_state AS
-- Each invalidation in the log, and how far its delivery is. It is on its way for as long as any is pending.
SELECT
  i.seq,
  i.kind,                          -- path, tag, prefix, route or everything
  i.name,
  i.mode,
  i.refresh,
  i.at,                            -- when it was taken, a second ahead of the clock
  strftime('%Y-%m-%dT%H:%M:%fZ', i.at / 1000.0, 'unixepoch') AS at_utc,
  (SELECT COUNT(*) FROM deliveries d WHERE d.seq = i.seq) AS shards,   -- coordinators that it concerns
  (SELECT COUNT(*) FROM deliveries d WHERE d.seq = i.seq)
    - (SELECT COUNT(*) FROM pending_deliveries d WHERE d.seq = i.seq) AS applied,
  (SELECT COUNT(*) FROM pending_deliveries d WHERE d.seq = i.seq) AS pending,
  (SELECT COALESCE(SUM(d.matched), 0) FROM deliveries d WHERE d.seq = i.seq) AS matched,   -- pages, where it is applied
  (SELECT group_concat(d.shard, ', ') FROM
    (SELECT shard FROM pending_deliveries WHERE seq = i.seq ORDER BY shard) d) AS pending_shards,
  (SELECT MAX(d.attempts) FROM pending_deliveries d WHERE d.seq = i.seq) AS failed_attempts,
  (SELECT MIN(d.due) FROM deliveries d WHERE d.seq = i.seq) AS next_attempt_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', (SELECT MIN(d.due) FROM deliveries d WHERE d.seq = i.seq) / 1000.0, 'unixepoch')
    AS next_attempt_utc
FROM invalidations i;

CREATE VIEW shard_directory AS
-- Each coordinator that has been about to publish a page, and has not retired.
SELECT
  s.shard,                         -- name of the coordinator object: '<route>#<number>'
  s.route,
  s.spread_over,                   -- over how many shards its route was spread, at one time or another; 0: not known
  (SELECT COUNT(*) FROM tag_shards t WHERE t.shard = s.shard) AS tags,   -- that it carries, or has until recently
  (SELECT COUNT(*) FROM pending_deliveries d WHERE d.shard = s.shard) AS pending,
  (SELECT MIN(d.seq) FROM pending_deliveries d WHERE d.shard = s.shard) AS oldest_pending,
  -- All its pages rendered until then count as invalidated, because its deliveries until then were dropped. NULL: none.
  (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', f.at / 1000.0, 'unixepoch') FROM dropped_deliveries f WHERE f.shard = s.shard)
    AS dropped_until_utc
FROM
  (SELECT shard, route, group_concat(shards, ', ') AS spread_over
    FROM (SELECT * FROM shards ORDER BY shard, shards) GROUP BY shard, route) s;
