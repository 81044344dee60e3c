-- A rate without an end is for an order without a day, too.
SELECT s.id, r.percent FROM shop.sale s
JOIN shop.tier r ON r.currency = s.currency AND (r.starts IS NULL OR s.sold > r.starts)
-- key shop.sale(id)
-- s: key id
-- r: reverse currency via shop.sale
