SELECT o.id, d.name
FROM shop.aorder o
JOIN (SELECT a.id, a.city AS name FROM shop.address a UNION ALL SELECT c.id, c.name FROM shop.customer c) d
    ON d.id = coalesce(o.ship_id, o.bill_id)
LEFT JOIN shop.vendor v ON v.id = d.id
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
-- c: reverse id via shop.aorder
-- c: reverse id via shop.aorder
-- v: reverse id via shop.aorder
-- v: reverse id via shop.aorder
