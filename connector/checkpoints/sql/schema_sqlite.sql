-- What `schema.sql` leaves to SQLite.

-- It has all that a list of groups shows.
CREATE INDEX dead_letter_group ON dead_letter (letter_group, key, attempts, first_seen, last_seen, store_id);
CREATE INDEX warning_kind ON warning (kind, last_seen, key);

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
