SELECT o.id, c.name FROM shop.orders o JOIN shop.customer c ON c.name = o.placed::text
-- problem 1:45 no way leads from a changed row of shop.customer (alias c) to the orders that it changes: `CAST(o.placed AS TEXT)` is a cast that may cut or round, or whose answer depends on settings
-- hint keep its value in a column and join by that; followed are plain columns, and the expressions that the mapping guide lists (`lower`, `->>`, `||`, `coalesce`, casts); or list "shop.customer" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead join_customer
