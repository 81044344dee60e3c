-- In a derived table, whose groups it makes.
SELECT o.id, g.n
FROM shop.web_order o
LEFT JOIN (
    SELECT concat('', m.ref) AS ref, n.email, count(*) AS n
    FROM shop.member_note n
    LEFT JOIN shop.member m ON m.id = n.member_id
    GROUP BY concat('', m.ref), n.email
) g ON g.ref = coalesce(o.ref, '') AND g.email = o.email
-- key shop.web_order(id)
-- m: reverse id via shop.member_note, shop.web_order
-- n: reverse email via shop.web_order
-- o: key id
