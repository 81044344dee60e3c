SELECT DISTINCT o.id::text AS id, i.product_id FROM shop.orders o JOIN shop.item i ON i.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- i: column order_id
