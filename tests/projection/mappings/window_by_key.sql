SELECT o.id, i.line, sum(i.qty) OVER (PARTITION BY i.order_id) AS n FROM shop.orders o JOIN shop.item i ON i.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- i: column order_id
