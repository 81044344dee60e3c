SELECT o.id, m.name, m.ref FROM shop.web_order o LEFT JOIN shop.member m ON m.ref = concat('sale.line,', o.id)
-- key shop.web_order(id)
-- m: reverse ref via shop.web_order
-- o: key id
