-- Version 1 of the checkpoint store, in the words of both engines: `connector.checkpoints.statements.tables` puts it
-- into those of one. What only one of them has is in `schema_sqlite.sql` and `schema_postgres.sql`.
-- Times are seconds since 1970. Text compares by bytes, so that keys have the order that Python gives them: COLLATE "C"
-- says so to Postgres, SQLite does it anyway.
-- Tables that rows run through are vacuumed early: the first rows of an index are what is asked for all the time.

-- What Redo last accepted, one row an order. digest, traits and row_digest are empty where they aren't known.
CREATE TABLE checkpoint (
  key         text COLLATE "C" PRIMARY KEY,
  order_id    text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  accepted_at float8 NOT NULL,
  redo_id     text,
  missing     boolean NOT NULL,
  digest      bytea NOT NULL,
  store_id    text COLLATE "C" NOT NULL,
  traits      bytea NOT NULL,
  row_digest  bytea NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX checkpoint_order_id ON checkpoint (order_id);

-- Orders that wait to be looked at. due = 0: at once; attempts > 0: backing off until due.
-- A row id keeps inserts of random keys near each other: half the pages of a table.
-- newer_* belong to what arrived while the order was in flight: they outlive its settlement.
-- What fails is found apart, so that no number of failing orders is in the way of the others.
CREATE TABLE ledger (
  key            text COLLATE "C" PRIMARY KEY,
  first_revision bigint NOT NULL,
  revision       bigint NOT NULL,
  since          float8 NOT NULL,
  lane           smallint NOT NULL,
  due            float8 NOT NULL DEFAULT 0,
  attempts       integer NOT NULL DEFAULT 0,
  confirm        boolean NOT NULL,
  late_until     float8,
  approved       boolean NOT NULL,
  in_flight      boolean NOT NULL DEFAULT false,
  newer_first    bigint,
  newer_since    float8,
  newer_confirm  boolean NOT NULL DEFAULT false,
  newer_approved boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000);
CREATE INDEX ledger_next ON ledger (lane, due, revision) WHERE attempts = 0;
CREATE INDEX ledger_failing ON ledger (lane, due) WHERE attempts > 0;
CREATE INDEX ledger_since ON ledger (since);

-- Changed rows whose orders only a query can tell. cursor: its keys up to there are in the ledger; '': none yet.
-- walk_revision: the revision the present walk began with; latest_since: when the newest change was committed.
CREATE TABLE lookup (
  route          text COLLATE "C" NOT NULL,
  columns        text COLLATE "C" NOT NULL,
  first_revision bigint NOT NULL,
  revision       bigint NOT NULL,
  since          float8 NOT NULL,
  latest_since   float8 NOT NULL,
  cursor         text COLLATE "C" NOT NULL DEFAULT '',
  walk_revision  bigint,
  PRIMARY KEY (route, columns)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
CREATE INDEX lookup_unread ON lookup (first_revision, route, columns) WHERE cursor = '';
CREATE INDEX lookup_begun ON lookup (first_revision, route, columns) WHERE cursor <> '';
CREATE INDEX lookup_together ON lookup (route, cursor, first_revision);
CREATE INDEX lookup_since ON lookup (since);

-- Commits that no snapshot has shown yet.
CREATE TABLE unseen (
  revision bigint PRIMARY KEY,
  xid      bigint NOT NULL,
  end_lsn  bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

CREATE TABLE dead_letter (
  key          text COLLATE "C" PRIMARY KEY,
  reason       text COLLATE "C" NOT NULL,
  message      text NOT NULL,
  paths        text NOT NULL,
  fingerprint  bytea,
  first_seen   float8 NOT NULL,
  last_seen    float8 NOT NULL,
  attempts     integer NOT NULL,
  status       integer,
  cause        text NOT NULL,
  store_id     text COLLATE "C" NOT NULL,
  letter_group text COLLATE "C" NOT NULL
);
CREATE INDEX dead_letter_reason ON dead_letter (reason);

-- Places at which Redo holds an order beside the checkpoint's.
CREATE TABLE leftover (
  key      text COLLATE "C" NOT NULL,
  store_id text COLLATE "C" NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (key, store_id, order_id)
);

-- Sealed bodies that Redo accepted. A row belongs to a place, which is the checkpoint's or a leftover.
CREATE TABLE payload (
  key      text COLLATE "C" NOT NULL,
  store_id text COLLATE "C" NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  sealed   bytea NOT NULL,
  PRIMARY KEY (key, store_id, order_id)
);

-- Which orders have a line item, by a hash of its id. The index serves the other direction.
CREATE TABLE line_item (
  line bigint NOT NULL,
  key  text COLLATE "C" NOT NULL,
  PRIMARY KEY (line, key)
);
CREATE INDEX line_item_order ON line_item (key);

-- The reverse index's parts by name, each a small number in `member`. Without a name: given up, its rows are on their
-- way out, and a later part of that name is another one.
CREATE TABLE member_index (
  id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" UNIQUE
);

-- Which orders a child row is part of. The index serves the other direction and holds nothing but the primary key.
CREATE TABLE member (
  index_id bigint NOT NULL,
  row_key  text COLLATE "C" NOT NULL,
  key      text COLLATE "C" NOT NULL,
  PRIMARY KEY (index_id, row_key, key)
);
CREATE INDEX member_order ON member (key);

-- orders is kept by triggers, because a hold may have a million. A hold that has ended stays for a while, since what
-- was on its way into it opens it again. A number is never used twice: a person approves by number.
CREATE TABLE hold (
  number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind      text NOT NULL,
  cause     text NOT NULL,
  state     text NOT NULL,
  opened_at float8 NOT NULL,
  orders    bigint NOT NULL DEFAULT 0,
  ended     boolean NOT NULL DEFAULT false
);
CREATE INDEX hold_open ON hold (number) WHERE NOT ended;

-- spread: a hash of the key, so that the first rows of a hold are any.
CREATE TABLE held (
  key     text COLLATE "C" PRIMARY KEY,
  hold    bigint NOT NULL,
  spread  bigint NOT NULL,
  fields  text COLLATE "C" NOT NULL,
  since   float8 NOT NULL,
  confirm boolean NOT NULL
);
CREATE INDEX held_spread ON held (hold, spread);
CREATE INDEX held_since ON held (hold, since);
CREATE INDEX held_fields ON held (hold, fields);

CREATE TABLE warning (
  key        text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  message    text NOT NULL,
  first_seen float8 NOT NULL,
  last_seen  float8 NOT NULL,
  times      bigint NOT NULL,
  PRIMARY KEY (key, kind)
);
CREATE INDEX warning_latest ON warning (last_seen, key, kind);

-- sweep: the record as JSON; the present one is a note.
CREATE TABLE finished_sweep (
  revision    bigint NOT NULL,
  started_at  float8 NOT NULL,
  finished_at float8 NOT NULL,
  sweep       text NOT NULL,
  PRIMARY KEY (revision, started_at)
);

CREATE TABLE note (
  name  text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

-- Where orders are pushed to (active), or were once: `orders` is then how many were accepted there.
CREATE TABLE endpoint (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  store_id text COLLATE "C" NOT NULL,
  url      text COLLATE "C" NOT NULL,
  active   boolean NOT NULL,
  approved boolean NOT NULL,
  orders   bigint NOT NULL,
  UNIQUE (store_id, url)
);

-- What endpoints hold that aren't active: the columns of the tables that hold it while they are.
CREATE TABLE parked_checkpoint (endpoint bigint NOT NULL, LIKE checkpoint, PRIMARY KEY (endpoint, key));
CREATE TABLE parked_leftover (
  endpoint bigint NOT NULL, LIKE leftover, PRIMARY KEY (endpoint, key, store_id, order_id)
);
CREATE TABLE parked_payload (
  endpoint bigint NOT NULL, LIKE payload, PRIMARY KEY (endpoint, key, store_id, order_id)
);
CREATE TABLE parked_line_item (
  endpoint bigint NOT NULL, LIKE line_item, PRIMARY KEY (endpoint, line, key)
);
CREATE TABLE parked_dead_letter (endpoint bigint NOT NULL, LIKE dead_letter, PRIMARY KEY (endpoint, key));

-- One row: the highest revision ever used, and counts of checkpoints, kept by triggers because those are many and stay.
CREATE TABLE census (
  one              boolean PRIMARY KEY CHECK (one = true),
  highest_revision bigint NOT NULL DEFAULT 0,
  checkpoints      bigint NOT NULL DEFAULT 0,
  missing_orders   bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO census (one) VALUES (true);
-- The inbox, what commands ask of the connector: a table of the store in Postgres, a file of its own beside an SQLite
-- store. In the words of both engines, as `schema.sql`.
CREATE TABLE request (
  number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
-- What `schema.sql` leaves to Postgres.

-- Whose schema this is. Only a reader who finds it reads on.
CREATE TABLE store (
  one     boolean PRIMARY KEY DEFAULT true CHECK (one),
  program text NOT NULL,
  version integer NOT NULL
);

CREATE INDEX dead_letter_group ON dead_letter (letter_group, key);
-- What is sealed can't be compressed.
ALTER TABLE payload ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE parked_payload ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Who writes, and how many writes there were, so that a writer who lost its session knows whether another one wrote
-- meanwhile, and whether the database went back in time. affected counts the ledger, kept by triggers as the others.
ALTER TABLE census
  ADD COLUMN writer text NOT NULL DEFAULT '',
  ADD COLUMN writes bigint NOT NULL DEFAULT 0,
  ADD COLUMN affected bigint NOT NULL DEFAULT 0;

-- A statement's rows are counted at once: more (1) or fewer (-1) from now on. The search path is the one that this
-- script is run with, whoever writes. https://www.postgresql.org/docs/current/trigger-definition.html
CREATE FUNCTION count_ledger() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE census SET affected = affected + n * TG_ARGV[0]::bigint
  FROM (SELECT count(*) AS n FROM rows) AS counted WHERE n > 0;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_made AFTER INSERT ON ledger
  REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_ledger('1');
CREATE TRIGGER ledger_gone AFTER DELETE ON ledger
  REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_ledger('-1');

CREATE FUNCTION count_checkpoints() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE census SET checkpoints = checkpoints + n * TG_ARGV[0]::bigint,
    missing_orders = missing_orders + gone * TG_ARGV[0]::bigint
  FROM (SELECT count(*) AS n, count(*) FILTER (WHERE missing) AS gone FROM rows) AS counted WHERE n > 0;
  RETURN NULL;
END $$;
CREATE TRIGGER checkpoint_made AFTER INSERT ON checkpoint
  REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_checkpoints('1');
CREATE TRIGGER checkpoint_gone AFTER DELETE ON checkpoint
  REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_checkpoints('-1');

CREATE FUNCTION count_missing() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE census SET missing_orders = missing_orders + more FROM (
    SELECT (SELECT count(*) FROM after WHERE missing) - (SELECT count(*) FROM before WHERE missing) AS more
  ) AS counted WHERE more <> 0;
  RETURN NULL;
END $$;
CREATE TRIGGER checkpoint_marked AFTER UPDATE ON checkpoint
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_missing();

CREATE FUNCTION count_held() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE hold SET orders = orders + more, ended = (state = 'held' AND orders + more = 0)
  FROM (SELECT hold AS number, count(*) * TG_ARGV[0]::bigint AS more FROM rows GROUP BY hold) AS counted
  WHERE hold.number = counted.number;
  RETURN NULL;
END $$;
CREATE TRIGGER held_made AFTER INSERT ON held
  REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_held('1');
CREATE TRIGGER held_gone AFTER DELETE ON held
  REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_held('-1');
-- An order that moves leaves one hold, then joins another: triggers fire in the order of their names.
CREATE TRIGGER held_moved_1 AFTER UPDATE ON held
  REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_held('-1');
CREATE TRIGGER held_moved_2 AFTER UPDATE ON held
  REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_held('1');
