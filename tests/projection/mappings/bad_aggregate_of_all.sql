SELECT o.id, t.n FROM shop.orders o CROSS JOIN (SELECT count(*) AS n FROM shop.note) t
-- problem 1:75 no way leads from a changed row of shop.note
