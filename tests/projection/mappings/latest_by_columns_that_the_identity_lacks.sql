-- Old rows are known by the reverse index alone.
SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member m ON m.external_id = (SELECT max(n.member_id) FROM shop.member_note n WHERE n.email = o.email)
-- key shop.web_order(id)
-- m: reverse external_id via shop.member_note, shop.web_order
-- n: reverse email via shop.web_order
-- o: key id
