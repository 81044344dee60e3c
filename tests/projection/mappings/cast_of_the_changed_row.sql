SELECT e.id, p.name, v.name AS vendor FROM shop.event_ref e
LEFT JOIN shop.product p ON e.order_ref = CAST(p.id AS text) LEFT JOIN shop.vendor v ON v.id = p.vendor_id
-- key shop.event_ref(id)
-- e: key id
-- p: reverse id via shop.event_ref
-- v: reverse id via shop.product, shop.event_ref
