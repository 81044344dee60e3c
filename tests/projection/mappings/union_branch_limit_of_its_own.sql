SELECT o.id, x.body FROM shop.orders o, LATERAL (
    (SELECT n.body FROM shop.note n WHERE n.order_id = o.id ORDER BY n.body LIMIT 1)
    UNION ALL SELECT s.carrier FROM shop.shipment s WHERE s.order_id = o.id
) x
-- key shop.orders(id)
-- o: key id
-- n: column order_id
-- s: column order_id
