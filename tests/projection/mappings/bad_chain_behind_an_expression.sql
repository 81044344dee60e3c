-- One cause, three tables.
SELECT o.id, v.name FROM shop.orders o
JOIN shop.customer c ON initcap(c.name) = o.status
JOIN shop.product p ON p.id = c.id
JOIN shop.vendor v ON v.id = p.vendor_id
-- problem 3:6 no way leads from a changed row of shop.customer (alias c), shop.product (alias p) or shop.vendor (alias v) to the orders that it changes: `INITCAP(c.name)` is an expression that no lookup can be made by
-- hint keep its value in a column and join by that; followed are plain columns, and the expressions that the mapping guide lists (`lower`, `->>`, `||`, `coalesce`, casts); or list "shop.customer", "shop.product", "shop.vendor" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead join_customer
-- instead expression_lower
