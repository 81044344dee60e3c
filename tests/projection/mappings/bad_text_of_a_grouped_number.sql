-- 1 and 1.00 are one group, which is joined by the text of one of them.
SELECT o.id, g.pieces FROM shop.web_order o
LEFT JOIN (SELECT i.price, sum(i.qty) AS pieces FROM shop.item i GROUP BY i.price) g ON g.price::text = o.number_text
-- problem 3:54 no equality of plain columns joins it to the order
