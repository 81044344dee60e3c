SELECT o.id FROM shop.aorder o WHERE o.id NOT IN (SELECT l.order_id FROM shop.aline l)
-- problem 1:74 no way leads
