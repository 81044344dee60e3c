-- The inbox, what commands ask of the connector: a table of the store in Postgres, a file of its own beside an SQLite
-- store. In the words of both engines, as `schema.sql`.
CREATE TABLE request (
  number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY AUTOINCREMENT,
  verb        text NOT NULL,
  arguments   text NOT NULL,
  asked_at    float8 NOT NULL,
  state       text NOT NULL DEFAULT 'waiting',
  done        bigint NOT NULL DEFAULT 0,
  total       bigint,
  message     text NOT NULL DEFAULT '',
  finished_at float8
);
CREATE INDEX request_open ON request (state, number) WHERE finished_at IS NULL;
