-- A line belongs to the order that it was sold in, and to the one that it replaces a line of.
SELECT o.id, (SELECT count(*) FROM shop.aline l WHERE l.order_id = o.id OR l.origin_id = o.id) AS n FROM shop.aorder o
-- key shop.aorder(id)
-- l: column order_id
-- l: column origin_id
-- o: key id
