WITH RECURSIVE n (id, step) AS (
    SELECT o.id, 1 FROM shop.orders o UNION ALL SELECT n.id, n.step + 1 FROM n WHERE n.step < 3
)
SELECT n.id, n.step FROM n
-- key shop.orders(id)
-- restricted 3
-- o: key id
