-- An old row's tier is known by its key alone, and two texts of a number may be one key.
SELECT s.id, t.percent FROM shop.sale s
LEFT JOIN shop.numbered_tier t ON t.currency = s.currency AND s.qty BETWEEN t.least AND t.most
-- key shop.sale(id)
-- s: key id
-- t: reverse currency via shop.sale
