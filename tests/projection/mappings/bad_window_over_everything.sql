SELECT g.id, rank() OVER (ORDER BY g.placed) AS nth FROM shop.gorder g
-- problem 1:58 no way leads from a changed row of shop.gorder (alias g) to the orders that it changes: `RANK() OVER (ORDER BY g.placed)` sees the rows of all orders, as it has no PARTITION BY
-- hint write OVER (PARTITION BY ...) with a column that is never NULL, or with the order key; or list "shop.gorder" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead window_over_customers_orders
