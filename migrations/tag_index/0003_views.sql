-- What a person asks about tags, deliveries and coordinators. Nothing of it is stored: a view is computed from the tables
-- when it is read. Times are milliseconds since the Unix epoch; columns that end in _utc are the same times to be read by
-- people.

CREATE VIEW tag_state AS
-- Each tag that some coordinator has carried, or that was invalidated. How fresh its pages are, the coordinators know.
SELECT
  t.tag,
  (SELECT COUNT(*) FROM tag_shards s WHERE s.tag = t.tag) AS shards,   -- coordinators that carry it, or have
  f.seq AS last_invalidated_by,    -- NULL: never, or before what the feed remembers (10,000 scopes)
  f.mode AS last_invalidated_mode,
  f.at AS last_invalidated_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', f.at / 1000.0, 'unixepoch') AS last_invalidated_utc,
  -- Of all its invalidations, how many have still to be applied by how many coordinators, together.
  (SELECT COUNT(*) FROM deliveries d JOIN invalidations i ON i.seq = d.seq
    WHERE d.due IS NOT NULL AND i.kind = 'tag' AND i.name = t.tag) AS pending
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
  (SELECT COUNT(*) FROM deliveries d WHERE d.seq = i.seq AND d.due IS NULL) AS applied,
  (SELECT COUNT(*) FROM deliveries d WHERE d.seq = i.seq AND d.due IS NOT NULL) AS pending,
  (SELECT COALESCE(SUM(d.matched), 0) FROM deliveries d WHERE d.seq = i.seq) AS matched,   -- pages, where it is applied
  (SELECT group_concat(d.shard, ', ') FROM
    (SELECT shard FROM deliveries WHERE seq = i.seq AND due IS NOT NULL ORDER BY shard) d) AS pending_shards,
  (SELECT MAX(d.attempts) FROM deliveries d WHERE d.seq = i.seq AND d.due IS NOT NULL) AS failed_attempts,
  (SELECT MIN(d.due) FROM deliveries d WHERE d.seq = i.seq) AS next_attempt_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', (SELECT MIN(d.due) FROM deliveries d WHERE d.seq = i.seq) / 1000.0, 'unixepoch')
    AS next_attempt_utc
FROM invalidations i;

CREATE VIEW shard_directory AS
-- Each coordinator that has ever been about to publish a page.
SELECT
  s.shard,                         -- name of the coordinator object: '<route>#<number>'
  s.route,
  s.spread_over,                   -- over how many shards its route was spread, at one time or another; 0: not known
  COALESCE(t.tags, 0) AS tags,     -- that it carries, or has carried
  (SELECT COUNT(*) FROM deliveries d WHERE d.due IS NOT NULL AND d.shard = s.shard) AS pending,
  (SELECT MIN(d.seq) FROM deliveries d WHERE d.due IS NOT NULL AND d.shard = s.shard) AS oldest_pending
FROM
  (SELECT shard, route, group_concat(shards, ', ') AS spread_over
    FROM (SELECT * FROM shards ORDER BY shard, shards) GROUP BY shard, route) s
  LEFT JOIN (SELECT shard, COUNT(*) AS tags FROM tag_shards GROUP BY shard) t ON t.shard = s.shard;
