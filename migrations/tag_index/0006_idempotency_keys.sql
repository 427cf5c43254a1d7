-- The call that requested an invalidation, if its sender has identified it. A repeated call gets the same invalidation.
-- NULL: it is not identified, or an earlier version has recorded it.
ALTER TABLE invalidations ADD COLUMN idempotency_key TEXT;

CREATE INDEX invalidations_by_key ON invalidations (idempotency_key) WHERE idempotency_key IS NOT NULL;
