-- Version 1 of the checkpoint file. Times are seconds since 1970.

-- What Redo last accepted, one row an order.
CREATE TABLE checkpoint (
  key         TEXT PRIMARY KEY,
  order_id    TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  accepted_at REAL NOT NULL,
  redo_id     TEXT,
  missing     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX checkpoint_order_id ON checkpoint (order_id);

-- Orders that wait to be looked at. due = 0: at once; attempts > 0: backing off until due.
-- A row id keeps inserts of random keys near each other: half the pages of a table WITHOUT ROWID.
-- newer_first and newer_since belong to what arrived while the order was in flight: they outlive its settlement.
CREATE TABLE ledger (
  key            TEXT PRIMARY KEY,
  first_revision INTEGER NOT NULL,
  revision       INTEGER NOT NULL,
  since          REAL NOT NULL,
  lane           INTEGER NOT NULL,
  due            REAL NOT NULL DEFAULT 0,
  attempts       INTEGER NOT NULL DEFAULT 0,
  confirm        INTEGER NOT NULL DEFAULT 0,
  in_flight      INTEGER NOT NULL DEFAULT 0,
  newer_first    INTEGER,
  newer_since    REAL
);
CREATE INDEX ledger_next ON ledger (lane, due, revision);
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
CREATE INDEX lookup_next ON lookup (first_revision);
CREATE INDEX lookup_together ON lookup (route, cursor, first_revision);
CREATE INDEX lookup_since ON lookup (since);

-- Commits that no snapshot has shown yet.
CREATE TABLE unseen (
  revision INTEGER PRIMARY KEY,
  xid      INTEGER NOT NULL,
  end_lsn  INTEGER NOT NULL
);

CREATE TABLE dead_letter (
  key         TEXT PRIMARY KEY,
  reason      TEXT NOT NULL,
  message     TEXT NOT NULL,
  paths       TEXT NOT NULL,
  fingerprint BLOB,
  first_seen  REAL NOT NULL,
  last_seen   REAL NOT NULL,
  attempts    INTEGER NOT NULL,
  status      INTEGER
) WITHOUT ROWID;
CREATE INDEX dead_letter_reason ON dead_letter (reason);

CREATE TABLE sweep (
  only            INTEGER PRIMARY KEY CHECK (only = 1),
  kind            TEXT NOT NULL,
  cause           TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  wanted_revision INTEGER NOT NULL,
  started_at      REAL NOT NULL,
  phase           INTEGER NOT NULL,
  cursor          TEXT,
  scanned         INTEGER NOT NULL,
  finished_at     REAL
);

CREATE TABLE note (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- One row: the highest revision ever used, and counts of checkpoints, kept by triggers because those are many and stay.
CREATE TABLE census (
  only             INTEGER PRIMARY KEY CHECK (only = 1),
  highest_revision INTEGER NOT NULL DEFAULT 0,
  checkpoints      INTEGER NOT NULL DEFAULT 0,
  missing          INTEGER NOT NULL DEFAULT 0
);
INSERT INTO census (only) VALUES (1);

CREATE TRIGGER checkpoint_made AFTER INSERT ON checkpoint BEGIN
  UPDATE census SET checkpoints = checkpoints + 1, missing = missing + NEW.missing;
END;
CREATE TRIGGER checkpoint_marked AFTER UPDATE ON checkpoint WHEN NEW.missing <> OLD.missing BEGIN
  UPDATE census SET missing = missing + NEW.missing - OLD.missing;
END;
