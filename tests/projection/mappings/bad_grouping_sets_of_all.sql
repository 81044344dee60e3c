SELECT o.id, d.n FROM shop.orders o
LEFT JOIN (SELECT i.order_id, i.line, count(*) AS n FROM shop.item i GROUP BY ROLLUP (i.order_id, i.line)) d ON d.order_id = o.id
-- problem 2:58 no way leads from a changed row of shop.item (alias i) to the orders that it changes: grouping sets (ROLLUP, CUBE) put the rows of all orders together
-- hint write GROUP BY the order's column, ... and one more SELECT for each other total; or list "shop.item" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_grouping_sets
