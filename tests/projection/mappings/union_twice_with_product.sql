-- A row of the inner lines and one of the outer: four ways from a product.
SELECT o.id, l.qty, m.kind, p.name FROM shop.orders o
JOIN shop.all_lines l ON l.order_id = o.id
JOIN (SELECT n.order_id, n.body AS kind, 1 AS no FROM shop.note n UNION ALL SELECT e.order_id, e.kind, e.at FROM shop.event e) m
    ON m.order_id = o.id
LEFT JOIN shop.product p ON p.id = l.product_id
-- key shop.orders(id)
-- o: key id
-- item: column order_id
-- item_archive: column order_id
-- n: column order_id
-- e: column order_id
-- p: reverse id via shop.item
-- p: reverse id via shop.item_archive
