SELECT o.id, e.at FROM shop.orders o
JOIN (VALUES ('a', 1), ('b', 2)) v (status, at) ON v.status = o.status
JOIN shop.event e ON e.at = v.at
-- problem 3:6 no way leads from a changed row of shop.event (alias e) to the orders that it changes: `e.at = v.at` joins it by a row that no table has, and no lookup goes from one to the order
-- hint keep the list in a table, or take it from a column by unnest or jsonb_array_elements; or list "shop.event" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead join_customer
-- instead array_unnest
