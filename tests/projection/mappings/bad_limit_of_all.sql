SELECT o.id, d.body FROM shop.orders o
LEFT JOIN (SELECT n.order_id, n.body FROM shop.note n ORDER BY n.body LIMIT 3) d ON d.order_id = o.id
-- problem 2:43 no way leads from a changed row of shop.note (alias n) to the orders that it changes: LIMIT, OFFSET or FETCH counts the rows of all orders together
-- hint put the join's condition into it: LATERAL (SELECT ... WHERE n.order_id = ... LIMIT ...); or list "shop.note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_limit_of_all
