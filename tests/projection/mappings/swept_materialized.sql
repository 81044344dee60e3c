SELECT o.id, o.status, c.status AS once FROM shop.orders o LEFT JOIN shop.order_copy c ON c.id = o.id
-- sweep_tables shop.order_copy
-- warning 1:70 shop.order_copy is a materialized view
-- key shop.orders(id)
-- o: key id
