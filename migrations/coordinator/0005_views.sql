-- What a person asks about pages, tags and the shard. Nothing of it is stored: a view is computed from the tables when it
-- is read, and judges as the object does. Times are milliseconds since the Unix epoch; columns that end in _utc are the
-- same times to be read by people.

CREATE VIEW moment AS
-- One row: what time it is.
SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) AS now;

CREATE VIEW ulid_digits (place, unit) AS
-- The ten characters of a ULID that are its time (Crockford's base 32), and the milliseconds that each counts.
VALUES (1, 1 << 45), (2, 1 << 40), (3, 1 << 35), (4, 1 << 30), (5, 1 << 25),
       (6, 1 << 20), (7, 1 << 15), (8, 1 << 10), (9, 1 << 5), (10, 1);

CREATE VIEW page_invalidations AS
-- Which invalidations name which pages, however long ago they came. One concerns the published page if it was received
-- after the page's render began.
SELECT
  e.key,
  e.path,
  i.seq,                           -- the invalidation's number in the tag index's log
  i.kind,
  i.name,
  i.mode,
  CASE i.mode WHEN 'purge' THEN 3 WHEN 'expire' THEN 2 ELSE 1 END AS strength,
  i.at,                            -- when the tag index took it
  i.received,
  i.received > e.version AS concerns   -- 1: the published page is from before it; NULL: nothing is published
FROM entries e
JOIN invalidations i ON
  (i.kind = 'path' AND i.name = e.path)
  OR (i.kind = 'tag' AND i.name IN (SELECT t.tag FROM entry_tags t WHERE t.key = e.key))
  -- A prefix ends where a segment ends: /blog is also /blog/first, but not /blogs.
  OR (i.kind = 'prefix' AND (i.name IN ('/', e.path) OR substr(e.path, 1, length(i.name) + 1) = i.name || '/'))
  -- An object is told of its own route only.
  OR i.kind IN ('route', 'everything');

CREATE VIEW entry_state AS
-- The state of each row of entries: see page_state, which tells more.
SELECT
  e.key,
  e.path,
  CASE
    WHEN e.pass_until > m.now AND NOT EXISTS
      (SELECT 1 FROM page_invalidations i WHERE i.key = e.key AND i.received > e.marked_by) THEN 'passing'
    WHEN e.version IS NULL THEN 'absent'
    -- As old as it is, or as the strongest invalidation makes it.
    ELSE CASE max(
      CASE WHEN e.fresh_until <= m.now THEN CASE WHEN e.stale_until <= m.now THEN 2 ELSE 1 END ELSE 0 END,
      COALESCE((SELECT MAX(i.strength) FROM page_invalidations i WHERE i.key = e.key AND i.concerns), 0)
    ) WHEN 0 THEN 'fresh' WHEN 1 THEN 'stale' WHEN 2 THEN 'expired' ELSE 'absent' END
  END AS state
FROM entries e CROSS JOIN moment m;

CREATE VIEW page_state AS
-- What is known of each page (key): whether it may be served, and why not. Pages that are being rendered for the first
-- time are here too.
SELECT
  key,                             -- canonical URL of the page
  path,                            -- its canonical path: all variants of a path share it
  state,                           -- fresh: served as it is. stale: served, and rendered again behind it.
                                   -- expired: rendered before it is served; may stand in if the site fails.
                                   -- passing: the site answers each visitor, its answer may not be stored.
                                   -- absent: nothing is published (any more); rendered before it is served.
  version,                         -- ULID of the render that is published
  status,                          -- HTTP status of the published page
  body_bytes,
  tags,
  heat,                            -- how often it was rendered again of late
  render_began_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', render_began_at / 1000.0, 'unixepoch') AS render_began_utc,
  rendered_at,                     -- when its last byte arrived
  strftime('%Y-%m-%dT%H:%M:%fZ', rendered_at / 1000.0, 'unixepoch') AS rendered_utc,
  fresh_until,                     -- NULL, with a version: never ages
  strftime('%Y-%m-%dT%H:%M:%fZ', fresh_until / 1000.0, 'unixepoch') AS fresh_until_utc,
  stale_until,                     -- until when it may be served while it is rendered again; NULL: without end
  strftime('%Y-%m-%dT%H:%M:%fZ', stale_until / 1000.0, 'unixepoch') AS stale_until_utc,
  error_until,                     -- until when it may stand in for a failing site; NULL: without end
  strftime('%Y-%m-%dT%H:%M:%fZ', error_until / 1000.0, 'unixepoch') AS error_until_utc,
  -- The strongest invalidation since its render began, the latest of those. NULL: there is none.
  invalidated ->> 'seq' AS invalidated_by,   -- its number in the tag index's log
  invalidated ->> 'mode' AS invalidated_mode,
  invalidated ->> 'kind' AS invalidated_kind,
  invalidated ->> 'name' AS invalidated_name,
  invalidated ->> 'at' AS invalidated_at,    -- when the tag index took it
  strftime('%Y-%m-%dT%H:%M:%fZ', (invalidated ->> 'at') / 1000.0, 'unixepoch') AS invalidated_utc,
  failures,                        -- failed renders since the last good one
  failure_began_at,                -- when the last failed render began
  strftime('%Y-%m-%dT%H:%M:%fZ', failure_began_at / 1000.0, 'unixepoch') AS failure_began_utc,
  retry_at,                        -- no render begins before
  strftime('%Y-%m-%dT%H:%M:%fZ', retry_at / 1000.0, 'unixepoch') AS retry_utc,
  pass_until,
  strftime('%Y-%m-%dT%H:%M:%fZ', pass_until / 1000.0, 'unixepoch') AS pass_until_utc,
  rendering,                       -- cold: a visitor waits. background: the alarm renders. NULL: no render under way.
  rendering_since,
  strftime('%Y-%m-%dT%H:%M:%fZ', rendering_since / 1000.0, 'unixepoch') AS rendering_since_utc,
  rendering_until,                 -- when the render is given up
  strftime('%Y-%m-%dT%H:%M:%fZ', rendering_until / 1000.0, 'unixepoch') AS rendering_until_utc,
  rendering_attempt,               -- renders begun before it that could not be used
  l2,                              -- what L2 (KV) holds. written: the page. writing, deleting: that is still to be done.
                                   -- none: nothing was ever written. unknown: nothing, or something of no use.
  l2_version,                      -- may be older than version, with the same content; NULL: not known for certain
  l2_written_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', l2_written_at / 1000.0, 'unixepoch') AS l2_written_utc,
  l2_due,                          -- when the write that is to be made is attempted (again)
  l2_attempts                      -- of it, how many have failed
FROM
  (SELECT
    e.key,
    e.path,
    s.state,
    e.version,
    e.status,
    e.body_bytes,
    (SELECT group_concat(t.tag, ', ') FROM (SELECT tag FROM entry_tags WHERE key = e.key ORDER BY tag) t) AS tags,
    e.heat,
    (SELECT SUM((instr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(e.version, d.place, 1)) - 1) * d.unit)
      FROM ulid_digits d) AS render_began_at,
    e.rendered_at,
    e.fresh_until,
    e.stale_until,
    e.error_until,
    (SELECT json_object('seq', i.seq, 'mode', i.mode, 'kind', i.kind, 'name', i.name, 'at', i.at)
      FROM page_invalidations i WHERE i.key = e.key AND i.concerns
      ORDER BY i.strength DESC, i.seq DESC LIMIT 1) AS invalidated,
    e.failures,
    CASE WHEN e.failures > 0 THEN
      (SELECT SUM((instr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(e.marked_by, d.place, 1)) - 1) * d.unit)
        FROM ulid_digits d)
    END AS failure_began_at,
    e.retry_at,
    e.pass_until,
    l.purpose AS rendering,
    (SELECT SUM((instr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(l.token, d.place, 1)) - 1) * d.unit)
      FROM ulid_digits d) AS rendering_since,
    l.expires_at AS rendering_until,
    l.attempt AS rendering_attempt,
    CASE
      WHEN e.l2_pending = 'delete' THEN 'deleting'
      WHEN e.l2_pending IS NOT NULL THEN 'writing'
      WHEN e.l2_written_at IS NULL THEN 'none'
      WHEN e.version IS NOT NULL THEN 'written'
      ELSE 'unknown'
    END AS l2,
    e.l2_version,
    e.l2_written_at,
    e.l2_due,
    e.l2_attempts
  FROM entries e JOIN entry_state s ON s.key = e.key LEFT JOIN leases l ON l.key = e.key
  UNION ALL
  SELECT
    u.key, substr(u.rest, 1, instr(u.rest || '?', '?') - 1), 'absent', NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL,
    NULL, NULL, 0, NULL, NULL, NULL, u.purpose,
    (SELECT SUM((instr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(u.token, d.place, 1)) - 1) * d.unit)
      FROM ulid_digits d),
    u.expires_at, u.attempt, 'none', NULL, NULL, NULL, 0
  FROM
    -- The path of a URL begins at the first slash behind its origin, and ends before a question mark.
    (SELECT *, substr(key, instr(key, '://') + 2 + instr(substr(key, instr(key, '://') + 3), '/')) AS rest FROM leases) u
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.key = u.key));

