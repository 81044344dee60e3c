-- The one that is chosen is of a row that an outer join found.
SELECT o.id, v.name
FROM shop.orders o
LEFT JOIN shop.vendor v ON v.id = (
    SELECT max(p.vendor_id) FROM shop.item i LEFT JOIN shop.product p ON p.id = i.product_id WHERE i.order_id = o.id AND i.qty > 1
)
-- key shop.orders(id)
-- i: column order_id
-- o: key id
-- p: reverse id via shop.item
-- v: reverse id via shop.product, shop.item
