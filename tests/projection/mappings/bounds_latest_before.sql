SELECT s.id, r.rate FROM shop.sale s LEFT JOIN LATERAL (
    SELECT p.rate FROM shop.period_rate p WHERE p.currency = s.currency AND p.day_from <= s.sold
    ORDER BY p.day_from DESC LIMIT 1
) r ON true
-- key shop.sale(id)
-- p: reverse currency, day_from via shop.sale
-- s: key id
