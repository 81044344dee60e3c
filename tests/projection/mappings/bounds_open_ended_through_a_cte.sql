WITH rates AS (SELECT currency, day_from, day_to, rate FROM shop.period_rate)
SELECT s.id, r.rate FROM shop.sale s
JOIN rates r ON r.currency = s.currency AND s.sold_on > r.day_from AND (s.sold_on <= r.day_to OR r.day_to IS NULL)
-- key shop.sale(id)
-- period_rate: reverse currency, day_from, day_to via shop.sale
-- s: key id
