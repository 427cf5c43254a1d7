-- Why the last render of a key was not published, for as long as that has an effect: a failure that counts, a pause, or
-- requests that pass to the origin. It is about the render that marked_by names; after an invalidation has lifted the
-- pause, marked_by is empty, and failures still counts. Earlier code does not write these columns: NULL, or the token of
-- another render, means that the cause is not known.
ALTER TABLE entries ADD COLUMN unpublished_by TEXT;       -- ULID of that render
ALTER TABLE entries ADD COLUMN unpublished_at INTEGER;    -- when it ended
ALTER TABLE entries ADD COLUMN unpublished_reason TEXT;   -- a word of docs/cache-status.md
ALTER TABLE entries ADD COLUMN unpublished_detail TEXT;   -- the status, header or limit; at most 100 characters

DROP VIEW page_state;

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
  failure_began_at,                -- when the last failed render began; NULL: none has failed, or not known
  strftime('%Y-%m-%dT%H:%M:%fZ', failure_began_at / 1000.0, 'unixepoch') AS failure_began_utc,
  retry_at,                        -- no render begins before
  strftime('%Y-%m-%dT%H:%M:%fZ', retry_at / 1000.0, 'unixepoch') AS retry_utc,
  pass_until,
  strftime('%Y-%m-%dT%H:%M:%fZ', pass_until / 1000.0, 'unixepoch') AS pass_until_utc,
  unpublished ->> 'reason' AS unpublished_reason,   -- why its last render was not published; NULL: it was, or not known
  unpublished ->> 'detail' AS unpublished_detail,   -- the status, header or limit that says so
  unpublished ->> 'at' AS unpublished_at,           -- when that render ended
  strftime('%Y-%m-%dT%H:%M:%fZ', (unpublished ->> 'at') / 1000.0, 'unixepoch') AS unpublished_utc,
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
      (SELECT SUM((instr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(COALESCE(e.marked_by, e.unpublished_by), d.place, 1)) - 1) * d.unit)
        FROM ulid_digits d)
    END AS failure_began_at,
    e.retry_at,
    e.pass_until,
    -- Earlier code replaces marked_by alone.
    CASE WHEN CASE WHEN e.marked_by IS NULL THEN e.failures > 0 ELSE e.marked_by = e.unpublished_by END THEN
      json_object('reason', e.unpublished_reason, 'detail', e.unpublished_detail, 'at', e.unpublished_at)
    END AS unpublished,
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
    NULL, NULL, 0, NULL, NULL, NULL, NULL, u.purpose,
    (SELECT SUM((instr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substr(u.token, d.place, 1)) - 1) * d.unit)
      FROM ulid_digits d),
    u.expires_at, u.attempt, 'none', NULL, NULL, NULL, 0
  FROM
    -- The path of a URL begins at the first slash behind its origin, and ends before a question mark.
    (SELECT *, substr(key, instr(key, '://') + 2 + instr(substr(key, instr(key, '://') + 3), '/')) AS rest FROM leases) u
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.key = u.key));
