SELECT o.id, g.pieces FROM shop.web_order o
LEFT JOIN (SELECT i.price::text AS price, sum(i.qty) AS pieces FROM shop.item i GROUP BY i.price::text) g ON g.price = o.number_text
-- key shop.web_order(id)
-- i: reverse price via shop.web_order
-- o: key id
