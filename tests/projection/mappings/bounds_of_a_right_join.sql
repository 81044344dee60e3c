SELECT s.id, t.percent FROM shop.tier t
RIGHT JOIN shop.sale s ON t.currency = s.currency AND t.least > s.qty AND s.qty > t.most
-- key shop.sale(id)
-- s: key id
-- t: reverse currency, least, most via shop.sale
