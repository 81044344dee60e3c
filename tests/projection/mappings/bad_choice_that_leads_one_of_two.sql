-- A row of either table makes a difference under both arms, and a way leads from it under one.
SELECT o.id, l.sku, b.address_id FROM shop.aorder o, shop.aline l, shop.blocked b, shop.address a
WHERE (l.order_id = o.id AND l.origin_id = a.id) OR (b.aorder_id = o.id AND b.address_id = a.id)
-- problem 2:54 no way leads from a changed row of shop.aline
