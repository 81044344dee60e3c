SELECT o.id,
    (SELECT count(*) FROM shop.item i WHERE i.order_id = o.id AND i.qty > 1) AS lines,
    coalesce((SELECT c.name FROM shop.customer c WHERE c.id = o.customer_id), 'nobody') AS name,
    ARRAY(SELECT body FROM shop.note WHERE order_id = o.id ORDER BY body) AS notes
FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- c: reverse id via shop.orders
-- note: column order_id
