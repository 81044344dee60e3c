SELECT s.id, count(r.rate) AS rates FROM shop.sale s
LEFT JOIN shop.rate r ON r.currency = s.currency AND r.valid_from < s.sold::date
GROUP BY s.id
-- key shop.sale(id)
-- r: reverse currency, valid_from via shop.sale
-- s: key id
