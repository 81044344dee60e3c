WITH RECURSIVE parts AS (
    SELECT p.id AS root, p.id AS part FROM shop.product p
    UNION
    SELECT parts.root, l.part
    FROM parts JOIN (SELECT c.parent, max(c.part) AS part FROM shop.component c GROUP BY c.parent) l ON l.parent = parts.part
)
SELECT o.id, i.line, parts.root FROM shop.orders o JOIN shop.item i ON i.order_id = o.id JOIN parts ON parts.part = i.product_id
-- problem 2:44 no way leads from a changed row of shop.product (alias p) or shop.component (alias c) to the orders that it changes: it is in a recursive CTE whose rounds can't be walked back to the orders
-- hint let each round give plain columns of inner joins (whole numbers or uuid: a row's parent, the order), and join everything else outside of the recursion; or list "shop.product", "shop.component" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead recursive_by_moving_column
