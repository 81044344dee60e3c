SELECT o.id, o.status
FROM shop.orders o
WHERE EXISTS (
    SELECT 1 FROM shop.item i
    WHERE i.order_id = o.id AND NOT EXISTS (SELECT 1 FROM shop.product p WHERE p.id = i.product_id AND p.vendor_id IN (SELECT v.id FROM shop.vendor v))
)
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- p: reverse id via shop.item
-- v: reverse id via shop.product, shop.item
