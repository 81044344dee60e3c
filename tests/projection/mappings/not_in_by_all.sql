SELECT o.id FROM shop.aorder o WHERE o.ship_id IS NOT NULL AND o.ship_id <> ALL (SELECT b.address_id FROM shop.blocked b)
-- key shop.aorder(id)
-- o: key id if ship_id IS NOT NULL
-- b: reverse address_id via shop.aorder
