-- A rate of other days takes the place of none at all, which would pass.
SELECT s.id, r.rate FROM shop.sale s
LEFT JOIN shop.period_rate r ON r.currency = s.currency AND s.sold_on >= r.day_from AND r.rate = 4
WHERE r.day_to IS NULL OR s.sold_on < r.day_to
-- key shop.sale(id)
-- r: reverse currency, day_from if rate = 4 via shop.sale
-- s: key id
