SELECT o.id, t.label
FROM shop.list_order o
CROSS JOIN LATERAL jsonb_array_elements(o.lines) AS line
LEFT JOIN shop.tag t ON t.code = line ->> 'sku'
-- key shop.list_order(id)
-- o: key id
-- t: reverse code via shop.list_order
