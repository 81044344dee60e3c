SELECT o.id, shop.total_of(o.id) AS total FROM shop.orders o
-- problem 1:19 the function total_of may read tables whose changes could not be followed: it calls order_total, which reads tables
-- hint declare it IMMUTABLE if it reads no table, or write its tables into the mapping
