SELECT s.id, sum(r.rate) AS rate FROM shop.sale s
JOIN shop.period_rate r ON r.currency = s.currency AND s.sold::date >= r.day_from
    AND (r.day_to IS NULL OR s.sold::date < r.day_to)
WHERE s.sold IS NOT NULL
GROUP BY s.id
-- key shop.sale(id)
-- r: reverse currency, day_from, day_to via shop.sale (sold IS NOT NULL)
-- s: key id if sold IS NOT NULL
