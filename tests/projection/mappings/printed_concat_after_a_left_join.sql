-- Where an outer join finds no row, || gives NULL, and joins nothing.
SELECT o.id, m.name
FROM shop.web_order o
LEFT JOIN shop.member_note n ON n.id = o.external_id
LEFT JOIN shop.member m ON m.ref = 'sale.line,' || n.id
-- key shop.web_order(id)
-- m: reverse ref via shop.member_note, shop.web_order
-- n: reverse id via shop.web_order
-- o: key id
