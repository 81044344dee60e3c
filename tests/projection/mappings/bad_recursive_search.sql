WITH RECURSIVE n (id, step) AS (
    SELECT o.id, 1 FROM shop.orders o UNION ALL SELECT n.id, n.step + 1 FROM n WHERE n.step < 3
) SEARCH DEPTH FIRST BY id SET sorted
SELECT n.id, n.step FROM n
-- problem 1:16 SEARCH and CYCLE are not supported
-- hint order by a column of the rows; UNION ends at cycles
