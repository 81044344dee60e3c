-- Version 1 of the checkpoint file. Times are seconds since 1970.

-- What Redo last accepted, one row an order. digest and traits are empty where they aren't known.
CREATE TABLE checkpoint (
  key         TEXT PRIMARY KEY,
  order_id    TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  accepted_at REAL NOT NULL,
  redo_id     TEXT,
  missing     INTEGER NOT NULL,
  digest      BLOB NOT NULL,
  store_id    TEXT NOT NULL,
  traits      BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX checkpoint_order_id ON checkpoint (order_id);

-- Orders that wait to be looked at. due = 0: at once; attempts > 0: backing off until due.
-- A row id keeps inserts of random keys near each other: half the pages of a table WITHOUT ROWID.
-- newer_* belong to what arrived while the order was in flight: they outlive its settlement.
-- What fails is found apart, so that no number of failing orders is in the way of the others.
CREATE TABLE ledger (
  key            TEXT PRIMARY KEY,
  first_revision INTEGER NOT NULL,
  revision       INTEGER NOT NULL,
  since          REAL NOT NULL,
  lane           INTEGER NOT NULL,
  due            REAL NOT NULL DEFAULT 0,
  attempts       INTEGER NOT NULL DEFAULT 0,
  confirm        INTEGER NOT NULL,
  late_until     REAL,
  approved       INTEGER NOT NULL,
  in_flight      INTEGER NOT NULL DEFAULT 0,
  newer_first    INTEGER,
  newer_since    REAL,
  newer_confirm  INTEGER NOT NULL DEFAULT 0,
  newer_approved INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX ledger_next ON ledger (lane, due, revision) WHERE attempts = 0;
CREATE INDEX ledger_failing ON ledger (lane, due) WHERE attempts > 0;
CREATE INDEX ledger_since ON ledger (since);

-- Changed rows whose orders only a query can tell. cursor: its keys up to there are in the ledger.
-- walk_revision: the revision the present walk began with; latest_since: when the newest change was committed.
CREATE TABLE lookup (
  route          TEXT NOT NULL,
  columns        TEXT NOT NULL,
  first_revision INTEGER NOT NULL,
  revision       INTEGER NOT NULL,
  since          REAL NOT NULL,
  latest_since   REAL NOT NULL,
  cursor         TEXT,
  walk_revision  INTEGER,
  PRIMARY KEY (route, columns)
) WITHOUT ROWID;
CREATE INDEX lookup_unread ON lookup (first_revision) WHERE cursor IS NULL;
CREATE INDEX lookup_begun ON lookup (first_revision) WHERE cursor IS NOT NULL;
CREATE INDEX lookup_together ON lookup (route, cursor, first_revision);
CREATE INDEX lookup_since ON lookup (since);

-- Commits that no snapshot has shown yet.
CREATE TABLE unseen (
  revision INTEGER PRIMARY KEY,
  xid      INTEGER NOT NULL,
  end_lsn  INTEGER NOT NULL
);

-- dead_letter_group has all that a list of groups shows.
CREATE TABLE dead_letter (
  key          TEXT PRIMARY KEY,
  reason       TEXT NOT NULL,
  message      TEXT NOT NULL,
  paths        TEXT NOT NULL,
  fingerprint  BLOB,
  first_seen   REAL NOT NULL,
  last_seen    REAL NOT NULL,
  attempts     INTEGER NOT NULL,
  status       INTEGER,
  cause        TEXT NOT NULL,
  store_id     TEXT NOT NULL,
  letter_group TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX dead_letter_reason ON dead_letter (reason);
CREATE INDEX dead_letter_group ON dead_letter (letter_group, key, attempts, first_seen, last_seen, store_id);

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

-- The reverse index's parts by name, each a small number in `member`. Without a name: given up, its rows are on their
-- way out, and a later part of that name is another one.
CREATE TABLE member_index (
  id   INTEGER PRIMARY KEY,
  name TEXT UNIQUE
);

-- Which orders a child row is part of. The index serves the other direction and holds nothing but the primary key.
CREATE TABLE member (
  index_id  INTEGER NOT NULL,
  row_key   TEXT NOT NULL,
  order_key TEXT NOT NULL,
  PRIMARY KEY (index_id, row_key, order_key)
) WITHOUT ROWID;
CREATE INDEX member_order ON member (order_key);

-- orders is kept by triggers, because a hold may have a million. A hold that has ended stays for a while, since what
-- was on its way into it opens it again. A number is never used twice: a person approves by number.
CREATE TABLE hold (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,
  kind      TEXT NOT NULL,
  cause     TEXT NOT NULL,
  state     TEXT NOT NULL,
  opened_at REAL NOT NULL,
  orders    INTEGER NOT NULL DEFAULT 0,
  ended     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX hold_open ON hold (number) WHERE NOT ended;

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
  UPDATE hold SET orders = orders + 1, ended = 0 WHERE number = NEW.hold;
END;
CREATE TRIGGER held_gone AFTER DELETE ON held BEGIN
  UPDATE hold SET orders = orders - 1, ended = (state = 'held' AND orders = 1) WHERE number = OLD.hold;
END;
CREATE TRIGGER held_moved AFTER UPDATE OF hold ON held WHEN NEW.hold <> OLD.hold BEGIN
  UPDATE hold SET orders = orders - 1, ended = (state = 'held' AND orders = 1) WHERE number = OLD.hold;
  UPDATE hold SET orders = orders + 1, ended = 0 WHERE number = NEW.hold;
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

CREATE TABLE sweep (
  one             INTEGER PRIMARY KEY CHECK (one = 1),
  kind            TEXT NOT NULL,
  cause           TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  wanted_revision INTEGER NOT NULL,
  started_at      REAL NOT NULL,
  phase           INTEGER NOT NULL,
  cursor          TEXT,
  scanned         INTEGER NOT NULL,
  finished_at     REAL,
  missed          INTEGER NOT NULL,
  changed         INTEGER NOT NULL,
  extra           INTEGER NOT NULL,
  held            INTEGER NOT NULL
);
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

CREATE TABLE note (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- Where orders are pushed to (active), or were once: `orders` is then how many were accepted there.
CREATE TABLE endpoint (
  id       INTEGER PRIMARY KEY,
  store_id TEXT NOT NULL,
  url      TEXT NOT NULL,
  active   INTEGER NOT NULL,
  approved INTEGER NOT NULL,
  orders   INTEGER NOT NULL,
  UNIQUE (store_id, url)
);

-- What endpoints hold that aren't active: the columns of the tables that hold it while they are.
CREATE TABLE parked_checkpoint (
  endpoint    INTEGER NOT NULL,
  key         TEXT NOT NULL,
  order_id    TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  accepted_at REAL NOT NULL,
  redo_id     TEXT,
  missing     INTEGER NOT NULL,
  digest      BLOB NOT NULL,
  store_id    TEXT NOT NULL,
  traits      BLOB NOT NULL,
  PRIMARY KEY (endpoint, key)
) WITHOUT ROWID;
CREATE TABLE parked_leftover (
  endpoint INTEGER NOT NULL,
  key      TEXT NOT NULL,
  store_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  PRIMARY KEY (endpoint, key, store_id, order_id)
) WITHOUT ROWID;
CREATE TABLE parked_payload (
  id       INTEGER PRIMARY KEY,
  endpoint INTEGER NOT NULL,
  key      TEXT NOT NULL,
  store_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  sealed   BLOB NOT NULL
);
CREATE INDEX parked_payload_endpoint ON parked_payload (endpoint);
CREATE TABLE parked_line_item (
  endpoint  INTEGER NOT NULL,
  line      INTEGER NOT NULL,
  order_key TEXT NOT NULL,
  PRIMARY KEY (endpoint, line, order_key)
) WITHOUT ROWID;
CREATE TABLE parked_dead_letter (
  endpoint     INTEGER NOT NULL,
  key          TEXT NOT NULL,
  reason       TEXT NOT NULL,
  message      TEXT NOT NULL,
  paths        TEXT NOT NULL,
  fingerprint  BLOB,
  first_seen   REAL NOT NULL,
  last_seen    REAL NOT NULL,
  attempts     INTEGER NOT NULL,
  status       INTEGER,
  cause        TEXT NOT NULL,
  store_id     TEXT NOT NULL,
  letter_group TEXT NOT NULL,
  PRIMARY KEY (endpoint, key)
) WITHOUT ROWID;

-- One row: the highest revision ever used, and counts of checkpoints, kept by triggers because those are many and stay.
CREATE TABLE census (
  one              INTEGER PRIMARY KEY CHECK (one = 1),
  highest_revision INTEGER NOT NULL DEFAULT 0,
  checkpoints      INTEGER NOT NULL DEFAULT 0,
  missing          INTEGER NOT NULL DEFAULT 0
);
INSERT INTO census (one) VALUES (1);
CREATE TRIGGER checkpoint_made AFTER INSERT ON checkpoint BEGIN
  UPDATE census SET checkpoints = checkpoints + 1, missing = missing + NEW.missing;
END;
CREATE TRIGGER checkpoint_marked AFTER UPDATE ON checkpoint WHEN NEW.missing <> OLD.missing BEGIN
  UPDATE census SET missing = missing + NEW.missing - OLD.missing;
END;
CREATE TRIGGER checkpoint_gone AFTER DELETE ON checkpoint BEGIN
  UPDATE census SET checkpoints = checkpoints - 1, missing = missing - OLD.missing;
END;
