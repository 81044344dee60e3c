SELECT s.id, s.qty FROM shop.sale s WHERE NOT EXISTS (
    SELECT 1 FROM shop.tier t WHERE t.currency = s.currency AND s.qty BETWEEN t.least AND t.most
)
-- key shop.sale(id)
-- s: key id
-- t: reverse currency, least, most via shop.sale
