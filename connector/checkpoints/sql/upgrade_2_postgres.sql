-- As LIKE makes it.
ALTER TABLE parked_dead_letter ALTER COLUMN order_id DROP DEFAULT;
