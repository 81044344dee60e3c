WITH base AS (SELECT o.id AS order_id, o.status, o.customer_id FROM shop.orders o WHERE o.total IS NOT NULL)
SELECT b.order_id::text AS id, b.status, c.name FROM base b JOIN shop.customer c ON c.id = b.customer_id
-- key shop.orders(id)
-- restricted 2
-- o: key id if total IS NOT NULL
-- c: reverse id via shop.orders (total IS NOT NULL)
