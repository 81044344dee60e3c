-- Two outer joins and coalesce of what they give.
SELECT o.id, coalesce(s.city, b.city) AS city FROM shop.aorder o
LEFT JOIN shop.address s ON s.id = o.ship_id
LEFT JOIN shop.address b ON b.id = o.bill_id
-- key shop.aorder(id)
-- s: reverse id via shop.aorder
-- b: reverse id via shop.aorder
-- o: key id
