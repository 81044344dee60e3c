WITH RECURSIVE parts (root, part) AS (
    SELECT p.id, p.id FROM shop.product p
    UNION
    SELECT parts.root, c.part FROM parts JOIN shop.component c ON c.parent = parts.part
)
SELECT o.id, i.line, parts.part
FROM shop.orders o JOIN shop.item i ON i.order_id = o.id JOIN parts ON parts.root = i.product_id
-- problem 4:47 no way leads from a changed row of shop.component (alias c)
