SELECT o.id, (SELECT sum(t.qty) FROM shop.typed_line t WHERE t.order_id = o.id AND t.kind = 'a') AS n,
    (SELECT sum(t.qty) FROM shop.typed_line t WHERE t.order_id = o.id AND t.qty IS NULL) AS m
FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- t: column order_id if kind = 'a'
-- t: column order_id if qty IS NULL
