WITH RECURSIVE n (step) AS (VALUES (1) UNION ALL SELECT n.step + 1 FROM n WHERE n.step < 3)
SELECT o.id, n.step FROM shop.orders o JOIN n ON n.step <= o.customer_id
-- problem 1:57 VALUES is supported only in FROM, and as a whole CTE
-- hint write SELECT ..., or SELECT ... UNION ALL SELECT ... for several rows
-- instead instead_of_values_in_a_union
