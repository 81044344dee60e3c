SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.cref || 'x' = o.ref || 'x'
-- key shop.web_order(id)
-- o: key id
-- m: reverse cref via shop.web_order
