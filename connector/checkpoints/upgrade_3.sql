-- Version 3 of the checkpoint file: places in several stores, holds, kept payloads, warnings, the history of sweeps, and
-- dead letters by cause.

-- store_id is empty for what was accepted before, until it is adopted; traits are empty where they aren't known.
ALTER TABLE checkpoint ADD COLUMN store_id TEXT NOT NULL DEFAULT '';
ALTER TABLE checkpoint ADD COLUMN traits BLOB NOT NULL DEFAULT x'';
CREATE INDEX checkpoint_unadopted ON checkpoint (key) WHERE store_id = '';
CREATE TRIGGER checkpoint_gone AFTER DELETE ON checkpoint BEGIN
  UPDATE census SET checkpoints = checkpoints - 1, missing = missing - OLD.missing;
END;

-- newer_confirm and newer_approved: of what arrived while the order was in flight, as newer_first.
ALTER TABLE ledger ADD COLUMN late_until REAL;
ALTER TABLE ledger ADD COLUMN approved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN newer_confirm INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN newer_approved INTEGER NOT NULL DEFAULT 0;

-- Places at which Redo holds an order beside the checkpoint's.
CREATE TABLE leftover (
  key      TEXT NOT NULL,
  store_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  PRIMARY KEY (key, store_id, order_id)
) WITHOUT ROWID;

-- Sealed bodies that Redo accepted. A row belongs to a place, which is the checkpoint's or a leftover.
CREATE TABLE payload (
  id       INTEGER PRIMARY KEY,
  key      TEXT NOT NULL,
  store_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  sealed   BLOB NOT NULL,
  UNIQUE (key, store_id, order_id)
);

-- Which orders have a line item, by a hash of its id. The index serves the other direction.
CREATE TABLE line_item (
  line      INTEGER NOT NULL,
  order_key TEXT NOT NULL,
  PRIMARY KEY (line, order_key)
) WITHOUT ROWID;
CREATE INDEX line_item_order ON line_item (order_key);

-- orders is kept by triggers, because a hold may have a million. A hold that is over stays for a while, since what was
-- on its way into it opens it again. A number is never used twice: a person approves by number.
CREATE TABLE hold (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,
  kind      TEXT NOT NULL,
  cause     TEXT NOT NULL,
  state     TEXT NOT NULL,
  opened_at REAL NOT NULL,
  orders    INTEGER NOT NULL DEFAULT 0,
  over      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX hold_open ON hold (number) WHERE over = 0;

-- spread: a hash of the key, so that the first rows of a hold are any.
CREATE TABLE held (
  key     TEXT PRIMARY KEY,
  hold    INTEGER NOT NULL,
  spread  INTEGER NOT NULL,
  fields  TEXT NOT NULL,
  since   REAL NOT NULL,
  confirm INTEGER NOT NULL
);
CREATE INDEX held_spread ON held (hold, spread);
CREATE INDEX held_since ON held (hold, since);
CREATE INDEX held_fields ON held (hold, fields);
CREATE TRIGGER held_made AFTER INSERT ON held BEGIN
  UPDATE hold SET orders = orders + 1, over = 0 WHERE number = NEW.hold;
END;
CREATE TRIGGER held_gone AFTER DELETE ON held BEGIN
  UPDATE hold SET orders = orders - 1, over = (state = 'held' AND orders = 1) WHERE number = OLD.hold;
END;
CREATE TRIGGER held_moved AFTER UPDATE OF hold ON held WHEN NEW.hold <> OLD.hold BEGIN
  UPDATE hold SET orders = orders - 1, over = (state = 'held' AND orders = 1) WHERE number = OLD.hold;
  UPDATE hold SET orders = orders + 1, over = 0 WHERE number = NEW.hold;
END;

CREATE TABLE warning (
  key        TEXT NOT NULL,
  kind       TEXT NOT NULL,
  message    TEXT NOT NULL,
  first_seen REAL NOT NULL,
  last_seen  REAL NOT NULL,
  times      INTEGER NOT NULL,
  PRIMARY KEY (key, kind)
) WITHOUT ROWID;
CREATE INDEX warning_latest ON warning (last_seen, key, kind);
CREATE INDEX warning_kind ON warning (kind);

ALTER TABLE sweep ADD COLUMN missed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweep ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweep ADD COLUMN extra INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweep ADD COLUMN held INTEGER NOT NULL DEFAULT 0;

CREATE TABLE finished_sweep (
  kind            TEXT NOT NULL,
  cause           TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  wanted_revision INTEGER NOT NULL,
  started_at      REAL NOT NULL,
  phase           INTEGER NOT NULL,
  cursor          TEXT,
  scanned         INTEGER NOT NULL,
  finished_at     REAL NOT NULL,
  missed          INTEGER NOT NULL,
  changed         INTEGER NOT NULL,
  extra           INTEGER NOT NULL,
  held            INTEGER NOT NULL,
  PRIMARY KEY (revision, started_at)
) WITHOUT ROWID;
INSERT INTO finished_sweep SELECT kind, cause, revision, wanted_revision, started_at, phase, cursor, scanned,
  finished_at, missed, changed, extra, held FROM sweep WHERE finished_at IS NOT NULL;

-- letter_group() is the connector's own function. The index has all that a list of groups shows.
ALTER TABLE dead_letter ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN letter_group TEXT NOT NULL DEFAULT '';
UPDATE dead_letter SET cause = substr(message, 1, instr(message || '; ', '; ') - 1);
UPDATE dead_letter SET letter_group = letter_group(reason, cause);
CREATE INDEX dead_letter_group ON dead_letter (letter_group, key, attempts, first_seen, last_seen);
