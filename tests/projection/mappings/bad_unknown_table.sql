SELECT o.id, x.y FROM shop.orders o JOIN shop.nothing x ON x.order_id = o.id
-- problem 1:42 there is no table shop.nothing
-- hint correct the name, or write its schema before it
