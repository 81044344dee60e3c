SELECT o.id, i.line, count(*) AS n FROM shop.orders o JOIN shop.item i ON i.order_id = o.id GROUP BY ROLLUP (o.id, i.line)
-- problem 1:8 grouping sets (ROLLUP, CUBE) put the rows of all orders together: orders can't be read one by one by shop.orders.id
-- hint write GROUP BY o.id, ... and one more SELECT for each other total
-- instead instead_of_grouping_sets
