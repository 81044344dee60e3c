SELECT o.id FROM shop.orders o WHERE o.id IN (
    SELECT order_id FROM shop.item INTERSECT SELECT order_id FROM shop.shipment EXCEPT SELECT order_id FROM shop.note WHERE body = 'x'
)
-- key shop.orders(id)
-- restricted 4
-- o: key id
-- item: column order_id
-- shipment: column order_id
-- note: column order_id if body = 'x'
