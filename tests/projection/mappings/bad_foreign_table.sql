SELECT o.id, r.x FROM shop.orders o JOIN shop.remote r ON r.order_id = o.id
-- problem 1:42 shop.remote is a foreign table
