SELECT o.id FROM shop.aorder o WHERE o.ship_id = ALL (SELECT b.address_id FROM shop.blocked b)
-- problem 1:80 no way leads
