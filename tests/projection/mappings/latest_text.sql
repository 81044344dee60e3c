SELECT o.id, t.label, m.body
FROM shop.web_order o
LEFT JOIN (SELECT x.member_id, min(x.email) AS email, max(x.body) AS body FROM shop.member_note x GROUP BY x.member_id) m ON m.member_id = o.external_id
LEFT JOIN shop.tag t ON t.label = m.body
-- key shop.web_order(id)
-- o: key id
-- t: reverse label via shop.member_note, shop.web_order
-- x: reverse member_id via shop.web_order
