SELECT o.id, tag.value AS tag, n, shop.double(o.total) AS twice
FROM shop.orders o
CROSS JOIN LATERAL jsonb_array_elements_text(o.data -> 'tags') WITH ORDINALITY AS tag (value, n)
LEFT JOIN generate_series(1, 2) g ON g = n
-- key shop.orders(id)
-- o: key id
