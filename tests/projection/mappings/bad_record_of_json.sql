SELECT o.id, e.at FROM shop.list_order o
CROSS JOIN LATERAL jsonb_to_recordset(o.lines) AS x (sku text, "order" int) JOIN shop.event e ON e.at = x."order"
-- problem 2:82 no way leads from a changed row of shop.event (alias e) to the orders that it changes: `e.at = x."order"` joins it by a row that no table has, and no lookup goes from one to the order
-- hint keep the list in a table, or take it from a column by unnest or jsonb_array_elements; or list "shop.event" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead array_json
