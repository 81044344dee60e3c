-- order_key: shop.orders(idd)
SELECT o.id FROM shop.orders o
-- problem 1:15 order_key: shop.orders has no column idd
-- hint name columns of it, as the database spells them
