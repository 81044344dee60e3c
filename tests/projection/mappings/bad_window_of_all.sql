SELECT o.id, d.r FROM shop.orders o
LEFT JOIN (SELECT n.order_id, rank() OVER (ORDER BY n.body) AS r FROM shop.note n) d ON d.order_id = o.id
-- problem 2:71 no way leads from a changed row of shop.note (alias n) to the orders that it changes: a window sees the rows of all orders, as its PARTITION BY doesn't name n.order_id
-- hint write OVER (PARTITION BY n.order_id, ...); or list "shop.note" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_window_of_all
