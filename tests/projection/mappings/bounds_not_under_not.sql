SELECT s.id, t.percent FROM shop.sale s
JOIN shop.tier t ON t.currency = s.currency AND NOT t.least < s.qty AND s.qty BETWEEN SYMMETRIC t.most AND t.least
-- key shop.sale(id)
-- s: key id
-- t: reverse currency via shop.sale
