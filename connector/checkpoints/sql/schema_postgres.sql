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
