SELECT o.id, x.kind FROM shop.orders o JOIN (
    SELECT n.order_id, n.body AS kind FROM shop.note n
    UNION ALL SELECT NULL, 'x'
    UNION ALL SELECT (e.id * 1)::bigint, e.kind FROM shop.event_ref e WHERE false
) x ON x.order_id = o.id
-- sweep_tables shop.event_ref
-- key shop.orders(id)
-- o: key id
-- n: column order_id
-- e: sweep 
