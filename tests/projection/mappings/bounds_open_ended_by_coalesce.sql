SELECT s.id, t.percent FROM shop.sale s
LEFT JOIN shop.tier t ON t.currency = s.currency AND t.least < s.qty AND s.qty <= coalesce(t.most, 100)
    AND coalesce(t.starts, '-infinity') <= s.sold
-- key shop.sale(id)
-- s: key id
-- t: reverse currency, least, most via shop.sale
