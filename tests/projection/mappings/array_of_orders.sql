-- The changed row's array leads to the orders.
SELECT o.id, count(b.id) AS baskets FROM shop.list_order o LEFT JOIN shop.basket b ON o.id = ANY (b.order_ids) GROUP BY o.id
-- key shop.list_order(id)
-- o: key id
-- b: reverse order_ids via shop.list_order
