WITH gone AS (DELETE FROM shop.note RETURNING order_id)
SELECT o.id FROM shop.orders o JOIN gone ON gone.order_id = o.id
-- problem 1:27 DELETE is not supported
-- hint write SELECT: a mapping only reads
