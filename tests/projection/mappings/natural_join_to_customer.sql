SELECT o.id, name FROM shop.orders o NATURAL JOIN shop.customer c
-- key shop.orders(id)
-- o: key id
-- c: column id
