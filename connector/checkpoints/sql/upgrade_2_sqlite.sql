DROP INDEX warning_kind;
CREATE INDEX warning_kind ON warning (kind, last_seen, key);
