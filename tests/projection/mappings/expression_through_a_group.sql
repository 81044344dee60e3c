SELECT o.id, n.bodies
FROM shop.web_order o
LEFT JOIN (
    SELECT lower(email) AS email, max(body) AS bodies FROM shop.member_note GROUP BY lower(email)
) n ON n.email = coalesce(o.email, 'none')
-- key shop.web_order(id)
-- o: key id
-- member_note: reverse email via shop.web_order
