-- Visits of a page, as edges have counted them. An eager refresh begins with the pages that are visited most.
ALTER TABLE entries ADD COLUMN visits INTEGER NOT NULL DEFAULT 0;        -- halved with each day
ALTER TABLE entries ADD COLUMN visited_day INTEGER NOT NULL DEFAULT 0;   -- the day since 1970 for which visits counts
