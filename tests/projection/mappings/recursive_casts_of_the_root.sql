WITH RECURSIVE parts AS (
    SELECT p.id::bigint AS root, p.id AS part FROM shop.product p
    UNION
    SELECT parts.root::bigint, c.part::int FROM parts JOIN shop.component c ON c.parent = parts.part
)
SELECT o.id, i.line, parts.part FROM shop.orders o JOIN shop.item i ON i.order_id = o.id JOIN parts ON parts.root = i.product_id
-- key shop.orders(id)
-- c: reverse parent via shop.product, shop.component, shop.item
-- i: column order_id
-- o: key id
-- p: reverse id via shop.item
