SELECT o.id FROM shop.orders o JOIN ((SELECT n.order_id FROM shop.note n) LIMIT 3) u ON u.order_id = o.id
-- problem 1:62 no way leads from a changed row of shop.note (alias n) to the orders that it changes: LIMIT, OFFSET or FETCH counts the rows of all orders together
-- hint put the join's condition into it: LATERAL (SELECT ... WHERE n.order_id = ... LIMIT ...); or list "shop.note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_limit_of_all
