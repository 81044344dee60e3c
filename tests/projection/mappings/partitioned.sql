SELECT o.id, (SELECT jsonb_agg(e.kind ORDER BY e.at) FROM shop.event e WHERE e.order_id = o.id) AS events FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- e: column order_id
