SELECT s.id, r.rate FROM shop.sale s
LEFT JOIN shop.period_rate r ON r.currency = s.currency AND s.sold >= r.day_from::timestamp
    AND s.sold < (r.day_to)::timestamp without time zone
-- key shop.sale(id)
-- r: reverse currency, day_from, day_to via shop.sale
-- s: key id
