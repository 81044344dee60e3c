SELECT o.id, d.line, d.rank
FROM shop.orders o
JOIN (
    SELECT i.order_id, i.line, row_number() OVER w AS rank FROM shop.item i WINDOW w AS (PARTITION BY i.order_id ORDER BY i.line)
) AS d ON d.order_id = o.id AND d.rank < 3
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- i: column order_id
