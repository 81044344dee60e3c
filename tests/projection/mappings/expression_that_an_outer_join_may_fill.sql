-- Where there is no member the expression has a value, too: a new member takes a note from the orders with that one.
SELECT o.id, n.body
FROM shop.web_order o
JOIN shop.member_note n ON n.member_id = o.external_id
LEFT JOIN shop.member m ON m.email = n.email
WHERE coalesce('sale.line,' || m.external_id, 'x') = o.ref
-- key shop.web_order(id)
-- m: reverse email via shop.member_note, shop.web_order
-- n: reverse member_id via shop.web_order
-- o: key id
