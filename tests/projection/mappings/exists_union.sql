SELECT o.id FROM shop.orders o WHERE EXISTS (
    SELECT FROM shop.note n WHERE n.order_id = o.id UNION ALL SELECT FROM shop.shipment s WHERE s.order_id = o.id
)
-- key shop.orders(id)
-- o: key id
-- n: column order_id
-- s: column order_id
