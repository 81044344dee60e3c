SELECT o.id, d.name FROM shop.web_order o
JOIN (SELECT m.meta ->> 'id' AS member, m.name FROM shop.member m UNION SELECT v.meta ->> 'id', v.ref FROM shop.member v) d ON d.member = o.number_text
-- key shop.web_order(id)
-- m: reverse meta via shop.web_order
-- o: key id
-- v: reverse meta via shop.web_order
