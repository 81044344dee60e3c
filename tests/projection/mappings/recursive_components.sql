-- A table that may be swept is followed where there is a way.
WITH RECURSIVE parts (root, part) AS (
    SELECT p.id, p.id FROM shop.product p
    UNION
    SELECT parts.root, c.part FROM parts JOIN shop.component c ON c.parent = parts.part
)
SELECT o.id, (SELECT count(*) FROM parts WHERE parts.root = i.product_id) AS parts
FROM shop.orders o JOIN shop.item i ON i.order_id = o.id
-- sweep_tables shop.component
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- p: reverse id via shop.item
-- c: reverse parent via shop.product, shop.component, shop.item
