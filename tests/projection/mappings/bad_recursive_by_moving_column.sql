-- Joined by the part, which is another one in each round: not even the first branch leads anywhere.
WITH RECURSIVE parts (root, part) AS (
    SELECT p.id, p.id FROM shop.product p
    UNION
    SELECT parts.root, c.part FROM parts JOIN shop.component c ON c.parent = parts.part
)
SELECT o.id, i.line, parts.root
FROM shop.orders o JOIN shop.item i ON i.order_id = o.id JOIN parts ON parts.part = i.product_id
-- problem 3:28 no way leads from a changed row of shop.product
-- problem 5:47 no way leads from a changed row of shop.component
