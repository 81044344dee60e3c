SELECT o.id, x.n
FROM shop.orders o
LEFT JOIN LATERAL (SELECT max(i.qty) AS n FROM shop.item i WHERE i.order_id = o.id HAVING count(*) > 1) x ON true
-- key shop.orders(id)
-- o: key id
-- i: column order_id
