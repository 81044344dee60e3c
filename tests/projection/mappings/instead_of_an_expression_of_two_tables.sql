-- One table's columns on each side.
SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.email || m.ref = o.email
-- key shop.web_order(id)
-- m: reverse email, ref via shop.web_order
-- o: key id
