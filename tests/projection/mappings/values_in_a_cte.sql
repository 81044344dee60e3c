WITH labels (code, label) AS (VALUES ('a', 'new'), ('b', 'sent')), kinds AS (VALUES (1, 'x'))
SELECT o.id, labels.label, k.column2 AS kind
FROM shop.orders o LEFT JOIN labels ON labels.code = o.status LEFT JOIN kinds k ON k.column1 = o.customer_id
-- key shop.orders(id)
-- o: key id
