SELECT s.id, g.percent FROM shop.sale s JOIN (
    SELECT currency, least, max(most) AS most, sum(percent) AS percent FROM shop.tier GROUP BY currency, least
) g ON g.currency = s.currency AND g.least < s.qty AND s.qty <= g.most
-- key shop.sale(id)
-- s: key id
-- tier: reverse currency, least via shop.sale
