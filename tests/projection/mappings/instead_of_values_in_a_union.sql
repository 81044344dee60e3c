WITH RECURSIVE n (step) AS (SELECT 1 UNION ALL SELECT n.step + 1 FROM n WHERE n.step < 3)
SELECT o.id, n.step FROM shop.orders o JOIN n ON n.step <= o.customer_id
-- key shop.orders(id)
-- o: key id
