SELECT o.id, m.name, (SELECT count(*) FROM shop.line l WHERE l.order_id = o.id AND coalesce(l.active, false)) AS active
FROM shop.web_order o
LEFT JOIN shop.member m ON coalesce(m.email = o.email OR m.ref = o.ref, false)
-- key shop.web_order(id)
-- l: column order_id if active
-- m: reverse email via shop.web_order
-- m: reverse ref via shop.web_order
-- o: key id
