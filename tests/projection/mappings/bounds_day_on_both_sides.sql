SELECT s.id, sum(t.percent) AS percent FROM shop.sale s
LEFT JOIN shop.tier t ON t.currency = s.currency AND t.starts::date = s.sold::date
GROUP BY s.id
-- key shop.sale(id)
-- s: key id
-- t: reverse currency, starts via shop.sale
