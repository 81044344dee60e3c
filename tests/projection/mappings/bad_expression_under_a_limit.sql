-- The LIMIT counts one order's rows: it is not to blame.
SELECT o.id, d.name FROM shop.orders o
LEFT JOIN LATERAL (SELECT c.name FROM shop.customer c WHERE initcap(c.name) = o.status LIMIT 1) d ON true
-- problem 3:39 no way leads from a changed row of shop.customer (alias c) to the orders that it changes: `INITCAP(c.name)` is an expression that no lookup can be made by
-- hint keep its value in a column and join by that; followed are plain columns, and the expressions that the mapping guide lists (`lower`, `->>`, `||`, `coalesce`, casts); or list "shop.customer" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead lateral_limit
