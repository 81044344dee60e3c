-- Lines that lines were sold with belong to the order of the outermost.
WITH RECURSIVE bundle (line, order_id) AS (
    SELECT l.id, l.order_id FROM shop.aline l WHERE l.order_id IS NOT NULL
    UNION
    SELECT l.id, bundle.order_id FROM bundle JOIN shop.aline l ON l.origin_id = bundle.line
)
SELECT o.id, b.line, x.id AS blocked FROM shop.aorder o JOIN bundle b ON b.order_id = o.id LEFT JOIN shop.blocked x ON x.address_id = b.line
-- key shop.aorder(id)
-- l: column order_id
-- l: reverse origin_id via shop.aline, shop.aline
-- o: key id
-- x: reverse address_id via shop.aline, shop.aline