CREATE VIEW tag_state AS
-- Each tag that the tag index knows to be carried here, and the states of the pages that carry it.
SELECT
  t.tag,
  t.pages,                         -- fresh, stale and expired together
  t.fresh,
  t.stale,
  t.expired,
  i.seq AS last_invalidated_by,    -- number of the tag's latest invalidation that was received here; NULL: none
  i.mode AS last_invalidated_mode,
  i.at AS last_invalidated_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', i.at / 1000.0, 'unixepoch') AS last_invalidated_utc
FROM
  (SELECT
    t.tag,
    COUNT(*) FILTER (WHERE e.state IN ('fresh', 'stale', 'expired')) AS pages,
    COUNT(*) FILTER (WHERE e.state = 'fresh') AS fresh,
    COUNT(*) FILTER (WHERE e.state = 'stale') AS stale,
    COUNT(*) FILTER (WHERE e.state = 'expired') AS expired
  FROM entry_tags t JOIN entry_state e ON e.key = t.key GROUP BY t.tag
  UNION ALL
  SELECT r.tag, 0, 0, 0, 0 FROM registered_tags r WHERE NOT EXISTS (SELECT 1 FROM entry_tags t WHERE t.tag = r.tag)) t
  LEFT JOIN invalidations i ON i.kind = 'tag' AND i.name = t.tag AND i.seq =
    (SELECT MAX(seq) FROM invalidations WHERE kind = 'tag' AND name = t.tag);

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
  -- closed: renders begin as they are asked for. open: the site has failed for page after page, and is left alone.
  -- half-open: the next render is the one that finds out whether it has recovered.
  (SELECT CASE WHEN COALESCE(SUM(failures), 0) < 8 THEN 'closed' WHEN MAX(probe_at) > now THEN 'open' ELSE 'half-open' END
    FROM moment LEFT JOIN breaker ON 1) AS breaker,
  (SELECT COALESCE(SUM(failures), 0) FROM breaker) AS breaker_failures,   -- renders of any pages, failed in a row
  (SELECT probe_at FROM breaker WHERE failures >= 8) AS probe_at,   -- once it is open: when the next render may begin
  (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', probe_at / 1000.0, 'unixepoch') FROM breaker WHERE failures >= 8) AS probe_utc,
  (SELECT COUNT(*) FROM sweeps WHERE done_at IS NULL) AS open_sweeps,   -- purges and eager refreshes under way
  (SELECT COUNT(*) FROM sweep_pages) AS sweep_pages,         -- pages that they have still to deal with
  (SELECT MAX(seq) FROM invalidations) AS last_invalidation  -- number of the latest that was received here
FROM entry_state e;
