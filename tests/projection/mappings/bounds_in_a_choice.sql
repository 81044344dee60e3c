SELECT s.id, t.percent FROM shop.sale s
JOIN shop.tier t ON (t.id = s.qty AND t.starts < s.sold) OR (t.currency = s.currency AND t.least >= s.qty)
-- key shop.sale(id)
-- s: key id
-- t: reverse id via shop.sale
-- t: reverse currency, least via shop.sale
