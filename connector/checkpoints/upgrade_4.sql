-- Version 4 of the checkpoint file: dead letters know their store.

-- Empty where it isn't known, as for every letter that was written before.
ALTER TABLE dead_letter ADD COLUMN store_id TEXT NOT NULL DEFAULT '';
DROP INDEX dead_letter_group;
CREATE INDEX dead_letter_group ON dead_letter (letter_group, key, attempts, first_seen, last_seen, store_id);
