-- Orders without a customer would share a partition, and nothing leads from one of them to the others.
SELECT o.id, rank() OVER (PARTITION BY o.customer_id ORDER BY o.placed) AS nth FROM shop.orders o
-- problem 2:85 no way leads from a changed row of shop.orders (alias o) to the orders that it changes: PARTITION BY o.customer_id puts orders together, those too in which it is NULL, and no lookup finds a NULL
-- hint add WHERE o.customer_id IS NOT NULL, or name the order key in PARTITION BY, too; or list "shop.orders" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead window_not_null_by_where
-- instead instead_of_a_nullable_partition
