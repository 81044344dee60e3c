SELECT s.id, t.percent FROM shop.sale s
JOIN shop.tier t ON t.currency = s.currency AND t.starts <= coalesce(s.sold, '2024-01-02') AND (s.qty IS NULL OR s.qty < t.least)
-- key shop.sale(id)
-- s: key id
-- t: reverse currency via shop.sale
