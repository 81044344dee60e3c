SELECT o.id, u.name
FROM shop.web_order o
LEFT JOIN (
    SELECT 'A' || id AS ref, name FROM shop.member UNION SELECT 'B' || n.id::text, n.body FROM shop.member_note n
) u ON right(u.ref, 1) = o.ref
-- key shop.web_order(id)
-- o: key id
-- member: reverse id via shop.web_order
-- n: reverse id via shop.web_order
