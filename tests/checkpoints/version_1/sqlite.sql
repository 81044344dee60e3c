-- Version 1 of the checkpoint store, in the words of both engines: `connector.checkpoints.statements.tables` puts it
-- into those of one. What only one of them has is in `schema_sqlite.sql` and `schema_postgres.sql`.
-- Times are seconds since 1970. Text compares by bytes, so that keys have the order that Python gives them:
-- says so to Postgres, SQLite does it anyway.
-- Tables that rows run through are vacuumed early: the first rows of an index are what is asked for all the time.

-- What Redo last accepted, one row an order. digest, traits and row_digest are empty where they aren't known.
CREATE TABLE checkpoint (
  key         text PRIMARY KEY,
  order_id    text NOT NULL,
  fingerprint blob NOT NULL,
  accepted_at real NOT NULL,
  redo_id     text,
  missing     integer NOT NULL,
  digest      blob NOT NULL,
  store_id    text NOT NULL,
  traits      blob NOT NULL,
  row_digest  blob NOT NULL
) WITHOUT ROWID;
CREATE INDEX checkpoint_order_id ON checkpoint (order_id);

-- Orders that wait to be looked at. due = 0: at once; attempts > 0: backing off until due.
-- A row id keeps inserts of random keys near each other: half the pages of a table WITHOUT ROWID.
-- newer_* belong to what arrived while the order was in flight: they outlive its settlement.
-- What fails is found apart, so that no number of failing orders is in the way of the others.
CREATE TABLE ledger (
  key            text PRIMARY KEY,
  first_revision integer NOT NULL,
  revision       integer NOT NULL,
  since          real NOT NULL,
  lane           integer NOT NULL,
  due            real NOT NULL DEFAULT 0,
  attempts       integer NOT NULL DEFAULT 0,
  confirm        integer NOT NULL,
  late_until     real,
  approved       integer NOT NULL,
  in_flight      integer NOT NULL DEFAULT false,
  newer_first    integer,
  newer_since    real,
  newer_confirm  integer NOT NULL DEFAULT false,
  newer_approved integer NOT NULL DEFAULT false
);
CREATE INDEX ledger_next ON ledger (lane, due, revision) WHERE attempts = 0;
CREATE INDEX ledger_failing ON ledger (lane, due) WHERE attempts > 0;
CREATE INDEX ledger_since ON ledger (since);

-- Changed rows whose orders only a query can tell. cursor: its keys up to there are in the ledger; '': none yet.
-- walk_revision: the revision the present walk began with; latest_since: when the newest change was committed.
CREATE TABLE lookup (
  route          text NOT NULL,
  columns        text NOT NULL,
  first_revision integer NOT NULL,
  revision       integer NOT NULL,
  since          real NOT NULL,
  latest_since   real NOT NULL,
  cursor         text NOT NULL DEFAULT '',
  walk_revision  integer,
  PRIMARY KEY (route, columns)
) WITHOUT ROWID;
CREATE INDEX lookup_unread ON lookup (first_revision, route, columns) WHERE cursor = '';
CREATE INDEX lookup_begun ON lookup (first_revision, route, columns) WHERE cursor <> '';
CREATE INDEX lookup_together ON lookup (route, cursor, first_revision);
CREATE INDEX lookup_since ON lookup (since);

-- Commits that no snapshot has shown yet.
CREATE TABLE unseen (
  revision integer PRIMARY KEY,
  xid      integer NOT NULL,
  end_lsn  integer NOT NULL
);

CREATE TABLE dead_letter (
  key          text PRIMARY KEY,
  reason       text NOT NULL,
  message      text NOT NULL,
  paths        text NOT NULL,
  fingerprint  blob,
  first_seen   real NOT NULL,
  last_seen    real NOT NULL,
  attempts     integer NOT NULL,
  status       integer,
  cause        text NOT NULL,
  store_id     text NOT NULL,
  letter_group text NOT NULL
) WITHOUT ROWID;
CREATE INDEX dead_letter_reason ON dead_letter (reason);

-- Places at which Redo holds an order beside the checkpoint's.
CREATE TABLE leftover (
  key      text NOT NULL,
  store_id text NOT NULL,
  order_id text NOT NULL,
  PRIMARY KEY (key, store_id, order_id)
) WITHOUT ROWID;

-- Sealed bodies that Redo accepted. A row belongs to a place, which is the checkpoint's or a leftover.
CREATE TABLE payload (
  key      text NOT NULL,
  store_id text NOT NULL,
  order_id text NOT NULL,
  sealed   blob NOT NULL,
  PRIMARY KEY (key, store_id, order_id)
);

-- Which orders have a line item, by a hash of its id. The index serves the other direction.
CREATE TABLE line_item (
  line integer NOT NULL,
  key  text NOT NULL,
  PRIMARY KEY (line, key)
) WITHOUT ROWID;
CREATE INDEX line_item_order ON line_item (key);

-- The reverse index's parts by name, each a small number in `member`. Without a name: given up, its rows are on their
-- way out, and a later part of that name is another one.
CREATE TABLE member_index (
  id   integer PRIMARY KEY,
  name text UNIQUE
);

-- Which orders a child row is part of. The index serves the other direction and holds nothing but the primary key.
CREATE TABLE member (
  index_id integer NOT NULL,
  row_key  text NOT NULL,
  key      text NOT NULL,
  PRIMARY KEY (index_id, row_key, key)
) WITHOUT ROWID;
CREATE INDEX member_order ON member (key);

