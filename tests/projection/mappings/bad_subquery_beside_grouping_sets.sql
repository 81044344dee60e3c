-- Where a group has NULL for its region, the subquery compares with that.
SELECT o.id, (SELECT sum(g.n) FROM (
    SELECT (SELECT count(*) FROM shop.address b WHERE b.region = coalesce(a.region, 5)) AS n
    FROM shop.address a WHERE a.id = o.ship_id GROUP BY ROLLUP (a.region)
) g) AS n FROM shop.aorder o
-- problem 4:65 a subquery in an output or HAVING beside grouping sets is not supported
-- hint group by plain columns, and write one more SELECT (UNION ALL) for each other total
-- instead instead_of_a_subquery_beside_grouping_sets
