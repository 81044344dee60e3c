-- An old row's tier is known by its key alone, a number whose text is the one that the row was stored with.
SELECT s.id, t.percent FROM shop.sale s
LEFT JOIN shop.numbered_tier t ON t.currency = s.currency AND s.qty BETWEEN t.least AND t.most
-- key shop.sale(id)
-- s: key id
-- t: reverse currency, least, most via shop.sale
