SELECT o.id FROM shop.aorder o WHERE o.ship_id = ALL (SELECT b.address_id FROM shop.blocked b WHERE b.aorder_id = o.id)
-- key shop.aorder(id)
-- o: key id
-- b: column aorder_id
