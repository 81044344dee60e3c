SELECT o.id, v.address, v.city FROM shop.aorder o LEFT JOIN shop.any_address v ON v.id = o.id
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
-- o: column id
