SELECT o.id, string_agg(n.body, ',' ORDER BY n.id) AS notes
FROM shop.web_order o
LEFT JOIN shop.member m ON m.meta ->> 'sku' = replace(o.ref, 'x', 'a')
LEFT JOIN shop.member_note n ON lower(trim(n.email)) = lower(trim(m.email))
GROUP BY o.id
-- key shop.web_order(id)
-- o: key id
-- m: reverse meta via shop.web_order
-- n: reverse email via shop.member, shop.web_order
