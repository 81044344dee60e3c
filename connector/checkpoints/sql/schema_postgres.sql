-- What `schema.sql` leaves to Postgres.

-- Whose schema this is. Only a reader who finds it reads on.
CREATE TABLE store (
  one     boolean PRIMARY KEY DEFAULT true CHECK (one),
  program text NOT NULL,
  version integer NOT NULL
);

CREATE INDEX dead_letter_group ON dead_letter (letter_group, key);
ALTER TABLE parked_payload ADD PRIMARY KEY (endpoint, key, store_id, order_id);
-- What is sealed can't be compressed.
ALTER TABLE payload ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE parked_payload ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Who writes, and how many writes there were, so that a writer who lost its session knows whether another one wrote
-- meanwhile, and whether the database went back in time. affected counts the ledger, kept by triggers as the others.
ALTER TABLE census
  ADD COLUMN writer text NOT NULL DEFAULT '',
  ADD COLUMN writes bigint NOT NULL DEFAULT 0,
  ADD COLUMN affected bigint NOT NULL DEFAULT 0;

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
