-- What the published page consists of (32 hexadecimal digits), and what L2 holds: the version may be an older one with the
-- same content. NULL: not known for certain.
ALTER TABLE entries ADD COLUMN digest TEXT;
ALTER TABLE entries ADD COLUMN l2_version TEXT;
ALTER TABLE entries ADD COLUMN l2_digest TEXT;

-- One row while renders of this shard have failed in a row; none otherwise.
CREATE TABLE breaker (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  failures INTEGER NOT NULL,       -- of any pages, without a success in between
  probe_at INTEGER NOT NULL        -- once there are too many: when the next render may begin
);

-- A few hundred rows at most: an index would double the writes of each render, and save nothing.
DROP INDEX leases_by_expiry;
