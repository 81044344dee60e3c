SELECT b.id, b.kind, c.name FROM (
    SELECT o.id, o.customer_id, 'open' AS kind FROM shop.orders o WHERE o.status = 'a'
    UNION ALL
    SELECT d.id, d.customer_id, 'done' FROM shop.orders d JOIN shop.shipment s ON s.order_id = d.id WHERE d.status <> 'a'
) b LEFT JOIN shop.customer c ON c.id = b.customer_id
-- key shop.orders(id)
-- restricted 3
-- o: key id if status = 'a'
-- d: key id
-- s: column order_id
-- c: reverse id via shop.orders
-- c: reverse id via shop.orders (status = 'a')
