SELECT o.id FROM shop.orders o JOIN (
    SELECT n.order_id FROM shop.note n UNION ALL SELECT s.order_id FROM shop.shipment s LIMIT 3
) u ON u.order_id = o.id
-- problem 2:28 rows of all orders compete under LIMIT
