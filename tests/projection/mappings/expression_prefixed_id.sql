SELECT o.id, m.name, m.ref FROM shop.web_order o LEFT JOIN shop.member m ON m.ref = 'sale.line,' || o.id
-- key shop.web_order(id)
-- o: key id
-- m: reverse ref via shop.web_order
