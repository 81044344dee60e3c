SELECT o.id, g.people, t.pieces FROM shop.web_order o
LEFT JOIN (SELECT m.meta ->> 'id' AS number, count(*) AS people FROM shop.member m GROUP BY m.meta ->> 'id') g ON g.number = o.number_text
LEFT JOIN (SELECT i.price::text AS price, sum(i.qty) AS pieces FROM shop.item i GROUP BY i.price::text) t ON t.price = o.number_text
-- key shop.web_order(id)
-- o: key id
-- m: reverse meta via shop.web_order
-- i: reverse price via shop.web_order
