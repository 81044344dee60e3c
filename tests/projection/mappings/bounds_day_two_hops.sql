SELECT s.id, string_agg(l.label, ',' ORDER BY l.label) AS labels FROM shop.sale s
LEFT JOIN shop.tier t ON t.currency = s.currency AND t.starts::date = s.sold_on
LEFT JOIN shop.tier_label l ON l.tier_id = t.id
GROUP BY s.id
-- key shop.sale(id)
-- s: key id
-- t: reverse currency, starts via shop.sale
-- l: reverse tier_id via shop.tier, shop.sale
