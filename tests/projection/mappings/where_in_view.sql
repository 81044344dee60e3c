SELECT o.id, v.kind, p.name FROM shop.orders o JOIN shop.live_lines v ON v.order_id = o.id
LEFT JOIN shop.promotion p ON p.id = v.product_id AND v.code = 'ab'
-- key shop.orders(id)
-- o: key id
-- line: column order_id if kind IN ('goods', 'gift') AND active AND deleted_at IS NULL
-- p: reverse id via shop.line (kind IN ('goods', 'gift') AND active AND code = 'ab' AND deleted_at IS NULL)
