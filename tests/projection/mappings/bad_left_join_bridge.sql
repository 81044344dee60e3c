-- Every order sees every customer, whether or not a shipment stands between.
SELECT o.id, c.name, s.carrier
FROM shop.orders o CROSS JOIN shop.customer c
LEFT JOIN shop.shipment s ON s.id = c.id AND s.order_id = o.id
-- problem 3:31 no way leads from a changed row of shop.customer (alias c) to the orders that it changes: `s.id = c.id` joins it by a row of an outer join, and any order may see it where there is none
-- hint join it by a column of the order, or of a table that an inner join joins to the order; or list "shop.customer" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_nullable_side
