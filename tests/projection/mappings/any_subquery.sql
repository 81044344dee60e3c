SELECT o.id FROM shop.orders o WHERE o.id = ANY (SELECT n.order_id FROM shop.note n)
    AND o.customer_id = (SELECT c.id FROM shop.customer c WHERE c.name = o.status ORDER BY c.id LIMIT 1)
-- key shop.orders(id)
-- o: key id
-- n: column order_id
-- c: reverse name via shop.orders
