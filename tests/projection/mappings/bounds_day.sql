SELECT s.id, r.rate FROM shop.sale s
LEFT JOIN shop.day_rate r ON r.currency = s.currency AND r.day = s.sold::date
-- key shop.sale(id)
-- r: reverse currency, day via shop.sale
-- s: key id
