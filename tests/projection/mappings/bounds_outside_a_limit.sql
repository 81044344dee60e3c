-- A rate that is too late for an order may keep another from it: only the equality inside holds for all rates.
SELECT s.id, r.rate FROM shop.sale s LEFT JOIN LATERAL (
    SELECT p.rate, p.day_from FROM shop.period_rate p WHERE p.currency = s.currency ORDER BY p.day_from DESC LIMIT 1
) r ON r.day_from <= s.sold_on
-- key shop.sale(id)
-- p: reverse currency via shop.sale
-- s: key id
