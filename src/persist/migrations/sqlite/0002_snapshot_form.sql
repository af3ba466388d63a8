-- How a snapshot is to be read. Those that are there are of a form that was not written down: they are read as the
-- first one, and rebuilt where that fails.
ALTER TABLE snapshot ADD COLUMN form INTEGER NOT NULL DEFAULT 1;
