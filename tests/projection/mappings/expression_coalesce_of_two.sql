SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member m ON coalesce(m.external_id, m.id, 2) = o.id AND coalesce(m.email, m.ref) || '!' = o.email || '!'
-- key shop.web_order(id)
-- o: key id
-- m: reverse external_id, id, email, ref via shop.web_order
