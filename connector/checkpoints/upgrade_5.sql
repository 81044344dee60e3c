-- Version 5 of the checkpoint file: which address and store of Redo accepted what.

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
