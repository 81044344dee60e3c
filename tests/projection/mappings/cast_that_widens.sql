SELECT o.id, p.name FROM shop.orders o JOIN shop.product p ON p.id::bigint = o.id JOIN shop.carrier c ON c.code::text = o.status
-- key shop.orders(id)
-- o: key id
-- p: column id
-- c: reverse code via shop.orders
