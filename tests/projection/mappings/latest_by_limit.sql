SELECT o.id, c.name FROM shop.orders o LEFT JOIN shop.customer c ON c.id = (
    SELECT s.id FROM shop.shipment s WHERE s.order_id = o.id ORDER BY s.id DESC LIMIT 1
)
-- key shop.orders(id)
-- c: reverse id via shop.shipment
-- o: key id
-- s: column order_id
