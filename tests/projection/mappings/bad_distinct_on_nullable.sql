SELECT DISTINCT ON (o.customer_id) o.id FROM shop.orders o
-- problem 1:46 no way leads from a changed row of shop.orders (alias o) to the orders that it changes: DISTINCT ON o.customer_id puts orders together, those too in which it is NULL, and no lookup finds a NULL
-- hint add WHERE o.customer_id IS NOT NULL, or name the order key in DISTINCT ON, too; or list "shop.orders" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_distinct_on_nullable
