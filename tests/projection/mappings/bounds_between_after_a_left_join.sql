SELECT s.id, r.rate FROM shop.sale s
LEFT JOIN shop.period_rate r ON r.currency = s.currency
WHERE s.sold BETWEEN r.day_from AND r.day_to AND s.qty > 0
-- key shop.sale(id)
-- r: reverse currency, day_from, day_to via shop.sale
-- s: key id
