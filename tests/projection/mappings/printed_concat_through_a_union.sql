-- NULL in one branch alone.
SELECT o.id, u.name
FROM shop.web_order o
LEFT JOIN (SELECT m.id AS ref, m.name FROM shop.member m UNION ALL SELECT n.member_id, n.body FROM shop.member_note n) u
    ON concat(u.ref, '') = o.number_text
-- key shop.web_order(id)
-- m: reverse id via shop.web_order
-- n: reverse member_id via shop.web_order
-- o: key id
