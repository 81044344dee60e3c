WITH live AS (SELECT l.* FROM shop.line l WHERE l.deleted_at IS NULL), gifts AS (SELECT * FROM live WHERE kind = 'gift')
SELECT o.id, (SELECT count(*) FROM gifts g WHERE g.order_id = o.id AND g.active IS TRUE) AS gifts,
    (SELECT string_agg(p.name, ',' ORDER BY p.name, l.id) FROM live l JOIN shop.promotion p ON p.id = l.product_id AND p.kind IN ('a', 'b')
     WHERE l.order_id = o.id) AS names
FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind = 'gift' AND active AND deleted_at IS NULL
-- l: column order_id if deleted_at IS NULL
-- p: reverse id if kind IN ('a', 'b') via shop.line (deleted_at IS NULL)
