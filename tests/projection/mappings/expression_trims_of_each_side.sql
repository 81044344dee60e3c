SELECT o.id, m.name, n.body
FROM shop.web_order o
LEFT JOIN shop.member m ON ltrim(m.email) = rtrim(o.email) AND lpad(m.ref, 3, '-') = rpad(o.ref, 3, '-')
LEFT JOIN shop.member_note n ON trim(leading 'b' from n.email) = translate(upper(o.email), 'AN', 'an')
-- key shop.web_order(id)
-- o: key id
-- m: reverse email, ref via shop.web_order
-- n: reverse email via shop.web_order
