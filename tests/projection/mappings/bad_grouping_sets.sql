SELECT o.id, i.line, count(*) AS n FROM shop.orders o JOIN shop.item i ON i.order_id = o.id GROUP BY ROLLUP (o.id, i.line)
-- problem 1:8 grouping sets
