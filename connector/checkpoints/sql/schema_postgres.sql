-- Version 1 of the checkpoint schema. Times are seconds since 1970.
-- Text compares by bytes (COLLATE "C"), so that keys have the order that Python gives them.
-- Tables that rows run through are vacuumed early: the first rows of an index are what is asked for all the time.

-- Whose schema this is. Only a reader who finds it reads on.
CREATE TABLE store (
  one     boolean PRIMARY KEY DEFAULT true CHECK (one),
  program text NOT NULL,
  version integer NOT NULL
);

-- What Redo last accepted, one row an order. digest and traits are empty where they aren't known.
CREATE TABLE checkpoint (
  key         text COLLATE "C" PRIMARY KEY,
  order_id    text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  accepted_at double precision NOT NULL,
  redo_id     text,
  missing     boolean NOT NULL,
  digest      bytea NOT NULL,
  store_id    text COLLATE "C" NOT NULL,
  traits      bytea NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX checkpoint_order_id ON checkpoint (order_id);

-- Orders that wait to be looked at. due = 0: at once; attempts > 0: backing off until due.
-- newer_* belong to what arrived while the order was in flight: they outlive its settlement.
-- What fails is found apart, so that no number of failing orders is in the way of the others.
CREATE TABLE ledger (
  key            text COLLATE "C" PRIMARY KEY,
  first_revision bigint NOT NULL,
  revision       bigint NOT NULL,
  since          double precision NOT NULL,
  lane           smallint NOT NULL,
  due            double precision NOT NULL DEFAULT 0,
  attempts       integer NOT NULL DEFAULT 0,
  confirm        boolean NOT NULL,
  late_until     double precision,
  approved       boolean NOT NULL,
  in_flight      boolean NOT NULL DEFAULT false,
  newer_first    bigint,
  newer_since    double precision,
  newer_confirm  boolean NOT NULL DEFAULT false,
  newer_approved boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000);
CREATE INDEX ledger_next ON ledger (lane, due, revision) WHERE attempts = 0;
CREATE INDEX ledger_failing ON ledger (lane, due) WHERE attempts > 0;
CREATE INDEX ledger_since ON ledger (since);

-- Changed rows whose orders only a query can tell. cursor: its keys up to there are in the ledger.
-- walk_revision: the revision the present walk began with; latest_since: when the newest change was committed.
CREATE TABLE lookup (
  route          text COLLATE "C" NOT NULL,
  columns        text COLLATE "C" NOT NULL,
  first_revision bigint NOT NULL,
  revision       bigint NOT NULL,
  since          double precision NOT NULL,
  latest_since   double precision NOT NULL,
  cursor         text COLLATE "C",
  walk_revision  bigint,
  PRIMARY KEY (route, columns)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
CREATE INDEX lookup_unread ON lookup (first_revision, route, columns) WHERE cursor IS NULL;
CREATE INDEX lookup_begun ON lookup (first_revision, route, columns) WHERE cursor IS NOT NULL;
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
  first_seen   double precision NOT NULL,
  last_seen    double precision NOT NULL,
  attempts     integer NOT NULL,
  status       integer,
  cause        text NOT NULL,
  store_id     text COLLATE "C" NOT NULL,
  letter_group text COLLATE "C" NOT NULL
);
CREATE INDEX dead_letter_reason ON dead_letter (reason);
CREATE INDEX dead_letter_group ON dead_letter (letter_group, key);

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
ALTER TABLE payload ALTER COLUMN sealed SET STORAGE EXTERNAL;  -- what is sealed can't be compressed

-- Which orders have a line item, by a hash of its id. The index serves the other direction.
CREATE TABLE line_item (
  line      bigint NOT NULL,
  order_key text COLLATE "C" NOT NULL,
  PRIMARY KEY (line, order_key)
);
CREATE INDEX line_item_order ON line_item (order_key);

-- The reverse index's parts by name, each a number in `member`. Without a name: given up, its rows are on their way
-- out, and a later part of that name is another one.
CREATE TABLE member_index (
  id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" UNIQUE
);

-- Which orders a child row is part of. The index serves the other direction.
CREATE TABLE member (
  index_id  bigint NOT NULL,
  row_key   text COLLATE "C" NOT NULL,
  order_key text COLLATE "C" NOT NULL,
  PRIMARY KEY (index_id, row_key, order_key)
);
CREATE INDEX member_order ON member (order_key);

-- A hold that has ended stays for a while, since what was on its way into it opens it again. A number is never used
-- twice: a person approves by number.
CREATE TABLE hold (
  number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind      text NOT NULL,
  cause     text NOT NULL,
  state     text NOT NULL,
  opened_at double precision NOT NULL,
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
  since   double precision NOT NULL,
  confirm boolean NOT NULL
);
CREATE INDEX held_spread ON held (hold, spread);
CREATE INDEX held_since ON held (hold, since);
CREATE INDEX held_fields ON held (hold, fields);

CREATE TABLE warning (
  key        text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  message    text NOT NULL,
  first_seen double precision NOT NULL,
  last_seen  double precision NOT NULL,
  times      bigint NOT NULL,
  PRIMARY KEY (key, kind)
);
CREATE INDEX warning_latest ON warning (last_seen, key, kind);

CREATE TABLE sweep (
  one             boolean PRIMARY KEY DEFAULT true CHECK (one),
  kind            text NOT NULL,
  cause           text NOT NULL,
  revision        bigint NOT NULL,
  wanted_revision bigint NOT NULL,
  started_at      double precision NOT NULL,
  phase           integer NOT NULL,
  cursor          text,
  scanned         bigint NOT NULL,
  finished_at     double precision,
  missed          bigint NOT NULL,
  changed         bigint NOT NULL,
  extra           bigint NOT NULL,
  held            bigint NOT NULL
);
CREATE TABLE finished_sweep (
  LIKE sweep,
  PRIMARY KEY (revision, started_at)
);
ALTER TABLE finished_sweep DROP COLUMN one, ALTER COLUMN finished_at SET NOT NULL;

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
CREATE TABLE parked_leftover (endpoint bigint NOT NULL, LIKE leftover, PRIMARY KEY (endpoint, key, store_id, order_id));
CREATE TABLE parked_payload (
  endpoint bigint NOT NULL, LIKE payload INCLUDING STORAGE, PRIMARY KEY (endpoint, key, store_id, order_id)
);
CREATE TABLE parked_line_item (endpoint bigint NOT NULL, LIKE line_item, PRIMARY KEY (endpoint, line, order_key));
CREATE TABLE parked_dead_letter (endpoint bigint NOT NULL, LIKE dead_letter, PRIMARY KEY (endpoint, key));

-- What commands ask of the connector.
CREATE TABLE request (
  number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  verb        text NOT NULL,
  arguments   text NOT NULL,
  asked_at    double precision NOT NULL,
  state       text NOT NULL DEFAULT 'waiting',
  done        bigint NOT NULL DEFAULT 0,
  total       bigint,
  message     text NOT NULL DEFAULT '',
  finished_at double precision
);
CREATE INDEX request_open ON request (state, number) WHERE finished_at IS NULL;

-- One row: the highest revision ever used; who writes, and how many writes there were, so that a writer who lost its
-- session knows whether another one wrote meanwhile, and whether the database went back in time; and counts that
-- triggers keep because those are of many rows.
CREATE TABLE census (
  one              boolean PRIMARY KEY DEFAULT true CHECK (one),
  highest_revision bigint NOT NULL DEFAULT 0,
  writer           text NOT NULL DEFAULT '',
  writes           bigint NOT NULL DEFAULT 0,
  affected         bigint NOT NULL DEFAULT 0,
  checkpoints      bigint NOT NULL DEFAULT 0,
  missing          bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO census DEFAULT VALUES;

-- A statement's rows are counted at once. The search path is the one that this script is run with, whoever writes.
-- https://www.postgresql.org/docs/current/trigger-definition.html
CREATE FUNCTION count_ledger() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  n bigint;
BEGIN
  SELECT count(*) INTO n FROM rows;
  IF n > 0 THEN
    UPDATE census SET affected = affected + CASE TG_OP WHEN 'INSERT' THEN n ELSE -n END;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_made AFTER INSERT ON ledger
  REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_ledger();
CREATE TRIGGER ledger_gone AFTER DELETE ON ledger
  REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_ledger();

CREATE FUNCTION count_checkpoints() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  n bigint;
  gone bigint;
BEGIN
  SELECT count(*), count(*) FILTER (WHERE missing) INTO n, gone FROM rows;
  IF n > 0 AND TG_OP = 'INSERT' THEN
    UPDATE census SET checkpoints = checkpoints + n, missing = missing + gone;
  ELSIF n > 0 THEN
    UPDATE census SET checkpoints = checkpoints - n, missing = missing - gone;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER checkpoint_made AFTER INSERT ON checkpoint
  REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_checkpoints();
CREATE TRIGGER checkpoint_gone AFTER DELETE ON checkpoint
  REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_checkpoints();

CREATE FUNCTION count_missing() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  more bigint;
BEGIN
  SELECT (SELECT count(*) FROM after WHERE missing) - (SELECT count(*) FROM before WHERE missing) INTO more;
  IF more <> 0 THEN
    UPDATE census SET missing = missing + more;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER checkpoint_marked AFTER UPDATE ON checkpoint
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_missing();

CREATE FUNCTION join_hold() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE hold SET orders = orders + joined.n, ended = false
  FROM (SELECT rows.hold, count(*) AS n FROM rows GROUP BY rows.hold) AS joined WHERE number = joined.hold;
  RETURN NULL;
END $$;
CREATE TRIGGER held_made AFTER INSERT ON held
  REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION join_hold();

CREATE FUNCTION leave_hold() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE hold SET orders = orders - gone.n, ended = (state = 'held' AND orders = gone.n)
  FROM (SELECT rows.hold, count(*) AS n FROM rows GROUP BY rows.hold) AS gone WHERE number = gone.hold;
  RETURN NULL;
END $$;
CREATE TRIGGER held_gone AFTER DELETE ON held
  REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION leave_hold();

CREATE FUNCTION change_hold() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE hold SET orders = orders + moved.n, ended = (state = 'held' AND orders + moved.n = 0)
  FROM (
    SELECT each.hold, sum(each.n) AS n FROM (
      SELECT after.hold, 1 AS n FROM after UNION ALL SELECT before.hold, -1 FROM before
    ) AS each GROUP BY each.hold HAVING sum(each.n) <> 0
  ) AS moved WHERE number = moved.hold;
  RETURN NULL;
END $$;
CREATE TRIGGER held_moved AFTER UPDATE ON held
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION change_hold();
