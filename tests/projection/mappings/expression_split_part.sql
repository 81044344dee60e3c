SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member m ON split_part(m.ref, ',', 2) = o.id::text AND left(m.ref, 4) = substr('sale.line', 1, 4)
-- key shop.web_order(id)
-- o: key id
-- m: reverse ref via shop.web_order
