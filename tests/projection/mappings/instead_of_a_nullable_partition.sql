-- The order key, too.
SELECT o.id, rank() OVER (PARTITION BY o.customer_id, o.id ORDER BY o.placed) AS nth FROM shop.orders o
-- key shop.orders(id)
-- o: key id
