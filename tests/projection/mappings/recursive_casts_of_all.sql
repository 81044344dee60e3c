WITH RECURSIVE parts AS (
    SELECT p.id::bigint AS root, p.id::bigint AS part FROM shop.product p
    UNION
    SELECT parts.root::bigint, c.part::bigint FROM parts JOIN shop.component c ON c.parent = parts.part
)
SELECT o.id, i.line, parts.root FROM shop.orders o JOIN shop.item i ON i.order_id = o.id JOIN parts ON parts.part = i.product_id
-- key shop.orders(id)
-- c: reverse part via shop.item, shop.component
-- i: column order_id
-- o: key id
-- p: reverse id via shop.item, shop.component
