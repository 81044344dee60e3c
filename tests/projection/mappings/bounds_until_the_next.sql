-- A rate ends the one before it, which is for other days.
SELECT s.id, r.rate FROM shop.sale s LEFT JOIN (
    SELECT currency, rate, day_from, lead(day_from) OVER (PARTITION BY currency ORDER BY day_from) AS until
    FROM shop.period_rate
) r ON r.currency = s.currency AND s.sold_on >= r.day_from AND (s.sold_on < r.until OR r.until IS NULL)
-- key shop.sale(id)
-- period_rate: reverse currency via shop.sale
-- s: key id
