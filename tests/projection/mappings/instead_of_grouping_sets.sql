SELECT o.id, d.line, d.n FROM shop.orders o LEFT JOIN (
    SELECT i.order_id, i.line, count(*) AS n FROM shop.item i GROUP BY i.order_id, i.line
    UNION ALL
    SELECT i.order_id, NULL, count(*) FROM shop.item i GROUP BY i.order_id
) d ON d.order_id = o.id
-- key shop.orders(id)
-- i: column order_id
-- i: column order_id
-- o: key id
