WITH base AS (SELECT 'A-' || o.id AS ref, o.status FROM shop.orders o GROUP BY o.id)
SELECT b.ref AS id, b.status FROM base b
-- id A-{0}
-- key shop.orders(id)
-- restricted 2
-- o: key id
