SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.grade || '-' || m.external_id = o.grade || '-' || o.id
-- key shop.web_order(id)
-- o: key id
-- m: reverse grade, external_id via shop.web_order
