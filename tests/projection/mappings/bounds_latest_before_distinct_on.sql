SELECT DISTINCT ON (s.id) s.id, r.rate FROM shop.sale s
JOIN shop.period_rate r ON r.currency = s.currency AND r.day_from < s.sold_on
ORDER BY s.id, r.day_from DESC
-- key shop.sale(id)
-- r: reverse currency, day_from via shop.sale
-- s: key id
