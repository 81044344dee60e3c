WITH days AS (SELECT s.id, s.currency, s.sold::date AS day FROM shop.sale s)
SELECT d.id, d.day, r.rate FROM days d LEFT JOIN shop.day_rate r ON r.currency = d.currency AND r.day = d.day
-- key shop.sale(id)
-- r: reverse currency, day via shop.sale
-- s: key id
