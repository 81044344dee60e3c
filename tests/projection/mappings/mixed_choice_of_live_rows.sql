-- A fallback address of rows that are marked as deleted.
SELECT o.id, p.name FROM shop.aorder o LEFT JOIN shop.promotion p ON p.id = coalesce(o.ship_id, o.bill_id) AND p.deleted_at IS NULL
-- key shop.aorder(id)
-- o: key id
-- p: reverse id if deleted_at IS NULL via shop.aorder
-- p: reverse id if deleted_at IS NULL via shop.aorder
