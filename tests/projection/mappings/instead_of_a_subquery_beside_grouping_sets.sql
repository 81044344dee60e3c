SELECT o.id, (SELECT sum(h.n) FROM (
    SELECT (SELECT count(*) FROM shop.address b WHERE b.region = a.region) AS n
    FROM shop.address a WHERE a.id = o.ship_id GROUP BY a.region
    UNION ALL SELECT count(*) FROM shop.address a WHERE a.id = o.ship_id
) h) AS n FROM shop.aorder o
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- b: reverse region via shop.address, shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
