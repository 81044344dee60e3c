WITH s AS (SELECT value FROM shop.setting)
SELECT o.id, (SELECT value FROM s) AS x, (SELECT value FROM s) AS y FROM shop.orders o
-- problem 1:30 no way leads from a changed row of shop.setting
