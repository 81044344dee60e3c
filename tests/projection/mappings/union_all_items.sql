SELECT o.id, (SELECT jsonb_agg(l.qty ORDER BY l.line, l.qty) FROM (
    SELECT i.order_id, i.line, i.qty FROM shop.item i
    UNION ALL
    SELECT a.order_id, a.line, a.qty FROM shop.item_archive a WHERE a.qty > 1
) l WHERE l.order_id = o.id) AS lines
FROM shop.orders o
-- key shop.orders(id)
-- restricted 3
-- o: key id
-- i: column order_id
-- a: column order_id