-- orders is kept by triggers, because a hold may have a million. A hold that has ended stays for a while, since what
-- was on its way into it opens it again. A number is never used twice: a person approves by number.
CREATE TABLE hold (
  number    integer PRIMARY KEY AUTOINCREMENT,
  kind      text NOT NULL,
  cause     text NOT NULL,
  state     text NOT NULL,
  opened_at real NOT NULL,
  orders    integer NOT NULL DEFAULT 0,
  ended     integer NOT NULL DEFAULT false
);
CREATE INDEX hold_open ON hold (number) WHERE NOT ended;

-- spread: a hash of the key, so that the first rows of a hold are any.
CREATE TABLE held (
  key     text PRIMARY KEY,
  hold    integer NOT NULL,
  spread  integer NOT NULL,
  fields  text NOT NULL,
  since   real NOT NULL,
  confirm integer NOT NULL
);
CREATE INDEX held_spread ON held (hold, spread);
CREATE INDEX held_since ON held (hold, since);
CREATE INDEX held_fields ON held (hold, fields);

CREATE TABLE warning (
  key        text NOT NULL,
  kind       text NOT NULL,
  message    text NOT NULL,
  first_seen real NOT NULL,
  last_seen  real NOT NULL,
  times      integer NOT NULL,
  PRIMARY KEY (key, kind)
) WITHOUT ROWID;
CREATE INDEX warning_latest ON warning (last_seen, key, kind);

-- sweep: the record as JSON; the present one is a note.
CREATE TABLE finished_sweep (
  revision    integer NOT NULL,
  started_at  real NOT NULL,
  finished_at real NOT NULL,
  sweep       text NOT NULL,
  PRIMARY KEY (revision, started_at)
) WITHOUT ROWID;

CREATE TABLE note (
  name  text PRIMARY KEY,
  value text NOT NULL
) WITHOUT ROWID;

-- Where orders are pushed to (active), or were once: `orders` is then how many were accepted there.
CREATE TABLE endpoint (
  id       integer PRIMARY KEY,
  store_id text NOT NULL,
  url      text NOT NULL,
  active   integer NOT NULL,
  approved integer NOT NULL,
  orders   integer NOT NULL,
  UNIQUE (store_id, url)
);

-- What endpoints hold that aren't active: the columns of the tables that hold it while they are.
CREATE TABLE parked_checkpoint (endpoint integer NOT NULL, key         text NOT NULL,
  order_id    text NOT NULL,
  fingerprint blob NOT NULL,
  accepted_at real NOT NULL,
  redo_id     text,
  missing     integer NOT NULL,
  digest      blob NOT NULL,
  store_id    text NOT NULL,
  traits      blob NOT NULL,
  row_digest  blob NOT NULL, PRIMARY KEY (endpoint, key)) WITHOUT ROWID;
CREATE TABLE parked_leftover (
  endpoint integer NOT NULL, key      text NOT NULL,
  store_id text NOT NULL,
  order_id text NOT NULL, PRIMARY KEY (endpoint, key, store_id, order_id)
) WITHOUT ROWID;
CREATE TABLE parked_payload (
  endpoint integer NOT NULL, key      text NOT NULL,
  store_id text NOT NULL,
  order_id text NOT NULL,
  sealed   blob NOT NULL, PRIMARY KEY (endpoint, key, store_id, order_id)
) WITHOUT ROWID;
CREATE TABLE parked_line_item (
  endpoint integer NOT NULL, line integer NOT NULL,
  key  text NOT NULL, PRIMARY KEY (endpoint, line, key)
) WITHOUT ROWID;
CREATE TABLE parked_dead_letter (endpoint integer NOT NULL, key          text NOT NULL,
  reason       text NOT NULL,
  message      text NOT NULL,
  paths        text NOT NULL,
  fingerprint  blob,
  first_seen   real NOT NULL,
  last_seen    real NOT NULL,
  attempts     integer NOT NULL,
  status       integer,
  cause        text NOT NULL,
  store_id     text NOT NULL,
  letter_group text NOT NULL, PRIMARY KEY (endpoint, key)) WITHOUT ROWID;

-- One row: the highest revision ever used, and counts of checkpoints, kept by triggers because those are many and stay.
CREATE TABLE census (
  one              integer PRIMARY KEY CHECK (one = true),
  highest_revision integer NOT NULL DEFAULT 0,
  checkpoints      integer NOT NULL DEFAULT 0,
  missing_orders   integer NOT NULL DEFAULT 0
);
INSERT INTO census (one) VALUES (true);
-- What `schema.sql` leaves to SQLite.

-- It has all that a list of groups shows.
CREATE INDEX dead_letter_group ON dead_letter (letter_group, key, attempts, first_seen, last_seen, store_id);
CREATE INDEX warning_kind ON warning (kind);

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

CREATE TRIGGER checkpoint_made AFTER INSERT ON checkpoint BEGIN
  UPDATE census SET checkpoints = checkpoints + 1, missing_orders = missing_orders + NEW.missing;
END;
CREATE TRIGGER checkpoint_marked AFTER UPDATE ON checkpoint WHEN NEW.missing <> OLD.missing BEGIN
  UPDATE census SET missing_orders = missing_orders + NEW.missing - OLD.missing;
END;
CREATE TRIGGER checkpoint_gone AFTER DELETE ON checkpoint BEGIN
  UPDATE census SET checkpoints = checkpoints - 1, missing_orders = missing_orders - OLD.missing;
END;
