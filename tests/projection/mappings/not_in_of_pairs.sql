SELECT o.id FROM shop.aorder o
WHERE (o.id, o.region) NOT IN (SELECT a.id, a.region FROM shop.address a UNION ALL SELECT b.id, 1 FROM shop.blocked b)
-- key shop.aorder(id)
-- a: column id
-- o: key id
-- b: column id
