SELECT o.id, shop.order_total(o.id) AS total FROM shop.orders o
-- problem 1:19 the function order_total may read tables whose changes could not be followed: it reads tables
-- hint declare it IMMUTABLE if it reads no table, or write its tables into the mapping
