SELECT s.id, r.rate FROM shop.sale s
LEFT JOIN shop.period_rate r ON r.currency = s.currency AND s.sold_on >= r.day_from
    AND (r.day_to IS NULL OR s.sold_on < r.day_to)
-- key shop.sale(id)
-- r: reverse currency, day_from, day_to via shop.sale
-- s: key id
