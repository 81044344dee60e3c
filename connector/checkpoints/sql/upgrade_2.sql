-- Dead letters and held orders have their ids at Redo.
ALTER TABLE dead_letter ADD COLUMN order_id text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX dead_letter_order_id ON dead_letter (order_id);
ALTER TABLE parked_dead_letter ADD COLUMN order_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN order_id text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX held_order_id ON held (order_id);
