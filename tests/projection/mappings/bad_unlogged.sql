SELECT o.id, s.x FROM shop.orders o JOIN shop.scratch s ON s.order_id = o.id
-- problem 1:42 shop.scratch is not logged
