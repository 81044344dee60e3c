SELECT o.id, x.n FROM shop.orders o JOIN (
    SELECT i.order_id AS no, 1 AS n FROM shop.item i UNION ALL SELECT p.id, 2 FROM shop.product p
) x ON x.no = o.id
-- key shop.orders(id)
-- restricted 3
-- o: key id
-- i: column order_id
-- p: column id
