-- NULL is an empty text to concat, on both sides.
SELECT o.id, m.name, n.body
FROM shop.web_order o
LEFT JOIN shop.member m ON m.number_text = concat(o.external_id, '')
LEFT JOIN shop.member_note n ON concat(n.email, '') = o.number_text
-- key shop.web_order(id)
-- m: reverse number_text via shop.web_order
-- n: reverse email via shop.web_order
-- o: key id
