SELECT s.id, sum(r.rate) AS rate FROM shop.sale s
LEFT JOIN shop.period_rate r ON r.currency = s.currency AND s.sold_on < r.day_to
GROUP BY s.id
-- key shop.sale(id)
-- r: reverse currency via shop.sale
-- s: key id
