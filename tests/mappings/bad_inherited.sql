SELECT o.id, s.x FROM shop.orders o JOIN shop.parent s ON s.order_id = o.id
-- problem 1:42 shop.parent has tables that inherit from it
