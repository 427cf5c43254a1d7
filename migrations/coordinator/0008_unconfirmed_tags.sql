-- Whether the tag index is known to have the tag: 1, or 0 if it may have lost it, so that the next page with the tag
-- registers it again. A tag that a page carries keeps its row: a registration tells the tag index what it may forget.
ALTER TABLE registered_tags ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 1;
