WITH base AS (SELECT o.id AS oid, o.status FROM shop.orders o)
SELECT base.oid AS id, base.status, e.kind FROM base JOIN shop.event_ref e ON e.order_ref = base.oid::varchar
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- e: reverse order_ref via shop.orders
