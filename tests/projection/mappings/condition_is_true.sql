SELECT o.id, m.name, n.body
FROM shop.web_order o
LEFT JOIN shop.member m ON (m.email = o.email) IS TRUE
LEFT JOIN shop.member_note n ON (n.member_id = m.id AND n.email = m.email) IS TRUE
-- key shop.web_order(id)
-- m: reverse email via shop.web_order
-- n: reverse email via shop.web_order
-- o: key id
