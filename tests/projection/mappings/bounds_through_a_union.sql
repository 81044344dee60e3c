SELECT s.id, g.percent FROM shop.sale s JOIN (
    SELECT currency, least, percent FROM shop.tier WHERE percent > 1
    UNION ALL SELECT currency, NULL, rate FROM shop.period_rate
) g ON g.currency = s.currency AND g.least < s.qty
-- key shop.sale(id)
-- period_rate: reverse currency via shop.sale
-- s: key id
-- tier: reverse currency, least via shop.sale
