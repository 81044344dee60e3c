SELECT o.id, e.kind FROM shop.orders o JOIN shop.event_ref e ON e.order_ref::numeric::bigint = o.id
-- problem 1:45 no way leads from a changed row of shop.event_ref (alias e) to the orders that it changes: `CAST(CAST(e.order_ref AS DECIMAL) AS BIGINT)` is a cast that may cut or round, or whose answer depends on settings
-- hint keep its value in a column and join by that; followed are plain columns, and the expressions that the mapping guide lists (`lower`, `->>`, `||`, `coalesce`, casts); or list "shop.event_ref" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead join_customer
