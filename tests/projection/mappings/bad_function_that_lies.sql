SELECT o.id, shop.lying_total(o.id) AS total FROM shop.orders o
-- problem 1:19 the function lying_total may read tables whose changes could not be followed: it reads tables
-- hint declare it IMMUTABLE if it reads no table, or write its tables into the mapping
