SELECT s.id, t.percent, l.label FROM shop.sale s
LEFT JOIN shop.tier t ON t.currency = s.currency AND t.least <= s.qty AND s.sold > t.starts
LEFT JOIN shop.tier_label l ON l.tier_id = t.id
-- key shop.sale(id)
-- s: key id
-- t: reverse currency, least, starts via shop.sale
-- l: reverse tier_id via shop.tier, shop.sale
