-- The table between is joined by an inner join.
SELECT o.id, m.name FROM shop.web_order o
JOIN shop.member_note n ON n.id = o.external_id
LEFT JOIN shop.member m ON m.email = coalesce(n.email, 'bob@x')
-- key shop.web_order(id)
-- m: reverse email via shop.member_note, shop.web_order
-- n: reverse id via shop.web_order
-- o: key id
