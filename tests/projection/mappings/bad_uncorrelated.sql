SELECT o.id, (SELECT value FROM shop.setting WHERE name = 'x') AS x FROM shop.orders o
-- problem 1:33 no way leads from a changed row of shop.setting
