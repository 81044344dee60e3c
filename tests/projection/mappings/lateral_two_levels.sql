SELECT o.id, l.j
FROM shop.orders o, LATERAL (
    SELECT jsonb_agg(x.j ORDER BY s.id) AS j
    FROM shop.shipment s
    CROSS JOIN LATERAL (SELECT sum(sl.qty) AS j FROM shop.shipment_line sl WHERE sl.shipment_id = s.id) x
    WHERE s.order_id = o.id
) l
-- key shop.orders(id)
-- o: key id
-- s: column order_id
-- sl: reverse shipment_id via shop.shipment
