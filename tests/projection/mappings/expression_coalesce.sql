-- A NULL equals something, on both sides.
SELECT o.id, m.name, n.body
FROM shop.web_order o
LEFT JOIN shop.member m ON coalesce(m.email, 'bob@x') = o.email
LEFT JOIN shop.member_note n ON coalesce(n.email, 'none') = coalesce(o.vref, 'none')
-- key shop.web_order(id)
-- o: key id
-- m: reverse email via shop.web_order
-- n: reverse email via shop.web_order
