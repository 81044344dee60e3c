WITH items AS MATERIALIZED (
    SELECT i.order_id, jsonb_agg(p.name ORDER BY i.line, p.name) AS names
    FROM shop.item i LEFT JOIN shop.product p ON p.id = i.product_id
    GROUP BY 1 HAVING count(*) > 1
)
SELECT o.id, items.names FROM shop.orders o LEFT JOIN items ON items.order_id = o.id
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- i: column order_id
-- p: reverse id via shop.item
