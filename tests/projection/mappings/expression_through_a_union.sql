SELECT o.id, u.name
FROM shop.web_order o
LEFT JOIN (
    SELECT lower(email) AS email, name FROM shop.member UNION ALL SELECT upper(email), body FROM shop.member_note
) u ON 'x' || u.email = 'x' || o.email
-- key shop.web_order(id)
-- o: key id
-- member: reverse email via shop.web_order
-- member_note: reverse email via shop.web_order
