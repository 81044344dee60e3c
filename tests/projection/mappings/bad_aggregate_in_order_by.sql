SELECT o.id, a.city FROM shop.aorder o, shop.address a
WHERE EXISTS (SELECT 1 FROM shop.blocked b WHERE b.aorder_id = o.id AND b.address_id = a.id ORDER BY count(*))
-- problem 1:41 no way leads from a changed row of shop.address
