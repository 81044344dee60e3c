SELECT o.id, w.nth FROM shop.web_order o
JOIN (SELECT t.price, rank() OVER (PARTITION BY t.price ORDER BY t.qty) AS nth FROM (SELECT i.price::text AS price, i.qty FROM shop.item i) t) w ON w.price = o.number_text
-- key shop.web_order(id)
-- i: reverse price via shop.web_order
-- o: key id
