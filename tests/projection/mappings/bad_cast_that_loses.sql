SELECT o.id, e.kind FROM shop.orders o JOIN shop.event_ref e ON e.order_ref::numeric::bigint = o.id
-- problem 1:45 no way leads from a changed row of shop.event_ref
