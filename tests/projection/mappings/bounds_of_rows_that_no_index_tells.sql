-- The stream writes the tier's key otherwise than a query that makes a text of it.
SELECT s.id, t.percent FROM shop.sale s
LEFT JOIN shop.network_tier t ON t.currency = s.currency AND s.qty BETWEEN t.least AND t.most
-- key shop.sale(id)
-- s: key id
-- t: reverse currency via shop.sale
