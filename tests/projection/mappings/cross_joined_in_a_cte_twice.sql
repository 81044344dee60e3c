WITH s AS (SELECT max(value) AS value FROM shop.setting)
SELECT o.id, (SELECT value FROM s) AS x, (SELECT value FROM s) AS y FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- setting: sweep 
