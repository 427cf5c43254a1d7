-- Visits of a page, as edges have counted them: an eager refresh begins with the pages that are visited most. They are
-- halved with each day, and count for the day since 1970 in visited_day.
ALTER TABLE entries ADD COLUMN visits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN visited_day INTEGER NOT NULL DEFAULT 0;
