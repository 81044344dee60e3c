SELECT s.id, t.percent FROM shop.sale s
JOIN shop.tier t ON t.least = s.qty AND t.currency < s.currency
-- key shop.sale(id)
-- s: key id
-- t: reverse least via shop.sale
