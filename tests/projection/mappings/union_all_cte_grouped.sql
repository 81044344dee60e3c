WITH lines AS (
    SELECT order_id, product_id, qty FROM shop.item UNION ALL SELECT order_id, product_id, qty FROM shop.item_archive
), sums AS (SELECT l.order_id, sum(l.qty) AS n, max(p.name) AS name FROM lines l JOIN shop.product p ON p.id = l.product_id GROUP BY 1)
SELECT o.id, s.n, s.name FROM shop.orders o LEFT JOIN sums s ON s.order_id = o.id
-- key shop.orders(id)
-- restricted 4
-- o: key id
-- item: column order_id
-- item_archive: column order_id
-- p: reverse id via shop.item
-- p: reverse id via shop.item_archive
