-- Whether the origin has sent a validator with the published page: 1, or NULL if it has not, or if that is not known.
ALTER TABLE entries ADD COLUMN has_validator INTEGER;
