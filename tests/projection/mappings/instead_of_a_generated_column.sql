-- Its expression.
SELECT o.id, g.x FROM shop.orders o JOIN shop.generated g ON g.order_id = o.id
-- key shop.orders(id)
-- g: column order_id
-- o: key id
