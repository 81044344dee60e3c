SELECT o.id, w.nth FROM shop.web_order o
JOIN (SELECT i.price, rank() OVER (PARTITION BY i.price ORDER BY i.qty) AS nth FROM shop.item i) w ON w.price::text = o.number_text
-- problem 2:85 no way leads from a changed row of shop.item
