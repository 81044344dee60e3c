-- IS NOT NULL in the inner join's condition says nothing of the rows that the outer join fills.
SELECT s.id, count(*) OVER (PARTITION BY o.customer_id) AS n
FROM shop.orders o JOIN shop.note n ON n.order_id = o.id AND o.customer_id IS NOT NULL
RIGHT JOIN shop.shipment s ON s.order_id = o.id
-- problem 3:6 no way leads from a changed row of shop.orders (alias o), shop.note (alias n) or shop.shipment (alias s) to the orders that it changes: PARTITION BY o.customer_id puts orders together, those too in which it is NULL, and no lookup finds a NULL
-- hint add WHERE o.customer_id IS NOT NULL, or name the order key in PARTITION BY, too; or list "shop.orders", "shop.note", "shop.shipment" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead window_not_null_by_where
-- instead instead_of_a_nullable_partition
