-- The inbox beside a checkpoint file: what commands ask of the connector.
CREATE TABLE request (
  number      INTEGER PRIMARY KEY AUTOINCREMENT,
  verb        TEXT NOT NULL,
  arguments   TEXT NOT NULL,
  asked_at    REAL NOT NULL,
  state       TEXT NOT NULL DEFAULT 'waiting',
  done        INTEGER NOT NULL DEFAULT 0,
  total       INTEGER,
  message     TEXT NOT NULL DEFAULT '',
  finished_at REAL
);
CREATE INDEX request_open ON request (state, number) WHERE finished_at IS NULL;
