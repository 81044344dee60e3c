-- The row that is chosen is of either table.
SELECT o.id, p.name
FROM shop.orders o
JOIN (SELECT l.order_id, max(l.product_id) AS product_id FROM shop.all_lines l WHERE l.qty <> 2 GROUP BY l.order_id) m ON m.order_id = o.id
JOIN shop.product p ON p.id = m.product_id
-- key shop.orders(id)
-- item: column order_id
-- item_archive: column order_id
-- o: key id
-- p: reverse id via shop.item
-- p: reverse id via shop.item_archive
